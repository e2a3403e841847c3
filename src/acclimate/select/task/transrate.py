"""TransRate: the information between features and the target's labels, by coding rates."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.select.base import Learner, Need, Trait
from acclimate.select.task.base import DomainScore, ScoredDomains, check_at_least
from acclimate.select.task.models import Features, score_outputs


def coding_rate(features: NDArray[np.float64], distortion: float) -> float:
    """``½ log det(I + Z'Z / (n distortion))`` of ``Z (n, d)``, in nats (Huang et al. 2022, eq. 4)."""
    count, dim = features.shape
    gram = features.T @ features if dim <= count else features @ features.T  # both have this determinant
    return 0.5 * float(np.linalg.slogdet(np.eye(len(gram)) + gram / (count * distortion))[1])


def transrate(
    features: NDArray[np.floating], labels: NDArray[np.int64], distortion: float = 1e-4, *, own_means: bool = False
) -> float:
    """``R(Z) - R(Z | Y)``, where ``R(Z | Y) = sum_c n_c / n R(Z_c)`` (Huang et al. 2022, eq. 5 and 7).

    Features are centred, and scaled to a mean square length of 1, without which the distortion would mean something else for
    each model.

    Args:
        features: ``(n, d)``.
        labels: ``(n,)``.
        distortion: the paper's epsilon.
        own_means: describe each class around its own mean; the paper describes it around the common one. Among hundreds of
            dimensions that is no matter; for one dimension and two even classes the paper's figure is 0 whatever the features.
    """
    wide = np.asarray(features, dtype=np.float64)
    centred = wide - wide.mean(axis=0)
    square = float(np.square(centred).sum(axis=1).mean())
    if square <= 1e-24 * float(np.square(wide).sum(axis=1).mean()):
        return 0.0  # constant features, but for rounding
    centred /= np.sqrt(square)
    classes = [centred[labels == label] for label in np.unique(labels)]
    around = [rows - rows.mean(axis=0) for rows in classes] if own_means else classes
    within = sum(len(rows) / len(centred) * coding_rate(rows, distortion) for rows in around)
    return coding_rate(centred, distortion) - within


class TransRate:
    """Score of a domain: an estimate of the information that its model's outputs carry about the target's labels.

    The coding rate says how many nats describe the features up to a small distortion; what the rate falls by when the classes are
    described one by one is what features and labels share.

    Reference: Huang, Huang, Rong, Yang & Wei 2022, "Frustratingly easy transferability estimation", eq. 4-7.

    Each class is described around its own mean here, not around the common one as in the paper: for two classes the outputs are one
    number, of which the paper's figure tells nothing (see :func:`transrate`).

    Measured on 23 targets (:data:`acclimate.select.task.rank.MEASURED`): rank correlation with the accuracy that a domain's probe
    reaches on the target's test .52: .94 for reviews of four goods, .44 for Chinese reviews, where domains
    of uneven classes mislead it.

    Use when: as a second opinion beside ``logme`` and ``h-score``; it needs no fit at all.
    Avoid when: alone: with a class of few examples it mistakes their small number for closeness.

    Args:
        learner: trains the model of a domain.
        features: what of that model is evaluated: its ``"outputs"`` (class probabilities), or its ``"representation"``, which
            differs between domains only where the learner trains one (the probe does not).
        distortion: the paper's epsilon, whose default this is.
        sample: most examples of a domain that it learns from.
        resamples: of the target's labelled examples, for the intervals.
        seed: of samples, resamples and the order inside a domain.
    """

    needs: ClassVar[tuple[Need, ...]] = ("source domains", "source labels", "target labels", "learner")
    traits: ClassVar[tuple[Trait, ...]] = ("whole-domains", "ranks")
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Huang et al. 2022"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "whole domains: information between a domain model's outputs and the target's labels"
    summary_zh: ClassVar[str] = "整域选择：源域模型输出与目标标签之间的编码率差（TransRate）"

    def __init__(
        self,
        learner: Learner,
        features: Features = "outputs",
        distortion: float = 1e-4,
        sample: int = 2000,
        resamples: int = 200,
        seed: int = 0,
    ) -> None:
        check_at_least("transrate", sample=(sample, 2), resamples=(resamples, 2), distortion=(distortion, 1e-12))
        self.learner, self.features, self.distortion = learner, features, distortion
        self.sample, self.resamples, self.seed = sample, resamples, seed

    def fit(self, source: Domain, target: Target) -> Self:
        found = score_outputs(
            lambda values, labels: transrate(values, labels, self.distortion, own_means=True),
            self.learner,
            source,
            target,
            features=self.features,
            sample=self.sample,
            resamples=self.resamples,
            seed=self.seed,
        )
        self._scored = ScoredDomains.of("transrate", found, self.seed)
        return self

    @property
    def domains(self) -> list[DomainScore]:
        """The scored domains, best first."""
        return list(self._scored.domains)

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """TransRate of each example's domain in nats, ``(n,)``; ties inside a domain in random order."""
        return self._scored.score(batch)

    def reasons(self, batch: Domain) -> list[str]:
        """The domain, its TransRate and a 95% interval."""
        return self._scored.reasons(batch)
