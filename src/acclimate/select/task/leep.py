"""LEEP: how likely the target's labels are under the classes that a source model sees in its examples."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.select.base import Learner, Need, Trait
from acclimate.select.task.base import DomainScore, ScoredDomains, check_at_least
from acclimate.select.task.models import score_outputs


def leep(source_probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The log expected empirical prediction, at most 0 (Nguyen et al. 2020, eq. 1–2).

    ``P(y, z) = mean_i theta(x_i)_z [y_i = y]``; ``T = mean_i log sum_z P(y_i | z) theta(x_i)_z``.

    Args:
        source_probabilities: ``theta (n, z)``, of the source's classes for the target's examples.
        labels: of the target, ``(n,)``.
    """
    _, y = np.unique(labels, return_inverse=True)
    joint = np.eye(int(y.max()) + 1)[y].T @ source_probabilities / len(y)
    marginal = joint.sum(axis=0)
    conditional = np.divide(joint, marginal, out=np.zeros_like(joint), where=marginal > 0)
    expected = (source_probabilities * conditional[y]).sum(axis=1)
    return float(np.log(expected).mean())


class Leep:
    """Score of a domain: the log expected empirical prediction (LEEP) of its model on the target's labelled examples.

    A classifier is trained on the domain. Its class probabilities for target examples, joined with their labels, give the chance of
    each target class given each source class, and so a prediction without training; LEEP is the mean log-likelihood of that. The
    two label spaces may differ, and a model that is reliably wrong scores as well as one that is right: for equal label spaces
    look at the accuracy as well.

    Reference: Nguyen, Hassner, Seeger & Archambeau 2020, "LEEP: A new measure to evaluate transferability of learned
    representations", eq. 1-2.

    Measured on 23 targets (:data:`acclimate.select.task.rank.MEASURED`): rank correlation with the accuracy that a domain's probe
    reaches on the target's test .72; the accuracy on the same 100 labels, where label spaces are equal, says .78.

    Use when: domains are labelled, perhaps by other classes than the target, and the target has some dozens of labels.
    Avoid when: the domains' models are confident: LEEP then sees little but their hard labels (that is ``nce``).

    Args:
        learner: trains the model of a domain.
        sample: most examples of a domain that it learns from.
        resamples: of the target's labelled examples, for the intervals.
        seed: of samples, resamples and the order inside a domain.
    """

    needs: ClassVar[tuple[Need, ...]] = ("source domains", "source labels", "target labels", "learner")
    traits: ClassVar[tuple[Trait, ...]] = ("whole-domains", "ranks")
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Nguyen et al. 2020"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "whole domains: log expected prediction of the target's labels by a domain's model"
    summary_zh: ClassVar[str] = "整域选择：源域模型对目标标签的对数期望预测（LEEP）"

    def __init__(self, learner: Learner, sample: int = 2000, resamples: int = 200, seed: int = 0) -> None:
        check_at_least("leep", sample=(sample, 2), resamples=(resamples, 2))
        self.learner, self.sample, self.resamples, self.seed = learner, sample, resamples, seed

    def fit(self, source: Domain, target: Target) -> Self:
        found = score_outputs(leep, self.learner, source, target, sample=self.sample, resamples=self.resamples, seed=self.seed)
        self._scored = ScoredDomains.of("leep", found, self.seed)
        return self

    @property
    def domains(self) -> list[DomainScore]:
        """The scored domains, best first."""
        return list(self._scored.domains)

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """LEEP of each example's domain, ``(n,)``, at most about 0; ties inside a domain in random order."""
        return self._scored.score(batch)

    def reasons(self, batch: Domain) -> list[str]:
        """The domain, its LEEP and a 95% interval."""
        return self._scored.reasons(batch)
