"""Optimal transport dataset distance: how far labelled examples lie apart, where labels are as far as what they look like."""

from __future__ import annotations

import importlib
import warnings
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.errors import InputError, MissingExtraError
from acclimate.features.base import Embed
from acclimate.select.base import Need, Trait
from acclimate.select.similarity.cosine import unit_rows
from acclimate.select.task.base import DomainScore, ScoredDomains, check_at_least, numbers, parts, sample_of
from acclimate.select.task.resample import score_domains


def bures_wasserstein(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The squared 2-Wasserstein distance of the Gaussians fitted to the rows of ``x (n, d)`` and ``y (m, d)``.

    ``|m_x - m_y|² + tr(A + B - 2 (A^½ B A^½)^½)`` (Alvarez-Melis & Fusi 2020, eq. 5). With ``A = X'X / n`` and ``B = Y'Y / m`` of
    centred rows the last trace is the sum of the singular values of ``X Y' / sqrt(n m)``: no matrix of ``d x d`` is made, and
    covariances of fewer rows than dimensions cost nothing in precision.
    """
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean_x, y - mean_y
    shared = np.linalg.svd(x @ y.T, compute_uv=False).sum() / np.sqrt(len(x) * len(y))
    spread = np.square(x).sum() / len(x) + np.square(y).sum() / len(y)
    return float(np.square(mean_x - mean_y).sum() + max(spread - 2 * shared, 0.0))


def otdd(
    x: NDArray[np.float64],
    x_labels: NDArray[np.int64],
    y: NDArray[np.float64],
    y_labels: NDArray[np.int64],
    *,
    entropy: float = 0.0,
) -> float:
    """The least mean cost of moving one labelled set onto the other (Alvarez-Melis & Fusi 2020, eq. 3–5, with p = 2).

    Moving ``(x, a)`` to ``(y, b)`` costs ``|x - y|²`` plus the squared distance of the Gaussians of classes ``a`` and ``b``.

    Args:
        x, y: ``(n, d)`` and ``(m, d)``.
        x_labels, y_labels: ``(n,)`` and ``(m,)``; the label spaces need not be the same.
        entropy: strength of the entropic term; 0 solves exactly, in time of about ``n m (n + m)``.

    Raises:
        MissingExtraError: POT is not installed.
    """
    try:
        ot = importlib.import_module("ot")  # it comes without types
    except ImportError as error:
        raise MissingExtraError("The distance of data sets by optimal transport", "ot") from error
    a, b = (np.unique(labels, return_inverse=True)[1] for labels in (x_labels, y_labels))
    classes = [[rows[labels == label] for label in range(labels.max() + 1)] for rows, labels in ((x, a), (y, b))]
    between = np.array([[bures_wasserstein(one, other) for other in classes[1]] for one in classes[0]])
    cost = _squared_distances(x, y) + between[np.ix_(a, b)]
    masses = [np.full(len(side), 1 / len(side)) for side in (x, y)]
    if not entropy:
        return float(ot.emd2(*masses, cost, numItermax=1_000_000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(ot.sinkhorn2(*masses, cost, reg=entropy, method="sinkhorn_log", numItermax=2_000))


def _squared_distances(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)[None, :]
    distances: NDArray[np.float64] = np.maximum(squares - 2 * (x @ y.T), 0.0)
    return distances


class Otdd:
    """Score of a domain: minus the optimal transport dataset distance between it and the target's labelled examples.

    No model is trained. Examples are compared by their unit-length vectors, and labels by where their examples lie: a domain whose
    labels mean something else is far even where its texts are near. The label spaces need not be the same.

    Reference: Alvarez-Melis & Fusi 2020, "Geometric dataset distances via optimal transport", eq. 3-5.

    Measured on 23 targets (:data:`acclimate.select.task.rank.MEASURED`): rank correlation with the accuracy that a domain's probe
    reaches on the target's test .18: .75 for reviews of four goods, -.33 to .21 elsewhere.

    Use when: domains and target are labelled, and the vectors separate the classes at least a little.
    Avoid when: the classes do not show in the vectors, as sentiment hardly does: the distance is then one of topics.

    Cost: 8 ms for 400 against 100 vectors of MiniLM, and as much for each resample; it grows with the third power of the sample.

    Args:
        embed: examples to vectors.
        sample: most examples of a side.
        entropy: strength of the entropic term; 0 solves exactly.
        resamples: of the target's labelled examples, for the intervals.
        seed: of samples, resamples and the order inside a domain.
    """

    needs: ClassVar[tuple[Need, ...]] = ("embeddings", "source domains", "source labels", "target labels")
    traits: ClassVar[tuple[Trait, ...]] = ("whole-domains", "ranks")
    extra: ClassVar[str] = "ot"
    paper: ClassVar[str] = "Alvarez-Melis & Fusi 2020"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "whole domains: optimal transport between labelled examples, labels as Gaussians"
    summary_zh: ClassVar[str] = "整域选择：带标签样本之间的最优传输数据集距离（OTDD）"

    def __init__(self, embed: Embed, sample: int = 400, entropy: float = 0.0, resamples: int = 50, seed: int = 0) -> None:
        check_at_least("otdd", sample=(sample, 2), entropy=(entropy, 0), resamples=(resamples, 2))
        if entropy == float("inf"):
            raise InputError("otdd with entropy=inf", expected="a finite strength", fix="leave the default")
        self.embed, self.sample, self.entropy = embed, sample, entropy
        self.resamples, self.seed = resamples, seed

    def fit(self, source: Domain, target: Target) -> Self:
        here = sample_of(target.labelled, self.sample, self.seed)
        there = parts(source, self.sample, self.seed)
        vectors, labels = unit_rows(self.embed(here.contents)), numbers(here.labels)
        sides = {name: (unit_rows(self.embed(rows.contents)), numbers(rows.labels)) for name, (rows, _) in there.items()}
        statistics = {
            name: lambda rows, x=x, a=a: -otdd(x, a, vectors[rows], labels[rows], entropy=self.entropy)
            for name, (x, a) in sides.items()
        }
        examples = {name: count for name, (_, count) in there.items()}
        found = score_domains(statistics, examples, labels, resamples=self.resamples, seed=self.seed)
        self._scored = ScoredDomains.of("otdd", found, self.seed)
        return self

    @property
    def domains(self) -> list[DomainScore]:
        """The scored domains, best first."""
        return list(self._scored.domains)

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """Minus the distance of each example's domain, ``(n,)``, at most about 0; ties inside a domain in random order."""
        return self._scored.score(batch)

    def reasons(self, batch: Domain) -> list[str]:
        """The domain, minus its distance and a 95% interval."""
        return self._scored.reasons(batch)
