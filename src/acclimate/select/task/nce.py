"""Negative conditional entropy: how much the labels that a source model gives say about the target's labels."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.select.base import Learner, Need, Trait
from acclimate.select.task.base import DomainScore, ScoredDomains, check_at_least
from acclimate.select.task.models import score_outputs


def nce(source_labels: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """``-H(Y | Z) = sum_{y,z} P(y, z) log(P(y, z) / P(z))`` in nats, at most 0 (Tran et al. 2019, eq. 5–6).

    Args:
        source_labels: ``Z (n,)``, the source's labels of the target's examples.
        labels: ``Y (n,)``.
    """
    _, y = np.unique(labels, return_inverse=True)
    _, z = np.unique(source_labels, return_inverse=True)
    joint = np.zeros((int(y.max()) + 1, int(z.max()) + 1))
    np.add.at(joint, (y, z), 1 / len(y))
    there = joint > 0
    conditional = joint / joint.sum(axis=0)
    return float((joint[there] * np.log(conditional[there])).sum())


class Nce:
    """Score of a domain: minus the entropy of the target's labels given the labels that the domain's model predicts for them.

    0 where the prediction settles the label, ``-log(classes)`` at worst where classes are even. The label spaces may differ.

    Reference: Tran, Nguyen & Hassner 2019, "Transferability and hardness of supervised classification tasks", eq. 5-6; there the
    source's labels are given, here they are predicted, as in Nguyen et al. 2020.

    Measured on 23 targets (:data:`acclimate.select.task.rank.MEASURED`): rank correlation with the accuracy that a domain's probe
    reaches on the target's test .71, that of the plain accuracy on the same 100 labels .78.

    Use when: as ``leep``, with models whose probabilities mean little; it is the coarser of the two.
    Avoid when: the target has few labels: with n of them the score moves in steps.

    Args:
        learner: trains the model of a domain.
        sample: most examples of a domain that it learns from.
        resamples: of the target's labelled examples, for the intervals.
        seed: of samples, resamples and the order inside a domain.
    """

    needs: ClassVar[tuple[Need, ...]] = ("source domains", "source labels", "target labels", "learner")
    traits: ClassVar[tuple[Trait, ...]] = ("whole-domains", "ranks")
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Tran et al. 2019"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "whole domains: negative entropy of the target's labels given a domain model's labels"
    summary_zh: ClassVar[str] = "整域选择：给定源域模型预测标签时目标标签的负条件熵（NCE）"

    def __init__(self, learner: Learner, sample: int = 2000, resamples: int = 200, seed: int = 0) -> None:
        check_at_least("nce", sample=(sample, 2), resamples=(resamples, 2))
        self.learner, self.sample, self.resamples, self.seed = learner, sample, resamples, seed

    def fit(self, source: Domain, target: Target) -> Self:
        found = score_outputs(
            _of_probabilities, self.learner, source, target, sample=self.sample, resamples=self.resamples, seed=self.seed
        )
        self._scored = ScoredDomains.of("nce", found, self.seed)
        return self

    @property
    def domains(self) -> list[DomainScore]:
        """The scored domains, best first."""
        return list(self._scored.domains)

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """NCE of each example's domain in nats, ``(n,)``, at most about 0; ties inside a domain in random order."""
        return self._scored.score(batch)

    def reasons(self, batch: Domain) -> list[str]:
        """The domain, its NCE and a 95% interval."""
        return self._scored.reasons(batch)


def _of_probabilities(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    return nce(probabilities.argmax(axis=1).astype(np.int64), labels)
