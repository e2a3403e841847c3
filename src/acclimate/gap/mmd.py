"""Maximum mean discrepancy between the embeddings of two domains, with a permutation test."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from acclimate.errors import InputError, unknown_name
from acclimate.features.kernels import Kernel, kernel_bank, median_bandwidth, mmd2_linear_terms, rbf, squared_distances
from acclimate.gap.base import GapResult, Sample, check_sizes
from acclimate.gap.permutation import p_value, statistics_by_chance

#: Permutations whose statistics are computed by one matrix product; bounds memory.
CHUNK = 50


def split_statistics(kernel_matrix: Tensor, first: Tensor) -> Tensor:
    """The unbiased squared MMD of many ways to split one set of points in two (Gretton 2012, eq. 3).

    The kernel matrix is read, never recomputed: one matrix product serves all splits.

    Args:
        kernel_matrix: of all points together, ``(N, N)``.
        first: ``(b, N)``, 1 where a point belongs to the first side and 0 elsewhere; at least two points on each side.
    Returns:
        ``(b,)``
    """
    diagonal, rows = kernel_matrix.diagonal(), kernel_matrix.sum(1)
    n = first.sum(1)
    m = first.shape[1] - n
    within_first = ((first @ kernel_matrix) * first).sum(1)
    across = first @ rows - within_first
    within_second = rows.sum() - within_first - 2 * across
    own_first = first @ diagonal
    own_second = diagonal.sum() - own_first
    return (within_first - own_first) / (n * (n - 1)) + (within_second - own_second) / (m * (m - 1)) - 2 * across / (n * m)


class Mmd:
    """Squared maximum mean discrepancy.

    Use when: you want one number for any difference between two distributions of vectors, and to know whether it is chance.
    Avoid when: a side has more than some 10,000 rows (use ``estimator="linear"``, or sample); values under different models or
    bandwidths are not comparable.

    Args:
        kernel: ``rbf`` with the median heuristic, or ``bank``, the mean of five widths (Long 2015).
        estimator: ``unbiased`` (all pairs, permutation p-value), or ``linear`` (linear time and memory; p-value and interval from
            the normal limit, Gretton 2012, corollary 16; less powerful).
        permutations: of the test; the smallest p-value is 1 / (permutations + 1).
    """

    paper: ClassVar[str] = "Gretton et al. 2012; Long et al. 2015"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Maximum mean discrepancy of embeddings, with a permutation p-value."
    summary_zh: ClassVar[str] = "嵌入向量的最大均值差异（MMD），附置换检验 p 值。"
    needs_embeddings: ClassVar[bool] = True
    uses_source_labels: ClassVar[bool] = False

    def __init__(self, kernel: str = "rbf", estimator: str = "unbiased", permutations: int = 200) -> None:
        if kernel not in ("rbf", "bank"):
            raise unknown_name("kernel", kernel, ("rbf", "bank"))
        if estimator not in ("unbiased", "linear"):
            raise unknown_name("estimator", estimator, ("unbiased", "linear"))
        if permutations < 1:
            raise InputError(f"permutations {permutations}", expected="at least 1, better 200")
        self.kernel = kernel
        self.estimator = estimator
        self.permutations = permutations

    def measure(self, source: Sample, target: Sample, *, seed: int = 0) -> GapResult:
        """The squared MMD; about zero, also slightly negative, for samples of one distribution."""
        warning = check_sizes(source, target)
        x, y = torch.from_numpy(source.embedded()).float(), torch.from_numpy(target.embedded()).float()
        if self.estimator == "linear":
            return self._linear(x, y, warning, np.random.default_rng(seed))
        both = torch.cat([x, y])
        distances = squared_distances(both, both)
        bandwidth = float(median_bandwidth(distances))
        matrix = self._kernel(bandwidth)(distances).double()  # kernel values bear float32, the sums over millions of them do not
        observed = torch.zeros(1, len(both), dtype=matrix.dtype)
        observed[0, : len(x)] = 1
        value = float(split_statistics(matrix, observed))
        by_chance = statistics_by_chance(
            lambda splits: split_statistics(matrix, torch.from_numpy(splits)).numpy(),
            (len(x), len(y)),
            permutations=self.permutations,
            seed=seed,
            chunk=CHUNK,
        )
        details = self._details(value, bandwidth) | {"permutations": self.permutations, "largest_by_chance": float(by_chance.max())}
        return GapResult("mmd", value, p_value=p_value(value, by_chance), warning=warning, details=details)

    def _linear(self, x: Tensor, y: Tensor, warning: str, rng: np.random.Generator) -> GapResult:
        from scipy import stats

        x, y = x[rng.permutation(len(x))], y[rng.permutation(len(y))]
        some = torch.cat([x[:500], y[:500]])  # enough points for a median, so that time stays linear
        bandwidth = float(median_bandwidth(squared_distances(some, some)))
        terms = mmd2_linear_terms(x, y, self._kernel(bandwidth)).numpy()
        value = float(terms.mean())
        error = float(terms.std(ddof=1) / np.sqrt(len(terms))) if len(terms) > 1 else float("inf")
        if not np.isfinite(error):
            return GapResult("mmd", value, warning=warning, details=self._details(value, bandwidth))
        chance = float(stats.norm.sf(value / error)) if error > 0 else float(value <= 0)
        low, high = value - 1.96 * error, value + 1.96 * error
        return GapResult("mmd", value, low, high, chance, warning, self._details(value, bandwidth))

    def _kernel(self, bandwidth: float) -> Kernel:
        return rbf(bandwidth) if self.kernel == "rbf" else kernel_bank(bandwidth)

    def _details(self, value: float, bandwidth: float) -> dict[str, float | str]:
        root = float(np.sqrt(max(value, 0)))
        return {"mmd": root, "bandwidth": bandwidth, "kernel": self.kernel, "estimator": self.estimator}
