"""The answer to "did it help?": a paired difference, its interval, its corrected p-value and one word."""

from __future__ import annotations

import dataclasses
from typing import Literal

Verdict = Literal["helped", "no evidence", "hurt"]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """An arm against a control, paired over items and seeds.

    Attributes:
        arm, control: names.
        difference: mean accuracy of the arm minus that of the control, in points (0.01 = one percentage point).
        low, high: 95% interval of the difference, over items and seeds.
        p_value: paired test, uncorrected.
        p_corrected: Holm-corrected over all arms compared with this control.
        test: which test: ``mcnemar`` (one seed) or ``wilcoxon`` (several).
        items, seeds: how many.
        verdict: see :func:`verdict`.
    """

    arm: str
    control: str
    difference: float
    low: float
    high: float
    p_value: float
    p_corrected: float
    test: str
    items: int
    seeds: int
    verdict: Verdict
