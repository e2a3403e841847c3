"""Kernels and distances of distributions, written once: gap measures read them as numbers, objectives back-propagate through them.

Everything takes and gives torch tensors. Kernels are functions of *squared* Euclidean distances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

#: Multiples of the median bandwidth in a bank of kernels. Long 2015 spans 2⁻⁸ to 2⁸ in steps of 2^½, 33 kernels; these five powers
#: of two around the median cost a sixth of that.
BANK = (0.25, 0.5, 1.0, 2.0, 4.0)

#: Squared distances of any shape to kernel values of the same shape.
Kernel = Callable[[Tensor], Tensor]


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Squared Euclidean distances ``(n, m)`` between the rows of ``x (n, d)`` and ``y (m, d)``, never negative."""
    centre = y.mean(0, keepdim=True).detach()  # distances do not change; the cancellation below loses fewer digits
    x, y = x - centre, y - centre
    distances = x.square().sum(1)[:, None] + y.square().sum(1)[None, :] - 2 * (x @ y.T)
    return distances.clamp_min(0)


def median_bandwidth(distances: Tensor) -> Tensor:
    """The median heuristic (Gretton 2012): the median squared distance between distinct points, a scalar.

    Args:
        distances: squared distances among all points together, ``(n, n)``, ``n ≥ 2``.
    Returns:
        the bandwidth of :func:`rbf`, without gradient; where more than half of the pairs coincide the mean of the distances that
        are not zero, and 1 where all points coincide.
    """
    n = len(distances)
    above = torch.ones(n, n, dtype=torch.bool, device=distances.device).triu(1)
    pairs = distances.detach()[above]
    median = pairs.median()
    if median > 0:
        return median
    positive = pairs[pairs > 0]
    return positive.mean() if len(positive) else torch.ones_like(median)


def rbf(bandwidth: Tensor | float) -> Kernel:
    """``k(x, y) = exp(−‖x − y‖² / (2·bandwidth))`` (Gretton 2012), the bandwidth being σ²."""
    return lambda distances: torch.exp(-distances / (2 * bandwidth))


def kernel_bank(bandwidth: Tensor | float, factors: Sequence[float] = BANK) -> Kernel:
    """The mean of RBF kernels over multiples of one bandwidth (Long 2015, with equal coefficients).

    Use when no single width is known to fit; a bank is sensitive to differences at several scales at once.
    """

    def kernel(distances: Tensor) -> Tensor:
        total = torch.zeros_like(distances)
        for factor in factors:  # one at a time: stacking them would hold all of them in memory
            total = total + rbf(bandwidth * factor)(distances)
        return total / len(factors)

    return kernel


def mmd2_biased(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    """Squared maximum mean discrepancy, biased, never negative (Gretton 2012, eq. 5), from kernel matrices of all pairs."""
    return k_xx.mean() + k_yy.mean() - 2 * k_xy.mean()


def mmd2_unbiased(k_xx: Tensor, k_yy: Tensor, k_xy: Tensor) -> Tensor:
    """Squared maximum mean discrepancy, unbiased, negative where samples are closer than chance (Gretton 2012, eq. 3).

    Needs at least two rows on each side.
    """
    n, m = len(k_xx), len(k_yy)
    within_x = (k_xx.sum() - k_xx.diagonal().sum()) / (n * (n - 1))
    within_y = (k_yy.sum() - k_yy.diagonal().sum()) / (m * (m - 1))
    return within_x + within_y - 2 * k_xy.mean()


def mmd2_linear_terms(x: Tensor, y: Tensor, kernel: Kernel) -> Tensor:
    """The independent terms ``h`` whose mean is the linear-time estimate of the squared MMD (Gretton 2012, lemma 14).

    Rows are taken in pairs, ``h_i = k(x₁,x₂) + k(y₁,y₂) − k(x₁,y₂) − k(x₂,y₁)``; what is left over is not used.

    Args:
        x, y: ``(n, d)`` and ``(m, d)`` in random order, at least two rows each.
    Returns:
        ``(min(n, m) // 2,)``
    """
    pairs = min(len(x), len(y)) // 2
    x1, x2 = x[: 2 * pairs : 2], x[1 : 2 * pairs : 2]
    y1, y2 = y[: 2 * pairs : 2], y[1 : 2 * pairs : 2]

    def k(a: Tensor, b: Tensor) -> Tensor:
        return kernel((a - b).square().sum(1))

    return k(x1, x2) + k(y1, y2) - k(x1, y2) - k(x2, y1)


def covariance(x: Tensor) -> Tensor:
    """The unbiased covariance ``(d, d)`` of the rows of ``x (n, d)``, ``n ≥ 2`` (Sun & Saenko 2016, eq. 2–3)."""
    centred = x - x.mean(0, keepdim=True)
    return centred.T @ centred / (len(x) - 1)


def coral_distance(x: Tensor, y: Tensor) -> Tensor:
    """``‖C_x − C_y‖²_F / (4 d²)`` between the covariances of ``x (n, d)`` and ``y (m, d)`` (Sun & Saenko 2016, eq. 1)."""
    return (covariance(x) - covariance(y)).square().sum() / (4 * x.shape[1] ** 2)
