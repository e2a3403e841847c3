"""The permutation test equals one that recomputes everything, and is calibrated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from acclimate.data.domain import from_columns
from acclimate.errors import InputError
from acclimate.features.kernels import mmd2_unbiased, rbf, squared_distances
from acclimate.gap.base import Sample
from acclimate.gap.mmd import Mmd, split_statistics
from acclimate.gap.permutation import p_value, statistics_by_chance


def sample(vectors: np.ndarray) -> Sample:
    return Sample(from_columns("some", ["text"] * len(vectors)), vectors.astype(np.float32))


def naive_mmd2(x: np.ndarray, y: np.ndarray, bandwidth: float) -> float:
    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-np.sum((a - b) ** 2) / (2 * bandwidth)))

    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def test_value_and_p_value_equal_a_naive_double_loop_over_every_permutation() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 2)), rng.normal(0.7, 1, size=(6, 2))
    result = Mmd(permutations=60).measure(sample(x), sample(y), seed=3)
    both = np.concatenate([x, y])
    pairs = [np.sum((both[i] - both[j]) ** 2) for i in range(15) for j in range(i)]
    bandwidth = float(np.median(pairs))
    assert result.value == pytest.approx(naive_mmd2(x, y, bandwidth), abs=1e-6)
    permuted = np.random.default_rng(3)
    orders = [permuted.permutation(15) for _ in range(60)]
    naive = [naive_mmd2(both[np.sort(order[:9])], both[np.sort(order[9:])], bandwidth) for order in orders]
    assert result.p_value == (1 + sum(value >= result.value for value in naive)) / 61
    assert result.details["largest_by_chance"] == pytest.approx(max(naive), abs=1e-6)


def test_split_statistics_equal_the_plain_formula_for_any_split() -> None:
    rng = np.random.default_rng(1)
    points = torch.tensor(rng.normal(size=(12, 3)))
    matrix = rbf(2.0)(squared_distances(points, points))
    splits = torch.tensor([[1.0] * n + [0.0] * (12 - n) for n in (2, 5, 10)], dtype=torch.float64)
    for n, value in zip((2, 5, 10), split_statistics(matrix, splits), strict=True):
        expected = mmd2_unbiased(matrix[:n, :n], matrix[n:, n:], matrix[:n, n:])
        assert value.item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize("settings", [{"permutations": 19}, {"estimator": "linear"}, {"permutations": 19, "kernel": "bank"}])
def test_false_alarms_are_as_rare_as_the_level_says(settings: dict[str, object]) -> None:
    rng = np.random.default_rng(0)
    method = Mmd(**settings)  # type: ignore[arg-type]  # settings of several types
    values = [
        method.measure(sample(rng.normal(size=(40, 3))), sample(rng.normal(size=(30, 3))), seed=i).p_value for i in range(100)
    ]
    alarms = sum(value is not None and value <= 0.1 for value in values)
    assert 2 <= alarms <= 20  # binomial(100, 0.1): outside with probability 0.003


def test_the_linear_estimator_is_unbiased_and_its_interval_covers() -> None:
    rng = np.random.default_rng(0)
    pairs = [(sample(rng.normal(size=(200, 2))), sample(rng.normal(0.8, 1, size=(200, 2)))) for _ in range(60)]
    linear = [Mmd(estimator="linear").measure(x, y) for x, y in pairs]
    quadratic = float(np.mean([Mmd(permutations=1).measure(x, y).value for x, y in pairs]))
    values = np.array([result.value for result in linear])
    assert abs(values.mean() - quadratic) < 3 * values.std() / np.sqrt(60)
    covered = sum((result.low or 0) < quadratic < (result.high or 0) for result in linear)
    assert 50 <= covered <= 60
    assert np.median([result.p_value or 0 for result in linear]) < 0.01


def test_chunks_of_permutations_change_nothing() -> None:
    def ones_in_front(splits: np.ndarray) -> np.ndarray:
        return splits[:, :4].sum(1)

    runs = [statistics_by_chance(ones_in_front, (4, 6), permutations=23, seed=5, chunk=chunk) for chunk in (1, 7, 100)]
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])


def test_values_that_differ_by_rounding_count_as_equal() -> None:
    assert p_value(0.3, np.array([0.1 + 0.2 - 1e-16, 0.1, 0.2])) == 0.5


@pytest.mark.parametrize("settings", [{"kernel": "rfb"}, {"estimator": "fast"}, {"permutations": 0}])
def test_settings_that_mean_nothing_are_an_input_error(settings: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Mmd(**settings)  # type: ignore[arg-type]  # wrong on purpose
