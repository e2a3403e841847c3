"""kliep and ulsif against naive loops, a general optimiser and densities that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm, spearmanr

from acclimate.select.importance import kliep, ulsif
from acclimate.select.importance.gaussian import gaussian, median_distance
from acclimate.select.similarity.cosine import unit_rows

RNG = np.random.default_rng(0)
SOURCE, TARGET = RNG.normal(0, 1, (40, 2)), RNG.normal(0.5, 0.7, (25, 2))
PHI_SOURCE, PHI_TARGET = gaussian(SOURCE, TARGET[:10], 0.5), gaussian(TARGET, TARGET[:10], 0.5)


def test_gaussian_values_are_those_of_the_formula() -> None:
    expected = [[np.exp(-np.sum((x - y) ** 2) / (2 * 0.3)) for y in TARGET] for x in SOURCE]
    assert gaussian(SOURCE, TARGET, 0.3) == pytest.approx(np.array(expected), abs=1e-12)


def test_gaussian_values_of_unit_rows_have_the_same_bits_in_any_block() -> None:
    rows = unit_rows(RNG.normal(size=(1500, 384)).astype(np.float32))
    whole = gaussian(rows, rows[:50], 0.4)
    single = np.concatenate([gaussian(rows[row : row + 1], rows[:50], 0.4) for row in range(0, 1500, 100)])
    assert whole[::100].tobytes() == single.tobytes()


def test_the_median_is_over_pairs_of_distinct_rows_of_both_domains() -> None:
    rows = np.concatenate([SOURCE, TARGET])
    pairs = [np.sum((rows[i] - rows[j]) ** 2) for i in range(len(rows)) for j in range(i)]
    assert median_distance(SOURCE, TARGET) == pytest.approx(np.median(pairs), rel=0.01)
    assert median_distance(SOURCE[:1], SOURCE[:1]) == 1.0


@pytest.mark.parametrize(("n", "m"), [(40, 25), (12, 25)])
def test_ulsif_leave_one_out_is_what_refitting_without_each_pair_gives(n: int, m: int) -> None:
    source, target = PHI_SOURCE[:n], PHI_TARGET[:m]
    losses = []
    for i in range(min(n, m)):
        others_source, others_target = np.delete(source, i, axis=0), np.delete(target, i, axis=0)
        H = sum(np.outer(row, row) for row in others_source) / (n - 1)
        alpha = np.linalg.inv(H + 0.1 * np.eye(10)) @ (sum(others_target) / (m - 1))
        alpha = np.maximum(alpha, 0)
        losses.append((source[i] @ alpha) ** 2 / 2 - target[i] @ alpha)
    assert ulsif.leave_one_out(source, target, 0.1) == pytest.approx(np.mean(losses), rel=1e-9)


def test_ulsif_minimises_the_penalised_squared_error_before_it_clips() -> None:
    def loss(alpha: np.ndarray) -> float:
        return float(np.mean((PHI_SOURCE @ alpha) ** 2) / 2 - np.mean(PHI_TARGET @ alpha) + 0.1 * alpha @ alpha / 2)

    best = minimize(loss, np.zeros(10), method="BFGS", options={"gtol": 1e-9}).x
    assert ulsif.coefficients(PHI_SOURCE, PHI_TARGET, 0.1) == pytest.approx(np.maximum(best, 0), abs=1e-5)


def test_kliep_reaches_the_optimum_that_a_general_optimiser_finds() -> None:
    means = PHI_SOURCE.mean(axis=0)
    best = minimize(
        lambda alpha: -np.mean(np.log(PHI_TARGET @ alpha)),
        np.full(10, 1 / means.sum()),
        method="SLSQP",
        bounds=[(1e-9, None)] * 10,
        constraints={"type": "eq", "fun": lambda alpha: alpha @ means - 1},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    alpha = kliep.coefficients(means, PHI_TARGET, tolerance=1e-6)
    assert alpha @ means == pytest.approx(1)
    assert np.mean(np.log(PHI_TARGET @ alpha)) == pytest.approx(-best.fun, abs=1e-5)


def test_kliep_stops_no_further_below_the_optimum_than_its_tolerance() -> None:
    means = PHI_SOURCE.mean(axis=0)
    exact, rough = (np.log(PHI_TARGET @ kliep.coefficients(means, PHI_TARGET, tolerance=t)).mean() for t in (1e-7, 1e-2))
    assert 0 <= exact - rough <= 1e-2


def test_kliep_holds_out_each_fold_once() -> None:
    means, fold = PHI_SOURCE.mean(axis=0), np.arange(25) % 5
    logs = []
    for row in range(25):
        alpha = kliep.coefficients(means, np.stack([PHI_TARGET[j] for j in range(25) if fold[j] != fold[row]]))
        logs.append(np.log(PHI_TARGET[row] @ alpha))
    assert kliep.held_out_likelihood(means, PHI_TARGET) == pytest.approx(np.mean(logs), rel=1e-9)


@pytest.mark.parametrize(("method", "least"), [("kliep", 0.97), ("ulsif", 0.9)])
def test_the_ratio_of_two_known_gaussians_is_recovered(method: str, least: float) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 1, (800, 1)), rng.normal(0.7, 0.6, (400, 1))
    bandwidths = [0.02, 0.1, 0.3, 1.0]
    ratio = kliep.fit_ratio(x, y, y[:100], bandwidths) if method == "kliep" else ulsif.fit_ratio(x, y, y[:100], bandwidths)[0]
    grid = np.linspace(-2, 2, 81)[:, None]
    truth = (norm.pdf(grid, 0.7, 0.6) / norm.pdf(grid, 0, 1)).ravel()
    assert np.corrcoef(ratio(grid), truth)[0, 1] > least
    assert spearmanr(ratio(grid), truth).statistic > 0.9
    assert ratio(x).mean() == pytest.approx(1, abs=0.15)


def test_one_row_on_a_side_gets_the_widest_bandwidth_and_a_finite_ratio() -> None:
    wide = ulsif.fit_ratio(SOURCE[:1], TARGET, TARGET[:5], [0.1, 0.4])[0]
    assert wide.bandwidth == 0.4
    assert np.isfinite(wide(SOURCE)).all()
    assert kliep.fit_ratio(SOURCE, TARGET[:1], TARGET[:1], [0.1, 0.4]).bandwidth == 0.4
