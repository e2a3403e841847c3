"""H-score: how much of the variation of features lies between the classes of the target."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.select.base import Learner, Need, Trait
from acclimate.select.task.base import DomainScore, ScoredDomains, check_at_least
from acclimate.select.task.models import Features, score_outputs

#: Directions along which features vary by less than this share of the most count as absent: rounding alone varies by 1e-16.
_RANK = 1e-7


def h_score(features: NDArray[np.floating], labels: NDArray[np.int64], *, shrink: bool | None = None) -> float:
    """``tr(cov(f)^-1 cov(E[f | y]))``, from 0 to the number of classes less one (Bao et al. 2019, definition 2).

    With fewer examples than dimensions the plain score is that maximum whatever the features. The covariance is then shrunk to a
    multiple of the identity by the share ``a`` of Ledoit & Wolf 2004, and the score is
    ``(1 - a) tr(cov_a(f)^-1 cov(E[f | y]))`` (Ibrahim et al. 2021, eq. 4).

    Args:
        features: ``(n, d)``.
        labels: ``(n,)``.
        shrink: whether to; None does where ``n < 10 d`` and there are more than three dimensions.
    """
    wide = np.asarray(features, dtype=np.float64)
    count, dim = wide.shape
    centred = wide - wide.mean(axis=0)
    amount = ledoit_wolf_share(centred) if (shrink if shrink is not None else dim > 3 and count < 10 * dim) else 0.0
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    kept = singular > _RANK * singular.max(initial=0.0)  # class means lie in the span of these directions
    variances = singular[kept] ** 2 / count
    _, y = np.unique(labels, return_inverse=True)
    sums = np.zeros((int(y.max()) + 1, int(kept.sum())))
    np.add.at(sums, y, left[:, kept] * singular[kept])
    between = np.square(sums / np.sqrt(np.bincount(y) * count)[:, None]).sum(axis=0)
    shrunk = (1 - amount) * variances + amount * variances.sum() / dim
    return float((1 - amount) * (between / shrunk).sum())


def ledoit_wolf_share(centred: NDArray[np.float64]) -> float:
    """How far to shrink the covariance of centred rows ``(n, d)`` towards its mean variance, 0 to 1 (Ledoit & Wolf 2004, §3.3)."""
    count, dim = centred.shape
    covariance = centred.T @ centred / count
    off = float(np.square(covariance).sum()) - np.trace(covariance) ** 2 / dim  # d² times the paper's squares of norms, throughout
    noise = (float(np.square(np.square(centred).sum(axis=1)).sum()) / count - float(np.square(covariance).sum())) / count
    return float(min(max(noise, 0.0), off) / off) if off > 0 else 0.0


class HScore:
    """Score of a domain: the H-score of its model's outputs for the target's labelled examples.

    For two classes that is the share of the variance of the model's probability that the label explains.

    Reference: Bao, Li, Huang, Zhang, Zheng, Zamir & Guibas 2019, "An information-theoretic approach to transferability in task
    transfer learning"; with shrinkage: Ibrahim, Ponomareva & Mazumder 2021, "Newer is not always better".

    Measured on 23 targets (:data:`acclimate.select.task.rank.MEASURED`): rank correlation with the accuracy that a domain's probe
    reaches on the target's test .72, that of the plain accuracy on the same 100 labels .78.

    Use when: as ``logme``; it is cheaper and does not ask for calibrated outputs.
    Avoid when: comparing features of different dimension: without shrinkage it rises with the dimension.

    Args:
        learner: trains the model of a domain.
        features: what of that model is evaluated: its ``"outputs"`` (class probabilities), or its ``"representation"``, which
            differs between domains only where the learner trains one (the probe does not).
        sample: most examples of a domain that it learns from.
        resamples: of the target's labelled examples, for the intervals.
        seed: of samples, resamples and the order inside a domain.
    """

    needs: ClassVar[tuple[Need, ...]] = ("source domains", "source labels", "target labels", "learner")
    traits: ClassVar[tuple[Trait, ...]] = ("whole-domains", "ranks")
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Bao et al. 2019; Ibrahim et al. 2021"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "whole domains: variation of a domain model's outputs between the target's classes"
    summary_zh: ClassVar[str] = "整域选择：源域模型输出的类间方差占比（H-score，可收缩协方差）"

    def __init__(
        self, learner: Learner, features: Features = "outputs", sample: int = 2000, resamples: int = 200, seed: int = 0
    ) -> None:
        check_at_least("h-score", sample=(sample, 2), resamples=(resamples, 2))
        self.learner, self.features = learner, features
        self.sample, self.resamples, self.seed = sample, resamples, seed

    def fit(self, source: Domain, target: Target) -> Self:
        found = score_outputs(
            h_score,
            self.learner,
            source,
            target,
            features=self.features,
            sample=self.sample,
            resamples=self.resamples,
            seed=self.seed,
        )
        self._scored = ScoredDomains.of("h-score", found, self.seed)
        return self

    @property
    def domains(self) -> list[DomainScore]:
        """The scored domains, best first."""
        return list(self._scored.domains)

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """H-score of each example's domain, ``(n,)``; ties inside a domain in random order."""
        return self._scored.score(batch)

    def reasons(self, batch: Domain) -> list[str]:
        """The domain, its H-score and a 95% interval."""
        return self._scored.reasons(batch)
