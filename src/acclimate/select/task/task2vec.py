"""Task2Vec: which weights a task needs, by the diagonal of the Fisher information of a probe."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.select.base import Learner, Need, Scorer, Trait
from acclimate.select.task.base import DomainScore, ScoredDomains, check_at_least, numbers, parts, sample_of
from acclimate.select.task.resample import score_domains


def probe_fisher(probabilities: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The diagonal Fisher information of a softmax layer, averaged over its classes, ``(d,)``.

    For the weight from feature ``j`` to class ``k`` it is ``E_x E_{y ~ p(y|x)} (d log p(y|x) / d w_kj)² = E_x p_k (1 - p_k) h_j²``
    (Achille et al. 2019, eq. 1, in closed form). The mean over ``k`` makes tasks of different classes comparable, as theirs is
    over the weights of a filter.

    Args:
        probabilities: ``p (n, c)``.
        features: ``h (n, d)``, what the layer reads.
    """
    information = (probabilities * (1 - probabilities)).mean(axis=1)
    fisher: NDArray[np.float64] = (information[:, None] * np.square(features)).mean(axis=0)
    return fisher


def task_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """``d_cos(F / (F + G), G / (F + G))`` of two embeddings ``(d,)``, 0 to 1 (Achille et al. 2019, eq. 3).

    The division makes it free of the scale of each feature; where both are 0, both count as one half. An embedding of zeros, of
    a task with nothing to decide, is at distance 1 from every other.
    """
    total = one + other
    left = np.divide(one, total, out=np.full_like(total, 0.5), where=total > 0)
    right = np.divide(other, total, out=np.full_like(total, 0.5), where=total > 0)
    if not one.any() or not other.any():
        return 1.0
    return float(1 - left @ right / np.sqrt((left @ left) * (right @ right)))


class Task2Vec:
    """Score of a domain: minus the distance of its task embedding to that of the target.

    A probe is trained on the domain and one on the target's labelled examples; a task's embedding says how much each feature
    matters to its probe's predictions. With frozen features that is mostly where a domain's examples vary and are undecided.

    Reference: Achille, Lam, Tewari, Ravichandran, Maji, Fowlkes, Soatto & Perona 2019, "Task2Vec: Task embedding for
    meta-learning", eq. 1 and 3; there the Fisher information is that of a whole network, here that of its last layer.

    Measured on 23 targets (:data:`acclimate.select.task.rank.MEASURED`): rank correlation with the accuracy that a domain's probe
    reaches on the target's test .25; prefer ``leep`` where the target has labels.

    Use when: the label spaces differ and the domains' labels should count without being matched.
    Avoid when: the target has few labels: its probe, and so its embedding, is then mostly noise.

    Args:
        learner: trains the probes.
        sample: most examples of a domain.
        resamples: of the target's labelled examples, for the intervals; each trains a probe.
        seed: of samples, resamples and the order inside a domain.
    """

    needs: ClassVar[tuple[Need, ...]] = ("source domains", "source labels", "target labels", "learner")
    traits: ClassVar[tuple[Trait, ...]] = ("whole-domains", "ranks")
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Achille et al. 2019"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "whole domains: distance of task embeddings by the Fisher information of a probe"
    summary_zh: ClassVar[str] = "整域选择：由探针的对角 Fisher 信息得到的任务嵌入距离（Task2Vec）"

    def __init__(self, learner: Learner, sample: int = 2000, resamples: int = 30, seed: int = 0) -> None:
        check_at_least("task2vec", sample=(sample, 2), resamples=(resamples, 2))
        self.learner, self.sample, self.resamples, self.seed = learner, sample, resamples, seed

    def fit(self, source: Domain, target: Target) -> Self:
        there = parts(source, self.sample, self.seed)
        embeddings = {name: self._embedding(rows) for name, (rows, _) in there.items()}
        here = sample_of(target.labelled, self.sample, self.seed)
        known: dict[bytes, NDArray[np.float64]] = {}  # every domain is compared with the same resamples

        def embedding(rows: NDArray[np.int64]) -> NDArray[np.float64]:
            if rows.tobytes() not in known:
                known[rows.tobytes()] = self._embedding(here.take(rows))
            return known[rows.tobytes()]

        statistics = {
            name: lambda rows, theirs=theirs: -task_distance(theirs, embedding(rows)) for name, theirs in embeddings.items()
        }
        examples = {name: count for name, (_, count) in there.items()}
        found = score_domains(statistics, examples, numbers(here.labels), resamples=self.resamples, seed=self.seed)
        self._scored = ScoredDomains.of("task2vec", found, self.seed)
        return self

    def _embedding(self, examples: Domain) -> NDArray[np.float64]:
        """Zeros where there is one class only, hence no task."""
        classes = examples.classes
        if len(classes) < 2:
            return np.zeros(1)
        scorer: Scorer = self.learner.fit(examples, classes)
        return probe_fisher(scorer.predict_proba(examples), scorer.represent(examples))

    @property
    def domains(self) -> list[DomainScore]:
        """The scored domains, best first."""
        return list(self._scored.domains)

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """Minus the distance of each example's domain, ``(n,)``, from -1 to about 0; ties inside a domain in random order."""
        return self._scored.score(batch)

    def reasons(self, batch: Domain) -> list[str]:
        """The domain, minus its distance and a 95% interval."""
        return self._scored.reasons(batch)
