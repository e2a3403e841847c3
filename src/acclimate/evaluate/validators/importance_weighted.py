"""Importance-weighted validation: the source's held-out examples count by how much they look like the target."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Modality
from acclimate.evaluate.validators.base import Need, Seen
from acclimate.evaluate.validators.ratio import density_ratio


@dataclasses.dataclass(frozen=True)
class ImportanceWeighted:
    """Accuracy on held-out source examples, each weighted by the density ratio of target to source (Sugiyama 2007, eq. 5).

    The weights are brought to a mean of 1 over the examples, which keeps the estimate within 0 and 1. The ratio comes from a
    classifier between the domains on the frozen vectors.

    Use when: the target lies within the source, only with other frequencies (covariate shift). Avoid when: the classifier between
    the domains is almost never wrong: then few examples carry all the weight; or labels mean something else on the target.
    """

    needs: ClassVar[tuple[Need, ...]] = ("features", "source held out")
    range: ClassVar[str] = "0 to 1, an estimate of the accuracy on the target"
    paper: ClassVar[str] = "Sugiyama 2007"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image")
    summary: ClassVar[str] = "Accuracy on held-out source examples, weighted by how much they look like the target."
    summary_zh: ClassVar[str] = "按与目标域的相似程度加权的源域留出集准确率（重要性加权验证）。"

    def score(self, seen: Seen) -> float:
        """See :func:`weighted_accuracy`."""
        probabilities, labels = seen.held()
        weights = density_ratio(*seen.both_features(), seen.seed)
        return weighted_accuracy(probabilities.argmax(axis=1) == labels, weights)


def weighted_accuracy(correct: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    """``Σ w·correct / Σ w`` over ``(m,)``.

    >>> weighted_accuracy(np.array([True, False]), np.array([3.0, 1.0]))
    0.75
    """
    return float(np.average(correct, weights=weights))
