"""Kullback-Leibler importance estimation (KLIEP): the density ratio under which the target is most likely."""

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

#: Folds of target examples for the bandwidth, as in the authors' code.
FOLDS = 5
#: Nats per target example that a fit may lie below the best one, and the steps after which it stops in any case.
TOLERANCE, STEPS = 1e-3, 5000
#: In place of zeros that are divided by or whose logarithm is taken.
_TINY = 1e-300


def coefficients(
    source_means: NDArray[np.float64], target: NDArray[np.float64], *, tolerance: float = TOLERANCE, steps: int = STEPS
) -> NDArray[np.float64]:
    """``alpha (b,)``, not negative, that maximises the target's mean log ratio (Sugiyama et al. 2008, eq. 8):

        mean_j log(sum_l alpha_l phi_l(y_j))  where  sum_l alpha_l mean_i phi_l(x_i) = 1

    In ``theta_l = alpha_l mean_i phi_l(x_i)`` this is the likelihood of the shares of a mixture, which expectation maximisation
    climbs without a step size and without leaving the constraints. The likelihood is concave: no shares are better by more than
    ``max_l(gradient_l) - 1`` nats, so the fit stops where that is below the tolerance.

    Args:
        source_means: the mean of each basis function over the source, ``(b,)``.
        target: values of the basis functions, ``(m, b)``.
    """
    values = target / np.maximum(source_means, _TINY)
    theta = np.full(values.shape[1], 1 / values.shape[1])
    for _ in range(steps):
        gradient = (values / np.maximum(values @ theta, _TINY)[:, None]).mean(axis=0)
        if gradient.max() - 1 <= tolerance:
            break
        theta = theta * gradient
    alpha: NDArray[np.float64] = theta / np.maximum(source_means, _TINY)
    return alpha


def held_out_likelihood(source_means: NDArray[np.float64], target: NDArray[np.float64], folds: int = FOLDS) -> float:
    """The mean log ratio of target rows, each under ``alpha`` of the other folds (Sugiyama et al. 2008, §2.3): higher is better.

    Args:
        source_means: ``(b,)``.
        target: values of the basis functions, ``(m, b)``, at least two rows in an order that means nothing.
    """
    fold = np.arange(len(target)) % min(folds, len(target))
    logs = np.empty(len(target))
    for number in range(fold.max() + 1):
        held = fold == number
        ratios = target[held] @ coefficients(source_means, target[~held])
        logs[held] = np.log(np.maximum(ratios, _TINY))
    return float(logs.mean())


def fit_ratio(
    source: NDArray[np.float64], target: NDArray[np.float64], centres: NDArray[np.float64], bandwidths: Sequence[float]
) -> GaussianSum:
    """The ratio target / source at the bandwidth with the largest held-out likelihood; the largest bandwidth for one target row.

    Args:
        source, target, centres: ``(n, d)``, ``(m, d)`` and ``(b, d)``; the order of the target must mean nothing.
    """
    means = {bandwidth: gaussian(source, centres, bandwidth).mean(axis=0) for bandwidth in bandwidths}
    bandwidth = bandwidths[-1]
    if len(target) > 1:
        bandwidth = max(bandwidths, key=lambda width: held_out_likelihood(means[width], gaussian(target, centres, width)))
    alpha = coefficients(means[bandwidth], gaussian(target, centres, bandwidth))
    return GaussianSum(centres, alpha, bandwidth)


class Kliep:
    """Score of ``x``: the log ratio ``log p(x | target) - log p(x | source)`` of densities of embeddings (labels are not used).

    The ratio is a sum of Gaussians about target examples, scaled to a mean of 1 over the source, that makes the target likeliest;
    the likelihood of held-out target examples chooses the bandwidth.

    Reference: Sugiyama, Suzuki, Nakajima, Kashima, von Bunau & Kawanabe 2008, "Direct importance estimation for covariate shift
    adaptation".

    Use when: weights are wanted and some hundred target examples are there; its logarithm also ranks what is unlike the target.
    Avoid when: the target has fewer than some twenty examples: little can be held out to choose the bandwidth by.

    Args:
        embed: examples to vectors.
        centres: target examples about which the Gaussians lie, drawn where there are more; 100, as in the paper.
        seed: of that draw and of the folds.

    Cost: linear in the source; 16,000 source and 1,000 target examples of 384 numbers take 4 CPU seconds.
    """

    needs: ClassVar[tuple[Need, ...]] = ("embeddings",)
    traits: ClassVar[tuple[Trait, ...]] = ("weighs",)
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Sugiyama et al. 2008"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "density ratio under which the target is likeliest, target against source"
    summary_zh: ClassVar[str] = "使目标域似然最大的密度比（KL 重要性估计）"

    def __init__(self, embed: Embed, centres: int = 100, seed: int = 0) -> None:
        if centres < 1:
            raise InputError(f"kliep with centres={centres}", expected="at least 1", fix="leave the default")
        self.embed, self.centres, self.seed = embed, centres, seed

    def fit(self, source: Domain, target: Target) -> Self:
        with one_thread():
            _, x = vectors(self.embed, source, self.seed)
            self._ids, y = vectors(self.embed, target.inputs, self.seed)
            bandwidths = [factor * median_distance(x, y) for factor in FACTORS]
            self._ratio = fit_ratio(x, y, y[: self.centres], bandwidths)
        return self

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """The log density ratio, ``(n,)``; 0 is as likely in the target as in the source."""
        return np.asarray(np.log(np.maximum(self.weights(batch), _TINY)))

    def weights(self, batch: Domain) -> NDArray[np.float64]:
        """The density ratio, ``(n,)``, of mean 1 over the source."""
        return self._ratio(unit_rows(self.embed(batch.contents))) if len(batch) else np.zeros(0)

    def reasons(self, batch: Domain) -> list[str]:
        """The ratio, and the target example that adds most to it."""
        return self._ratio.reasons(unit_rows(self.embed(batch.contents)), self._ids) if len(batch) else []
