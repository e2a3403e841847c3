"""The public verb brings what selectors need, when they need it, and says what cannot be brought."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from acclimate.data.make import make_target
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.features.embeddings import Embedder
from acclimate.features.ngrams import hash_ngrams
from acclimate.select import run
from acclimate.select.base import Toolbox
from acclimate.strategy.select import select, toolbox
from acclimate.tune.learner import ProbeLearner
from tests.shift import pool, sentences

NOWHERE = "asset:nowhere"


class Counted:
    """A bag of hashed words that counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, contents: Sequence[str] | Sequence[bytes], /) -> NDArray[np.float32]:
        self.calls += 1
        return hash_ngrams([str(text) for text in contents], buckets=256, orders=(1,)).toarray().astype(np.float32)


def clinic() -> Target:
    return make_target(sentences("clinic", 20, 1), test=sentences("clinic", 20, 2, "test"))


def test_a_method_that_trains_is_brought_an_encoder_and_the_probe(encoder_folder: Path, home: Path) -> None:
    picked = select(pool(60), clinic(), method="el2n", budget="10", model=str(encoder_folder))
    embed = Embedder(str(encoder_folder), cache=None, device="cpu")
    tools = Toolbox(embed, learner=ProbeLearner(embed))
    expected = run.select(pool(60), clinic(), method="el2n", budget="10", tools=tools)
    assert len(picked) == 10
    assert picked.scores.tobytes() == expected.scores.tobytes()
    assert (home / "features").is_dir()  # the vectors are kept for the next call


def test_models_are_not_looked_for_until_a_method_asks() -> None:
    arguments = {"model": NOWHERE, "language_model": NOWHERE}
    assert len(select(pool(60), clinic(), method="classifier", budget="5", **arguments)) == 5
    with pytest.raises(InputError, match="nowhere"):
        select(pool(60), clinic(), method="knn", **arguments)
    with pytest.raises(InputError, match="nowhere"):
        select(pool(60), clinic(), method="forgetting", **arguments)


def test_a_given_encoder_serves_the_method_and_the_probe() -> None:
    for method in ("knn", "grand"):
        embed = Counted()
        assert len(select(pool(60), clinic(), method=method, budget="5", embed=embed, model=NOWHERE)) == 5
        assert embed.calls > 0


def test_a_given_learner_takes_the_place_of_the_probe() -> None:
    slow, quick = (ProbeLearner(Counted(), rate=rate) for rate in (0.001, 0.3))
    picks = [select(pool(60), clinic(), method="el2n", embed=Counted(), learner=learner) for learner in (slow, quick)]
    assert picks[0].scores.tobytes() != picks[1].scores.tobytes()
    assert picks[0].scores.std() < picks[1].scores.std()  # what has hardly been trained finds nothing easy


def test_everything_is_in_the_box() -> None:
    box = toolbox(Counted())
    assert all(getattr(box, field.name) is not None for field in dataclasses.fields(box))
    assert toolbox(Counted(), learner=box.learner).learner is box.learner


def test_the_seed_reaches_the_method_and_repeats_to_the_last_bit() -> None:
    def scores(seed: int) -> bytes:
        return select(pool(60), clinic(), method="el2n", embed=Counted(), seed=seed).scores.tobytes()

    assert scores(1) == scores(1)
    assert scores(1) != scores(100)


def test_settings_and_the_length_of_a_text_reach_their_places() -> None:
    picked = select(pool(60), clinic(), method="el2n", embed=Counted(), keep="easy", budget="7 tokens", count_tokens=lambda _: 1)
    assert picked.method == "el2n(keep=easy)"
    assert len(picked) == 7
    assert picked.scores.max() <= 0
    with pytest.raises(InputError, match="did you mean 'keep'"):
        select(pool(60), clinic(), method="el2n", embed=Counted(), keeps="easy")


def test_what_cannot_be_brought_is_named_with_a_method_that_can_serve() -> None:
    with pytest.raises(InputError, match=r"'el2n' cannot serve here: the source has examples without a label.*use 'classifier'"):
        select(pool(60).without_labels(), clinic(), method="el2n", embed=Counted())
    unlabelled = dataclasses.replace(clinic(), labelled=clinic().labelled.take([]), unlabelled=clinic().labelled.without_labels())
    with pytest.raises(InputError, match=r"'reducible-loss' cannot serve here: the target has fewer than two.*use 'classifier'"):
        select(pool(60), unlabelled, method="reducible-loss", embed=Counted())


@pytest.mark.parametrize("part", ["source", "target"])
def test_nothing_to_choose_from_or_to_compare_with_is_said(part: str) -> None:
    target = dataclasses.replace(clinic(), labelled=clinic().labelled.take([]), unlabelled=clinic().unlabelled.take([]))
    source, target = (pool(60).take([]), clinic()) if part == "source" else (pool(60), target)
    with pytest.raises(InputError, match=r"is empty|nothing to compare"):
        select(source, target, embed=Counted())
