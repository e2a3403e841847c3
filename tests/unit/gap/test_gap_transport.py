"""The Wasserstein and Fréchet distances against POT's exact solver, scipy's matrix root and closed forms."""

from __future__ import annotations

import sys

import numpy as np
import ot
import pytest
import scipy.linalg

from acclimate.data.domain import from_columns
from acclimate.errors import InputError, MissingExtraError
from acclimate.gap.base import Sample
from acclimate.gap.frechet import Frechet, frechet_terms
from acclimate.gap.wasserstein import Wasserstein, directions, sinkhorn_divergence, split_distances

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), RNG.normal(size=(25, 3)) * 1.5 + [1.0, 0.0, 0.0]


def sample(vectors: np.ndarray) -> Sample:
    return Sample(from_columns("s", ["a text"] * len(vectors)), vectors.astype(np.float32))


def first(*sizes: int) -> np.ndarray:
    return np.repeat([1.0, 0.0], sizes)[None]


def test_the_distance_on_a_line_is_that_of_exact_transport() -> None:
    a, b = X[:, :1], Y[:, :1]
    cost = ot.dist(a, b, metric="euclidean")
    exact = ot.emd2(np.full(40, 1 / 40), np.full(25, 1 / 25), cost)
    assert split_distances(np.concatenate([a, b]), first(40, 25))[0] == pytest.approx(exact)


def test_the_sliced_distance_is_that_of_pot_on_the_same_directions() -> None:
    along = directions(30, 3, np.random.default_rng(1))
    assert np.linalg.norm(along, axis=0) == pytest.approx(1)
    expected = ot.sliced_wasserstein_distance(X, Y, projections=along, p=1)
    assert split_distances(np.concatenate([X, Y]) @ along, first(40, 25))[0] == pytest.approx(expected)


def test_many_splits_at_once_are_the_same_as_one_after_another() -> None:
    splits = np.array([RNG.permutation(first(40, 25)[0]) for _ in range(5)])
    projected = RNG.normal(size=(65, 4))
    assert split_distances(projected, splits) == pytest.approx([split_distances(projected, row[None])[0] for row in splits])


def test_the_sinkhorn_divergence_is_near_the_exact_cost_and_zero_for_equal_samples() -> None:
    exact = ot.emd2(np.full(40, 1 / 40), np.full(25, 1 / 25), ot.dist(X, Y))
    assert sinkhorn_divergence(X, Y) == pytest.approx(exact, rel=0.1)
    assert sinkhorn_divergence(X, X) == pytest.approx(0, abs=1e-9)


def test_a_point_far_out_does_not_break_the_entropic_distance() -> None:
    out = np.concatenate([X, [[400.0, 0.0, 0.0]]])
    exact = ot.emd2(np.full(41, 1 / 41), np.full(25, 1 / 25), ot.dist(out, Y))
    assert sinkhorn_divergence(out, Y) == pytest.approx(exact, rel=0.1)


def test_moving_every_point_by_the_same_step_costs_the_step() -> None:
    step = np.array([3.0, 0.0, -4.0])
    assert sinkhorn_divergence(X, X + step) == pytest.approx(25, rel=0.01)
    result = Wasserstein(estimator="entropic").measure(sample(X), sample(X + step))
    assert result.value == pytest.approx(5, rel=0.01)


def test_the_entropic_distance_takes_at_most_so_many_rows() -> None:
    result = Wasserstein(estimator="entropic", rows=10).measure(sample(X), sample(Y[:8]))
    assert result.details["rows"] == [10, 8]


def test_without_pot_the_entropic_distance_says_which_extra_it_needs_and_the_sliced_one_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(MissingExtraError, match=r"acclimate\[ot\]"):
        Wasserstein(estimator="entropic").measure(sample(X), sample(Y))
    assert Wasserstein().measure(sample(X), sample(Y)).value > 0


def test_the_frechet_distance_is_that_of_scipys_matrix_root() -> None:
    a, b = np.cov(X, rowvar=False), np.cov(Y, rowvar=False)
    means, covariances = frechet_terms(X.mean(0), a, Y.mean(0), b)
    assert means == pytest.approx(((X.mean(0) - Y.mean(0)) ** 2).sum())
    assert covariances == pytest.approx(np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b)).real)


def test_the_frechet_distance_of_gaussians_on_axes_is_that_of_their_deviations() -> None:
    means, covariances = frechet_terms(np.zeros(2), np.diag([4.0, 1.0]), np.array([0.0, 2.0]), np.diag([9.0, 0.0]))
    assert (means, covariances) == pytest.approx((4, 1 + 1))


def test_no_more_rows_than_dimensions_are_warned_about() -> None:
    wide = RNG.normal(size=(60, 60))
    assert "60 dimensions" in Frechet().measure(sample(wide), sample(wide + 1)).warning
    tall = RNG.normal(size=(61, 60))
    assert not Frechet().measure(sample(tall), sample(tall + 1)).warning


@pytest.mark.parametrize("settings", [{"estimator": "exact"}, {"directions": 0}, {"permutations": 0}, {"rows": 1}])
def test_settings_that_mean_nothing_are_refused(settings: dict) -> None:
    with pytest.raises(InputError):
        Wasserstein(**settings)
