"""Kernel mean matching against a general solver of quadratic programmes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

from acclimate.errors import InputError
from acclimate.select.importance.gaussian import gaussian
from acclimate.select.importance.kmm import Bounds, Kmm, alike, duality_gap, match, minimise, multiply, step

RNG = np.random.default_rng(0)
SOURCE, TARGET = RNG.normal(0, 1, (30, 2)), RNG.normal(0.6, 0.6, (12, 2))
K = gaussian(SOURCE, SOURCE, 0.5)
KAPPA = 30 * gaussian(SOURCE, TARGET, 0.5).mean(axis=1)
#: Nothing binds but 0; the upper bound binds; the sum binds from above, and from below.
PROGRAMMES = [Bounds(1000, 5, 55), Bounds(1.7, 5, 55), Bounds(1000, 5, 20), Bounds(1000, 40, 55), Bounds(1.2, 33, 34)]


def allowed(weights: np.ndarray, bounds: Bounds) -> bool:
    close = 1e-9
    inside = (weights >= 0).all() and (weights <= bounds.upper + close).all()
    return bool(inside and bounds.least - close * 30 <= weights.sum() <= bounds.most + close * 30)


def by_scipy(bounds: Bounds) -> float:
    found = minimize(
        lambda b: b @ K @ b / 2 - KAPPA @ b,
        np.full(30, bounds.least / 30),
        jac=lambda b: K @ b - KAPPA,
        method="SLSQP",
        bounds=[(0, bounds.upper)] * 30,
        constraints=[
            {"type": "ineq", "fun": lambda b: b.sum() - bounds.least, "jac": lambda _: np.ones(30)},
            {"type": "ineq", "fun": lambda b: bounds.most - b.sum(), "jac": lambda _: -np.ones(30)},
        ],
        options={"ftol": 1e-13, "maxiter": 1000},
    )
    assert found.success
    return float(found.fun)


@pytest.mark.parametrize("bounds", PROGRAMMES)
def test_the_programme_reaches_the_optimum_that_a_general_solver_finds(bounds: Bounds) -> None:
    start = np.full(30, min(bounds.upper, bounds.most / 30))
    solution = minimise(K, KAPPA, bounds, start, tolerance=1e-8)
    assert allowed(solution.weights, bounds)
    assert solution.objective == pytest.approx(by_scipy(bounds), abs=1e-6)
    assert solution.gap <= 1e-8
    assert solution.gradient == pytest.approx(K @ solution.weights - KAPPA, abs=1e-9)


@pytest.mark.parametrize("bounds", PROGRAMMES)
def test_the_gap_is_that_of_a_linear_programme_and_bounds_the_distance_to_the_optimum(bounds: Bounds) -> None:
    weights = np.full(30, (bounds.least + bounds.most) / 60)
    gradient = K @ weights - KAPPA
    rows = np.array([np.ones(30), -np.ones(30)])
    best = linprog(gradient, A_ub=rows, b_ub=[bounds.most, -bounds.least], bounds=[(0, bounds.upper)] * 30)
    gap = duality_gap(weights, gradient, bounds)
    assert gap == pytest.approx(gradient @ weights - best.fun, abs=1e-7)
    assert gap >= weights @ K @ weights / 2 - KAPPA @ weights - by_scipy(bounds)


@pytest.mark.parametrize("bounds", PROGRAMMES)
def test_a_step_minimises_its_model_over_what_is_allowed(bounds: Bounds) -> None:
    point, gradient = RNG.normal(1, 1, 30), RNG.normal(0, 3, 30)
    found = step(point, gradient, 2.0, 0.4, bounds)
    assert allowed(found, bounds)
    # Where the model's own gradient says that nothing allowed is better, the step is its minimum.
    slope = gradient + 2.0 * (found - point) + 0.4 * (found.sum() - point.sum())
    assert duality_gap(found, slope, bounds) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("working", [4, 10])
def test_working_sets_solve_the_whole_programme(working: int) -> None:
    bounds = Bounds(1000, 5, 55)
    matching = match(SOURCE, TARGET, 0.5, bounds, working=working, relative=0, absolute=1e-10)
    whole = 2 * by_scipy(bounds) / 30**2 + gaussian(TARGET, TARGET, 0.5).mean()
    assert matching.after == pytest.approx(whole, abs=1e-8)
    assert matching.gap <= 1e-10
    assert matching.surplus == pytest.approx((K @ matching.weights - KAPPA) / 30, abs=1e-9)
    naive = np.mean([[K[i, j] for i in range(30)] for j in range(30)]) - 2 * KAPPA.mean() / 30
    assert matching.before == pytest.approx(naive + gaussian(TARGET, TARGET, 0.5).mean())


def test_weights_recover_how_much_likelier_a_value_is_in_the_target() -> None:
    rng = np.random.default_rng(3)
    source, target = rng.integers(0, 4, 400).astype(float), rng.choice(4, 400, p=[0.5, 0.3, 0.2, 0]).astype(float)
    matching = match(source[:, None], target[:, None], 0.1, Bounds(1000, 20, 780))
    for value in range(4):
        wanted = (target == value).mean() / (source == value).mean()
        assert matching.weights[source == value].mean() == pytest.approx(wanted, abs=0.1)


def test_the_product_skips_zeros_and_nothing_else() -> None:
    vector = np.where(RNG.random(30) < 0.7, 0.0, RNG.normal(size=30))
    assert multiply(K, vector) == pytest.approx(K @ vector)


def test_equal_examples_share_their_weight() -> None:
    rows = np.array([[1.0, 0], [0, 1], [1, 0]])
    assert alike(rows, np.array([1.0, 5, 4])).tolist() == [2.5, 5, 2.5]


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(InputError, match=r"upper=0\.5"):
        Kmm(lambda contents: np.zeros((len(contents), 2), np.float32), upper=0.5)
