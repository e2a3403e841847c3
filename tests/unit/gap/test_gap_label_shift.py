"""Proportions of a target whose labels nobody read: recovered on synthetic shift, and no shift is not called one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from acclimate.data.domain import from_columns
from acclimate.errors import InputError
from acclimate.gap.base import Sample
from acclimate.gap.label_shift import LabelShift, class_proportions

CENTRES = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])


def sample(proportions: tuple[float, ...], rows: int, seed: int, labels: bool = True) -> Sample:
    rng = np.random.default_rng(seed)
    classes = rng.choice(len(proportions), rows, p=proportions)
    vectors = CENTRES[classes] + rng.normal(size=(rows, 2))
    names = [f"class {number}" for number in classes] if labels else None
    return Sample(from_columns("some", ["text"] * rows, names), vectors.astype(np.float32))


@pytest.mark.parametrize("seed", range(5))
def test_the_constrained_least_squares_equals_a_general_optimiser(seed: int) -> None:
    rng = np.random.default_rng(seed)
    confusion = rng.dirichlet(np.ones(4), size=4).T
    predicted = rng.dirichlet(np.ones(4))
    ours = class_proportions(confusion, predicted)
    found = minimize(
        lambda q: float(np.sum((confusion @ q - predicted) ** 2)),
        np.full(4, 0.25),
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda q: q.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    np.testing.assert_allclose(ours, found.x, atol=1e-4)
    assert ours.sum() == pytest.approx(1)
    assert (ours >= 0).all()


def test_exact_predictions_give_back_the_exact_proportions() -> None:
    confusion = np.array([[0.9, 0.2, 0.1], [0.05, 0.7, 0.2], [0.05, 0.1, 0.7]])
    truth = np.array([0.1, 0.0, 0.9])
    np.testing.assert_allclose(class_proportions(confusion, confusion @ truth), truth, atol=1e-12)


def test_a_synthetic_shift_is_recovered_within_its_interval() -> None:
    truth = (0.15, 0.25, 0.6)
    source, target = sample((0.6, 0.3, 0.1), 1500, 0), sample(truth, 1500, 1, labels=False)
    result = LabelShift().measure(source, target)
    np.testing.assert_allclose(result.details["target"], truth, atol=0.06)
    assert all(low <= share <= high for low, share, high in zip(result.details["low"], truth, result.details["high"], strict=True))
    assert result.value == pytest.approx(0.5, abs=0.06)
    assert result.p_value is not None
    assert result.p_value < 0.01
    assert result.details["classes"] == ["class 0", "class 1", "class 2"]


def test_no_shift_is_rarely_called_one() -> None:
    same = (0.5, 0.3, 0.2)
    results = [LabelShift(resamples=39).measure(sample(same, 90, 2 * i), sample(same, 90, 2 * i + 1), seed=i) for i in range(60)]
    alarms = sum((result.p_value or 0) <= 0.1 for result in results)
    assert alarms <= 13  # binomial(60, 0.1): more has probability 0.003


def test_rows_without_a_label_are_left_out() -> None:
    source, target = sample((0.5, 0.3, 0.2), 300, 0), sample((0.2, 0.3, 0.5), 300, 1, labels=False)
    labels = [label if row < 200 else None for row, label in enumerate(source.domain.labels)]
    partly = Sample(from_columns("partly", source.domain.texts, labels), source.vectors)
    shorter = Sample(source.domain.take(range(200)), source.embedded()[:200].astype(np.float32))
    assert LabelShift().measure(partly, target) == LabelShift().measure(shorter, target)


def test_classes_that_cannot_be_told_apart_are_warned_about() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(400, 2)).astype(np.float32)
    source = Sample(from_columns("noise", ["text"] * 400, ["a", "b"] * 200), noise)
    assert "cannot be told" in LabelShift().measure(source, Sample(from_columns("other", ["text"] * 400), noise[::-1])).warning


@pytest.mark.parametrize("labels", [["a"] * 10, ["a"] * 9 + ["b"]])
def test_one_class_or_a_class_of_one_row_is_an_input_error(labels: list[str]) -> None:
    source = Sample(from_columns("poor", ["text"] * 10, labels), np.zeros((10, 2), dtype=np.float32))
    with pytest.raises(InputError, match="at least two classes"):
        LabelShift().measure(source, sample((1.0,), 10, 0, labels=False))
