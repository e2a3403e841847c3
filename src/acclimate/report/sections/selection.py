"""What selectors kept and dropped, by domain and by score, with the best picks and the near misses."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np

from acclimate.report.figures import histogram
from acclimate.report.texts import trim
from acclimate.select.base import Selection
from acclimate.strategy.outcome import Outcome

#: Examples shown of the picks and of the near misses.
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Pick:
    """One source example with its score; near misses have no reason."""

    score: float
    domain: str
    label: str
    text: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Selected:
    """One selection. ``bars`` holds counts of all and of kept rows by score; a random pick has neither bars nor picks."""

    arm: str
    method: str
    kept: int
    total: int
    by_domain: list[tuple[str, int, int]]
    bars: list[tuple[int, int]]
    low: float
    high: float
    best: list[Pick]
    near: list[Pick]


def selections(outcome: Outcome) -> list[Selected]:
    """Every selection that is kept for the report, chosen ones before random ones."""
    shown = [_selected(arm, selection) for arm, selection in outcome.selections.items()]
    return sorted(shown, key=lambda selected: not selected.bars)


def _selected(arm: str, selection: Selection) -> Selected:
    every, kept = Counter(selection.source.domains), Counter(selection.source.domains[row] for row in selection.indices)
    is_random = selection.method.startswith("random")
    mask = np.zeros(len(selection.source), dtype=bool)
    mask[selection.indices] = True
    scores = np.asarray(selection.scores, dtype=np.float64)
    dropped = np.flatnonzero(~mask)
    best = selection.indices[:_SHOWN]
    near = dropped[np.argsort(-scores[dropped], kind="stable")][:_SHOWN]
    return Selected(
        arm=arm,
        method=selection.method,
        kept=len(selection),
        total=len(selection.source),
        by_domain=[(name, kept[name], count - kept[name]) for name, count in every.items()],
        bars=[] if is_random or not len(scores) else histogram(scores, mask),
        low=float(scores.min()) if len(scores) else 0.0,
        high=float(scores.max()) if len(scores) else 0.0,
        best=[] if is_random else [_pick(selection, int(row), why) for row, why in zip(best, selection.reasons, strict=False)],
        near=[] if is_random else [_pick(selection, int(row), "") for row in near],
    )


def _pick(selection: Selection, row: int, reason: str) -> Pick:
    source = selection.source
    return Pick(
        float(selection.scores[row]), source.domains[row], source.labels[row] or "", trim(source.texts[row]), trim(reason, 160)
    )
