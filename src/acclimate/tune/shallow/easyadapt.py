"""EasyAdapt: one copy of the vector for what is common, one for each domain."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from acclimate.tune.shallow.base import Fitted, Given, fit_mapped


@dataclasses.dataclass(frozen=True)
class EasyAdapt:
    """Source rows become ``(x, x, 0)``, target rows ``(x, 0, x)`` (Daumé 2007, eq. 1).

    What both share is learned in the first copy, what is peculiar in the others. Without target labels the third copy stays
    unlearned, and the target is judged by what is common alone.

    Use when: there are target labels, and the domains disagree on some of the words. Avoid when: there are none.
    """

    paper: ClassVar[str] = "Daumé 2007"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    needs: ClassVar[tuple[str, ...]] = ("vectors",)
    summary: ClassVar[str] = "One copy of each vector for what is common, one for what is the domain's own."
    summary_zh: ClassVar[str] = "为公共部分与各域特有部分分别复制特征（EasyAdapt）。"

    def fit(self, given: Given) -> Fitted:
        """Fit a probe on the copies."""
        none = np.zeros(given.features.shape[1])
        return fit_mapped(given, lambda x: np.concatenate([x, x, none]), lambda x: np.concatenate([x, none, x]))
