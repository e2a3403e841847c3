"""Policy search: recommends what really helps, nothing where nothing does, and never looks at the test."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from acclimate.augment import METHODS
from acclimate.augment.base import descend
from acclimate.augment.policy import Policy, PolicySettings, Step, propose, strength_of
from acclimate.data.domain import Domain
from acclimate.data.make import make_target
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.features.ngrams import hash_ngrams
from acclimate.recipe import parse_recipe
from acclimate.strategy.policy import build_settings, search_policy
from tests.shift import BAD, GOOD, sentences


def embed(contents: Any) -> np.ndarray:
    return hash_ngrams(contents, buckets=256, orders=(1,)).toarray().astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Knowing:
    """Adds the words of the class, which a few labels cannot teach: an augmentation that really helps."""

    method: ClassVar[str] = "knowing"
    paper: ClassVar[str] = "none"
    modality: ClassVar[tuple[str, ...]] = ("text",)
    summary: ClassVar[str] = "adds the words of the class"
    summary_zh: ClassVar[str] = "加入类别词"

    rate: float = 0.2

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:  # noqa: ARG002 (the protocol's)
        texts = [
            " ".join([words[(row + copy) % 4], words[(row + copy + 1) % 4]])
            for row, label in enumerate(examples.labels)
            for words in [GOOD if label == "good" else BAD]
            for copy in range(times)
        ]
        return descend(examples, texts, method="knowing", seed=seed, settings={})


@pytest.fixture
def knowing() -> Iterator[None]:
    METHODS["knowing"] = Knowing
    yield
    del METHODS["knowing"]


def _target(labels: int = 12, seed: int = 0) -> Target:
    """A few labels, and a validation part that is large enough to show something."""
    validation, test = sentences("clinic", 300, seed + 1, "v"), sentences("clinic", 20, seed + 2, "t")
    return make_target(sentences("clinic", labels, seed), test=test, validation=validation)


def _search(target: Target, *methods: str, guard: Any = "none", **settings: Any) -> Any:
    asked = PolicySettings(**{"methods": methods, "trials": 6, "times": 4, "folds": 3, **settings})
    return search_policy(target, asked, embed=embed, guard=guard)


@pytest.mark.usefixtures("knowing")
def test_what_really_helps_is_recommended_with_its_uncertainty() -> None:
    found = _search(_target(), "knowing")
    assert found.policy.steps
    assert found.policy == found.best
    assert found.comparison.verdict == "helped"
    assert found.comparison.low > 0
    assert found.trials.num_rows == 6


@pytest.mark.parametrize("seed", range(3))
def test_where_labels_are_noise_none_is_recommended(seed: int) -> None:
    labelled = sentences("clinic", 40, seed)
    coins = np.random.default_rng(seed).permutation(labelled.labels).tolist()
    target = make_target(labelled.with_column("label", pa.array(coins, pa.string())), test=sentences("clinic", 10, 9, "t"))

    found = search_policy(target, PolicySettings(methods=("eda",), trials=4, times=2, folds=2), embed=embed, guard="none")
    assert found.policy == Policy()
    assert "no policy was shown better than no augmentation; none is recommended" in found.notes


@pytest.mark.usefixtures("knowing")
def test_a_search_that_was_stopped_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    target = _target()
    asked = PolicySettings(methods=("knowing",), trials=5, times=3)
    whole = search_policy(target, asked, embed=embed, guard="none")
    store = tmp_path / "trials.db"
    search_policy(target, dataclasses.replace(asked, trials=2), embed=embed, guard="none", storage=store)
    again = search_policy(target, asked, embed=embed, guard="none", storage=store)
    assert again.trials.drop_columns(["seconds"]).equals(whole.trials.drop_columns(["seconds"]))
    assert again.policy == whole.policy


@pytest.mark.usefixtures("knowing")
def test_the_budget_of_seconds_ends_a_search_and_that_is_said() -> None:
    found = _search(_target(), "knowing", trials=50, seconds=1e-9)
    assert found.trials.num_rows < 50
    assert any(note.startswith("the budget of 1e-09 seconds ended the search") for note in found.notes)


def test_the_labels_of_the_test_change_nothing() -> None:
    target = _target()
    other = {"good": "bad", "bad": "good"}
    test = sentences("clinic", 20, 2, "t")
    flipped = test.with_column("label", pa.array([other[str(label)] for label in test.labels], pa.string()))
    wrong = dataclasses.replace(target, test=Sealed(flipped, "test"))
    first, second = (
        search_policy(at, PolicySettings(methods=("eda",), trials=3, times=2), embed=embed, guard="no-polarity")
        for at in (target, wrong)
    )
    assert first.trials.drop_columns(["seconds"]).equals(second.trials.drop_columns(["seconds"]))
    assert first.comparison == second.comparison


def test_too_few_labels_for_the_folds_are_refused() -> None:
    target = make_target(sentences("clinic", 6, 0), test=sentences("clinic", 8, 1, "t"))
    with pytest.raises(InputError, match="fewer folds"):
        search_policy(target, PolicySettings(methods=("eda",), folds=5), embed=embed)


class _Fixed:
    """Answers of a trial by name."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def suggest_int(self, name: str, low: int, high: int) -> int:
        value = self.answers[name.replace(".", "_")]
        assert low <= value <= high
        return int(value)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        assert log
        return float(np.clip(self.answers[name.replace(".", "_")], low, high))

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return choices[self.answers[name.replace(".", "_")]]


@pytest.mark.usefixtures("knowing")
def test_a_policy_holds_the_augmenters_with_the_most_new_examples() -> None:
    trial = _Fixed(eda_times=2, eda_alpha=0.2, eda_operations=1, knowing_times=4, knowing_rate=0.3)
    both = propose(trial, ["eda", "knowing"], PolicySettings(times=4))
    assert str(both) == "eda×2(alpha=0.2, operations=replace) + knowing×4(rate=0.3)"
    assert propose(trial, ["eda", "knowing"], PolicySettings(times=4, steps=1)).steps == (Step("knowing", 4, (("rate", 0.3),)),)
    assert both.to_recipe()[0] == {"method": "eda", "times": 2, "alpha": 0.2, "operations": ["replace"]}
    nothing = _Fixed(eda_times=0, knowing_times=0)
    assert propose(nothing, ["eda", "knowing"], PolicySettings()) == Policy()


@pytest.mark.parametrize("name", METHODS)
def test_what_a_search_tries_is_what_the_augmenter_accepts(name: str) -> None:
    strength = strength_of(name)
    if strength is not None:
        setting, low, high = strength
        for value in (low, high):
            METHODS[name](**{setting: value})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"methods": ["ead"]}, "did you mean 'eda'"),
        ({"trials": 0}, "at least 1"),
        ({"trails": 3}, "did you mean 'trials'"),
        ({"seconds": 0}, "above 0"),
    ],
)
def test_wrong_settings_are_explained(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        build_settings(settings)
    assert message in str(error.value)


RECIPE = """
source: {path: s.csv}
target: {path: t.csv}
arms:
  - augment: POLICY
"""


def test_a_recipe_may_ask_for_a_search_and_for_guards() -> None:
    spec = parse_recipe(RECIPE.replace("POLICY", "{method: policy, trials: 3, guard: {agreement: false}}")).arms[0].augment[0]
    assert spec.settings == {"trials": 3, "guard": {"agreement": False}}
    for wrong, message in (("{method: policy, trails: 3}", "'trials'"), ("{method: eda, guard: no-agrement}", "'agrement'")):
        with pytest.raises(InputError) as error:
            parse_recipe(RECIPE.replace("POLICY", wrong))
        assert "line 5" in str(error.value)
        assert message in str(error.value)
