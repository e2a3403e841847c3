"""What a search may vary: parsed with help, laid out as a grid, and turned into an arm and its training."""

from __future__ import annotations

from typing import Any

import pytest

from acclimate.errors import InputError
from acclimate.recipe import parse_recipe
from acclimate.strategy.arms import Arm, Method, settings
from acclimate.strategy.search.candidate import Candidate, apply, check_space, default_space, known_names
from acclimate.strategy.search.space import Choice, Range, parse_dimension
from acclimate.tune.settings import TuneSettings

FULL = Arm(
    "selected",
    select=Method("dsir"),
    budget="20%",
    augment=(Method("eda", settings({"times": 4})), Method("mixup")),
    objectives=(Method("dan"),),
)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"low": 1, "high": 1}, "low below high"),
        ({"low": 0, "high": 1, "log": True}, "above 0"),
        ({"lwo": 1, "high": 2}, "did you mean 'low'"),
        ({"low": 1}, "low and high"),
        ({"low": 1, "high": 2, "log": "yes"}, "true or false"),
        ({"low": "a", "high": 2}, "two numbers"),
        ({"low": 1, "high": 9, "step": 20}, "within the range"),
        ([3], "at least two"),
        ([1, [2]], "a number, a word"),
        (5, "a list of choices"),
    ],
)
def test_a_wrong_dimension_is_explained(value: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse_dimension(value)
    assert message in str(error.value)


def test_levels_lie_in_the_range() -> None:
    for dimension in (Range(1, 8, log=True), Range(0.01, 100, log=True), Range(0, 10, step=4), Range(0.0, 0.5), Choice(("a", "b"))):
        for count in (1, 2, 3, 7):
            levels = dimension.levels(count)
            assert len(levels) == len(set(levels))
            if isinstance(dimension, Range):
                assert all(dimension.low <= float(level) <= dimension.high for level in levels)
    assert Range(0, 10, step=4).levels(9) == [0, 4, 8]


def test_a_point_changes_the_arm_and_its_training_and_nothing_else() -> None:
    base = Candidate(FULL, TuneSettings(steps=50))
    point = {
        "lr": 2e-5,
        "C": 0.5,
        "budget": "5%",
        "target_weight": 3,
        "augment.eda.alpha": 0.2,
        "objectives.dan.weight": 0.3,
        "epochs": 3,
    }
    found = apply(base, point)
    assert (found.tune.lr, found.tune.steps, found.C, found.arm.budget, found.arm.target_weight) == (2e-5, 50, 0.5, "5%", 3.0)
    assert str(found.arm.augment[0]) == "eda(alpha=0.2, times=4)"
    assert found.arm.augment[1] == FULL.augment[1]
    assert str(found.arm.objectives[0]) == "dan(weight=0.3)"
    assert found.with_steps(100).tune.steps == 19  # 3 × 100 / 16, upwards
    assert apply(base, {}) == base


@pytest.mark.parametrize("fidelity", ["probe", "fine-tune"])
def test_every_default_can_be_searched(fidelity: Any) -> None:
    base = Candidate(FULL)
    space = default_space(base, fidelity)
    assert space
    check_space(base, space, fidelity)
    assert set(space) <= set(known_names(FULL, fidelity))
    for dimension in space.values():
        assert len(dimension.levels(3)) >= 2


@pytest.mark.parametrize(
    ("space", "fidelity", "message"),
    [
        ({"lr": Range(1e-5, 1e-3)}, "probe", "setting to search (probe) 'lr'"),
        ({"C": Range(1.0, 2.0)}, "fine-tune", "'C'"),
        ({"augment.eda.alhpa": Range(0.1, 0.2)}, "probe", "did you mean 'augment.eda.alpha'"),
        ({"dropout": Range(0.0, 3.0)}, "fine-tune", "dropout"),
        ({"budget": Choice(("5%", "many"))}, "probe", "many"),
        ({"epochs": Range(1, 5), "steps": Range(10, 20)}, "fine-tune", "epochs and steps"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused_before_anything_runs(space: Any, fidelity: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        check_space(Candidate(FULL), space, fidelity)
    assert message in str(error.value)


RECIPE = """
source: {path: s.csv}
target: {path: t.csv}
arms:
  - select: {method: dsir}
    augment: {method: eda, times: 2}
search:
  SEARCH
"""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sampler: tep", "did you mean 'tpe'"),
        ("pruner: hyperbnad", "did you mean 'hyperband'"),
        ("fidelity: prob", "did you mean 'probe'"),
        ("trails: 5", "did you mean 'trials'"),
        ("trials: 0", "greater than or equal to 1"),
        ("validation: cv1", "K of at least 2"),
        ("arm: 2", "there are 1 arms"),
        ("space: {budgte: [5%, 10%]}", "did you mean 'budget'"),
        ("space: {lr: {low: 1.0e-5, high: 1.0e-3}}", "no setting 'lr' at fidelity 'probe'"),
        ("space: {C: {low: 1, hgih: 2}}", "did you mean 'high'"),
        ("space: {augment.eda.alpah: [0.1, 0.2]}", "did you mean 'augment.eda.alpha'"),
    ],
)
def test_a_mistake_in_a_recipe_is_named_with_its_line(line: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse_recipe(RECIPE.replace("SEARCH", line))
    assert message in str(error.value)
    assert "line 8" in str(error.value)


def test_a_recipe_says_what_is_searched() -> None:
    text = RECIPE.replace("SEARCH", "space: {budget: [5%, 20%], C: {low: 0.1, high: 10, log: true}, augment.eda.times: [1, 4]}")
    spec = parse_recipe(text).search
    assert (spec.sampler, spec.pruner, spec.trials) == ("tpe", "none", 30)
    assert parse_recipe(parse_recipe(text).to_yaml()).search == spec
