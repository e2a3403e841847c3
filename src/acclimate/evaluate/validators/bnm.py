"""Batch nuclear norm: answers that are sure, and spread over the classes."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from acclimate.data.domain import Modality
from acclimate.evaluate.validators.base import Matrix, Need, Seen


@dataclasses.dataclass(frozen=True)
class Bnm:
    """The nuclear norm of the predictions on the target (Cui 2020, eq. 8), over √n so that the number of examples does not matter.

    Its two parts: the Frobenius norm grows with certainty, the rank with the number of classes that are used, so that an answer
    that is the same everywhere scores low.

    Use when: classes are about equally frequent on the target. Avoid when: one class is rare: a model that knows so scores lower.
    """

    needs: ClassVar[tuple[Need, ...]] = ()
    range: ClassVar[str] = "1/√c (the same vague answer everywhere) to √c (sure, all classes equally often)"
    paper: ClassVar[str] = "Cui 2020"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image")
    summary: ClassVar[str] = "Prefers the model whose answers on the target are sure and spread over the classes."
    summary_zh: ClassVar[str] = "选择目标域预测既有把握又覆盖各类别的模型（核范数）。"

    def score(self, seen: Seen) -> float:
        """See :func:`nuclear_norm`."""
        return nuclear_norm(seen.probabilities)


def nuclear_norm(probabilities: Matrix) -> float:
    """The sum of the singular values of ``(n, c)`` over √n.

    >>> round(nuclear_norm(np.eye(2)), 4), round(nuclear_norm(np.full((9, 2), 0.5)), 4)
    (1.4142, 0.7071)
    """
    return float(np.linalg.svd(probabilities, compute_uv=False).sum() / np.sqrt(len(probabilities)))
