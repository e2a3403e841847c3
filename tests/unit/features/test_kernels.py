"""Kernel formulas against naive double loops and numpy; and gradients that an objective can use."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from acclimate.features import kernels

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(7, 3)), RNG.normal(0.5, 2, size=(5, 3))


def k(a: np.ndarray, b: np.ndarray, bandwidth: float = 1.7) -> float:
    return math.exp(-sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) / (2 * bandwidth))


def matrices(x: np.ndarray, y: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    kernel = kernels.rbf(1.7)
    tensors = [torch.tensor(a) for a in (x, y)]
    pairs = [(0, 0), (1, 1), (0, 1)]
    xx, yy, xy = (kernel(kernels.squared_distances(tensors[i], tensors[j])) for i, j in pairs)
    return xx, yy, xy


def test_squared_distances_equal_a_double_loop() -> None:
    loop = [[sum((a - b) ** 2) for b in Y] for a in X]
    np.testing.assert_allclose(kernels.squared_distances(torch.tensor(X), torch.tensor(Y)).numpy(), loop, rtol=1e-12)


def test_squared_distances_keep_their_digits_far_from_the_origin() -> None:
    x, y = torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.float32)
    moved = kernels.squared_distances(x + 1000, y + 1000)
    torch.testing.assert_close(moved, kernels.squared_distances(x, y), rtol=1e-3, atol=1e-3)


def test_unbiased_mmd_equals_a_double_loop_without_the_diagonal() -> None:
    n, m = len(X), len(Y)
    xx = sum(k(X[i], X[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(Y[i], Y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    xy = sum(k(a, b) for a in X for b in Y) / (n * m)
    assert kernels.mmd2_unbiased(*matrices(X, Y)).item() == pytest.approx(xx + yy - 2 * xy, rel=1e-12)


def test_biased_mmd_equals_a_double_loop_with_the_diagonal_and_is_zero_for_equal_samples() -> None:
    xx, yy, xy = (np.mean([[k(a, b) for b in q] for a in p]) for p, q in ((X, X), (Y, Y), (X, Y)))
    assert kernels.mmd2_biased(*matrices(X, Y)).item() == pytest.approx(xx + yy - 2 * xy, rel=1e-12)
    assert kernels.mmd2_biased(*matrices(X, X)).item() == pytest.approx(0, abs=1e-15)


def test_linear_terms_equal_a_loop_over_pairs() -> None:
    terms = kernels.mmd2_linear_terms(torch.tensor(X), torch.tensor(Y), kernels.rbf(1.7)).tolist()
    loop = [
        k(X[i], X[i + 1]) + k(Y[i], Y[i + 1]) - k(X[i], Y[i + 1]) - k(X[i + 1], Y[i]) for i in (0, 2)
    ]  # five rows of Y make two pairs
    assert terms == pytest.approx(loop, rel=1e-12)


def test_the_median_bandwidth_is_the_median_over_distinct_pairs() -> None:
    points = torch.tensor([[0.0], [1.0], [3.0]])  # squared distances 1, 9, 4
    assert kernels.median_bandwidth(kernels.squared_distances(points, points)).item() == pytest.approx(4)


def test_the_median_bandwidth_is_never_zero() -> None:
    mostly_equal = torch.tensor([[0.0]] * 9 + [[2.0]])
    assert kernels.median_bandwidth(kernels.squared_distances(mostly_equal, mostly_equal)).item() == pytest.approx(4)
    assert kernels.median_bandwidth(torch.zeros(3, 3)).item() == 1


def test_a_bank_is_the_mean_of_its_kernels() -> None:
    distances = torch.tensor([0.0, 1.0, 5.0])
    expected = np.mean([[math.exp(-d / (2 * 3.0 * f)) for d in (0, 1, 5)] for f in kernels.BANK], axis=0)
    np.testing.assert_allclose(kernels.kernel_bank(3.0)(distances).numpy(), expected, rtol=1e-6)


def test_coral_equals_numpy_covariances() -> None:
    expected = np.sum((np.cov(X.T) - np.cov(Y.T)) ** 2) / (4 * 3**2)
    assert kernels.coral_distance(torch.tensor(X), torch.tensor(Y)).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["biased", "unbiased", "linear", "coral"])
def test_gradients_are_right_even_where_points_coincide(name: str) -> None:
    y = torch.tensor(Y)

    def distance(x: torch.Tensor) -> torch.Tensor:
        kernel = kernels.kernel_bank(1.7)
        if name == "coral":
            return kernels.coral_distance(x, y)
        if name == "linear":
            return kernels.mmd2_linear_terms(x, y, kernel).mean()
        formula = {"biased": kernels.mmd2_biased, "unbiased": kernels.mmd2_unbiased}[name]
        pairs = ((x, x), (y, y), (x, y))
        k_xx, k_yy, k_xy = (kernel(kernels.squared_distances(a, b)) for a, b in pairs)
        return formula(k_xx, k_yy, k_xy)

    start = torch.tensor(X, requires_grad=True)
    assert torch.autograd.gradcheck(distance, (start,))
    twins = torch.tensor(Y[[0, 0, 1, 1, 2]], requires_grad=True)
    distance(twins).backward()
    assert twins.grad is not None
    assert torch.isfinite(twins.grad).all()
