"""Unconstrained least-squares importance fitting (uLSIF): the density ratio as a sum of Gaussians, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.engine.threads import one_thread
from acclimate.errors import InputError
from acclimate.features.base import Embed
from acclimate.select.base import Need, Trait
from acclimate.select.importance.gaussian import FACTORS, GaussianSum, gaussian, median_distance, vectors
from acclimate.select.similarity.cosine import unit_rows

#: Strengths of the penalty that are tried, as in the authors' code (10^-3 to 10^1).
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


def coefficients(source: NDArray[np.float64], target: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
    """``alpha`` of the ratio target / source: ``max(0, (H + penalty I)^-1 h)`` (Kanamori et al. 2009, eq. 8 and 9).

    ``H`` is the mean of ``phi phi'`` over the source and ``h`` the mean of ``phi`` over the target.

    Args:
        source, target: values of the basis functions, ``(n, b)`` and ``(m, b)``.
        penalty: above 0.
    """
    H = source.T @ source / len(source)
    alpha: NDArray[np.float64] = np.linalg.solve(H + penalty * np.eye(len(H)), target.mean(axis=0))
    return np.maximum(alpha, 0)


def leave_one_out(source: NDArray[np.float64], target: NDArray[np.float64], penalty: float) -> float:
    """The mean of ``r(x_i)^2 / 2 - r(y_i)`` with ``r`` fitted without ``x_i`` and ``y_i``, from one inverse.

    Kanamori et al. 2009, §3.3. The ``i``-th rows of source and target are left out together, for the first ``min(n, m)`` rows.

    Args:
        source, target: values of the basis functions, ``(n, b)`` and ``(m, b)``, at least two rows each.
        penalty: above 0.
    """
    n, m, pairs = len(source), len(target), min(len(source), len(target))
    B = source.T @ source / n + penalty * (n - 1) / n * np.eye(source.shape[1])
    h = target.mean(axis=0)
    X, Y = source[:pairs].T, target[:pairs].T  # (b, pairs), as in the paper
    solved = np.linalg.solve(B, np.column_stack([h, X, Y]))
    Bh, BX, BY = solved[:, 0], solved[:, 1 : 1 + pairs], solved[:, 1 + pairs :]
    slack = n - (X * BX).sum(axis=0)  # Sherman-Morrison's denominator
    B0 = Bh[:, None] + BX * (h @ BX / slack)
    B1 = BY + BX * ((Y * BX).sum(axis=0) / slack)
    alphas = np.maximum((n - 1) / (n * (m - 1)) * (m * B0 - B1), 0)
    on_source, on_target = (X * alphas).sum(axis=0), (Y * alphas).sum(axis=0)
    return float((on_source @ on_source / 2 - on_target.sum()) / pairs)


def fit_ratio(
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    centres: NDArray[np.float64],
    bandwidths: Sequence[float],
    penalties: Sequence[float] = PENALTIES,
) -> tuple[GaussianSum, float]:
    """The ratio target / source at the bandwidth and penalty with the least leave-one-out error, and that penalty.

    With fewer than two rows on a side nothing can be left out: then the largest of both.

    Args:
        source, target, centres: ``(n, d)``, ``(m, d)`` and ``(b, d)``; the order of the rows must mean nothing.
    """
    best = (np.inf, bandwidths[-1], penalties[-1])
    if min(len(source), len(target)) > 1:
        for bandwidth in bandwidths:
            values = gaussian(source, centres, bandwidth), gaussian(target, centres, bandwidth)
            best = min([best, *((leave_one_out(*values, penalty), bandwidth, penalty) for penalty in penalties)])
    _, bandwidth, penalty = best
    alpha = coefficients(gaussian(source, centres, bandwidth), gaussian(target, centres, bandwidth), penalty)
    return GaussianSum(centres, alpha, bandwidth), penalty


class Ulsif:
    """Score of ``x``: the ratio ``p(x | target) / p(x | source)`` of densities in embedding space (labels are not used).

    The ratio is a sum of Gaussians about target examples whose squared error against the true ratio is least; the solution is a
    linear system, and so is its error with one example left out, which chooses bandwidth and penalty. The ratio is never of a
    density by itself: that would be hopeless in hundreds of dimensions.

    Reference: Kanamori, Hido & Sugiyama 2009, "A least-squares approach to direct importance estimation", JMLR 10.

    Use when: weights are wanted, source and target overlap, and seconds matter: the cheapest of kmm, kliep and ulsif.
    Avoid when: hardly any source example is like the target; the ratio is then near 0 almost everywhere, and its order is noise.

    Args:
        embed: examples to vectors.
        centres: target examples about which the Gaussians lie, drawn where there are more; 100, as in the paper.
        seed: of that draw.

    Cost: linear in the source; 16,000 source and 1,000 target examples of 384 numbers take 2 CPU seconds.
    """

    needs: ClassVar[tuple[Need, ...]] = ("embeddings",)
    traits: ClassVar[tuple[Trait, ...]] = ("weighs",)
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Kanamori et al. 2009"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "least-squares density ratio in closed form, target against source"
    summary_zh: ClassVar[str] = "最小二乘密度比（闭式解），目标域对比源域"

    def __init__(self, embed: Embed, centres: int = 100, seed: int = 0) -> None:
        if centres < 1:
            raise InputError(f"ulsif with centres={centres}", expected="at least 1", fix="leave the default")
        self.embed, self.centres, self.seed = embed, centres, seed

    def fit(self, source: Domain, target: Target) -> Self:
        with one_thread():
            _, x = vectors(self.embed, source, self.seed)
            self._ids, y = vectors(self.embed, target.inputs, self.seed)
            bandwidths = [factor * median_distance(x, y) for factor in FACTORS]
            self._ratio, _ = fit_ratio(x, y, y[: self.centres], bandwidths)
        return self

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """The density ratio, ``(n,)``, not negative; 1 is as likely in the target as in the source."""
        return self._ratio(unit_rows(self.embed(batch.contents))) if len(batch) else np.zeros(0)

    def weights(self, batch: Domain) -> NDArray[np.float64]:
        """The density ratio, ``(n,)``."""
        return self.score(batch)

    def reasons(self, batch: Domain) -> list[str]:
        """The ratio, and the target example that adds most to it."""
        return self._ratio.reasons(unit_rows(self.embed(batch.contents)), self._ids) if len(batch) else []
