"""The closed form equals scikit-learn fold by fold; the proxy A-distance equals one computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from acclimate.data.domain import from_columns
from acclimate.gap.base import Sample
from acclimate.gap.classify import RIDGE, cross_fit
from acclimate.gap.proxy_a import ProxyA, a_distance, error_interval


def by_hand(x: np.ndarray, labels: np.ndarray, other: np.ndarray, folds: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    weights = (len(labels) / np.bincount(labels))[labels]
    held_out, votes = np.empty(len(x), dtype=int), np.zeros((len(other), labels.max() + 1))
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, labels):
        w = weights[train] / weights[train].sum()
        scaler = StandardScaler().fit(x[train], sample_weight=w)
        ridge = Ridge(alpha=RIDGE).fit(scaler.transform(x[train]), np.eye(labels.max() + 1)[labels[train]], sample_weight=w)
        held_out[test] = ridge.predict(scaler.transform(x[test])).argmax(1)
        votes[np.arange(len(other)), ridge.predict(scaler.transform(other)).argmax(1)] += 1 / folds
    return held_out, votes


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.8, 0.2), (0.5, 0.3, 0.2)])
def test_predictions_equal_scikit_learn_fold_by_fold(shares: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(len(shares), 200, p=shares)
    x = rng.normal(size=(200, 5)) * [1, 1, 30, 0.1, 1] + 100
    x[:, 0] += labels
    other = rng.normal(size=(40, 5)) + 100
    predictions = cross_fit(x, labels, other, folds=4, seed=2)
    held_out, votes = by_hand(x, labels, other, 4, 2)
    np.testing.assert_array_equal(predictions.held_out, held_out)
    np.testing.assert_allclose(predictions.votes, votes)


def test_a_constant_feature_changes_no_prediction() -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(60, 3)), np.arange(60) % 2
    wider = np.column_stack([x, np.full(60, 7.0)])
    plain, padded = (cross_fit(part, labels, part[:0], folds=3, seed=0).held_out for part in (x, wider))
    np.testing.assert_array_equal(plain, padded)


def sample(vectors: np.ndarray) -> Sample:
    return Sample(from_columns("some", ["text"] * len(vectors)), vectors.astype(np.float32))


def test_proxy_a_and_its_interval_equal_those_computed_by_hand() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 4)).astype(np.float32), rng.normal(0.6, 1, size=(100, 4)).astype(np.float32)
    result = ProxyA().measure(sample(x), sample(y), seed=1)
    truth = np.repeat([0, 1], 100)
    predicted, _ = by_hand(np.concatenate([x, y]).astype(np.float64), truth, np.zeros((1, 4)), 5, 1)
    error = float(np.mean(predicted != truth))
    assert result.value == pytest.approx(2 * (1 - 2 * error))
    low, high = error_interval(error, 200, 5)
    assert (result.low, result.high) == (a_distance(high), a_distance(low))


def test_the_interval_is_wilsons_with_fewer_effective_rows() -> None:
    wilson = stats.binomtest(30, 100).proportion_ci(0.95, method="wilson")
    assert error_interval(0.3, 225, 5) == pytest.approx((wilson.low, wilson.high), abs=1e-6)


def test_two_samples_of_one_distribution_rarely_look_apart() -> None:
    rng = np.random.default_rng(0)
    pairs = [(sample(rng.normal(size=(60, 6))), sample(rng.normal(size=(60, 6)))) for _ in range(100)]
    apart = sum((ProxyA().measure(x, y, seed=seed).low or 0) > 0 for seed, (x, y) in enumerate(pairs))
    assert apart <= 6  # 2.5% of 100 on this side; more than 6 has probability 0.01


def test_unequal_sides_are_brought_to_the_same_size() -> None:
    rng = np.random.default_rng(0)
    result = ProxyA().measure(sample(rng.normal(size=(400, 3))), sample(rng.normal(size=(60, 3))))
    assert result.details["rows_per_side"] == 60
    assert result.low == 0


def test_saturation_is_warned_about() -> None:
    rng = np.random.default_rng(0)
    result = ProxyA().measure(sample(rng.normal(size=(80, 3))), sample(rng.normal(9, 1, size=(80, 3))))
    assert result.value > 1.9
    assert "saturated" in result.warning


def test_an_error_of_one_half_is_distance_zero() -> None:
    assert [a_distance(error) for error in (0, 0.25, 0.5, 0.7)] == [2, 1, 0, 0]
