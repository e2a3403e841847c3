"""What would fail, or mean nothing, after an hour of work is said at once."""

from __future__ import annotations

import pytest

from acclimate.data.make import make_target
from acclimate.errors import InputError
from acclimate.strategy.arms import Arm, Method, settings
from acclimate.strategy.plan import Plan
from tests.shift import pool, sentences


def _plan(*arms: Arm, labels: int | None = None) -> Plan:
    return Plan(pool(20), make_target(sentences("clinic", 40, 1), test=0.5), arms, "none", labels=labels, folds=2)


def test_more_labels_than_there_are_is_bad_input() -> None:
    with pytest.raises(InputError, match="21 target labels were asked for, and 20"):
        _plan(labels=21).check()


def test_two_arms_that_read_alike_are_bad_input() -> None:
    arms = [Arm("none", augment=(Method("eda", settings({"alpha": alpha})),)) for alpha in (0.1, "0.1")]
    with pytest.raises(InputError, match="Two arms are called"):
        _plan(*arms).check()


def test_a_plan_that_can_run_passes() -> None:
    _plan(Arm("all", target_weight=2), labels=10).check()
