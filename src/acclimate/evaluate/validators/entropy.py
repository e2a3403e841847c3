"""Minimum entropy: a model that is sure of its answers on the target."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from acclimate.data.domain import Modality
from acclimate.evaluate.validators.base import Matrix, Need, Seen


@dataclasses.dataclass(frozen=True)
class Entropy:
    """Minus the mean entropy of the predictions on the target, in nats (Morerio 2018, eq. 6: the lowest entropy is chosen).

    Use when: there is nothing but the model's answers. Avoid when: arms are trained to be sure (self-training, MCC, entropy
    terms): it prefers them whether they are right or not, and gives its best score to a model that has only one answer.
    """

    needs: ClassVar[tuple[Need, ...]] = ()
    range: ClassVar[str] = "−ln c (no idea anywhere) to 0 (sure everywhere)"
    paper: ClassVar[str] = "Morerio 2018"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image")
    summary: ClassVar[str] = "Prefers the model that is most sure of its answers on the target."
    summary_zh: ClassVar[str] = "选择在目标域上预测最有把握的模型（最小熵）。"

    def score(self, seen: Seen) -> float:
        """See :func:`negative_entropy`."""
        return negative_entropy(seen.probabilities)


def negative_entropy(probabilities: Matrix) -> float:
    """Minus the mean Shannon entropy of rows ``(n, c)``, in nats.

    >>> import numpy as np
    >>> round(negative_entropy(np.array([[0.5, 0.5], [1.0, 0.0]])), 4)
    -0.3466
    """
    from scipy.special import entr

    return -float(entr(probabilities).sum(axis=1).mean())
