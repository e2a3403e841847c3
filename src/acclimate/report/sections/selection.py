"""What selectors kept and dropped, by domain and by score, with the best picks and the near misses."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from acclimate.data.images import described, thumbnail
from acclimate.data.words import folded_words
from acclimate.report.figures import histogram
from acclimate.report.texts import trim
from acclimate.select.base import Selection
from acclimate.strategy.outcome import Outcome

#: Examples shown of the picks and of the near misses.
_SHOWN = 5
#: Pairs shown, and rows on each side of the border that they are looked for among.
_PAIRS, _COMPARED = 3, 200


@dataclasses.dataclass(frozen=True)
class Pick:
    """One source example with its score; near misses have no reason."""

    score: float
    domain: str
    label: str
    text: str
    reason: str
    picture: str = ""


@dataclasses.dataclass(frozen=True)
class Pair:
    """A kept example, and the dropped one that shares most words with it."""

    kept: Pick
    dropped: Pick
    shared: float


@dataclasses.dataclass(frozen=True)
class Overlap:
    """How much of what two selections kept is the same: shared examples over those that either kept (Jaccard)."""

    names: list[str]
    shares: list[list[float]]


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
    pairs: list[Pair]


def overlap(outcome: Outcome) -> Overlap | None:
    """What each two selections have in common; None where there are not two."""
    kept = {name: frozenset(selection.indices.tolist()) for name, selection in outcome.selections.items()}
    if len(kept) < 2:
        return None
    shares = [[len(a & b) / max(len(a | b), 1) for b in kept.values()] for a in kept.values()]
    return Overlap(list(kept), shares)


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
        pairs=[] if is_random else _pairs(selection, dropped[np.argsort(-scores[dropped], kind="stable")]),
    )


def _pairs(selection: Selection, dropped: NDArray[np.int64]) -> list[Pair]:
    """The kept and dropped examples that are most alike: what the method told apart although they share their words.

    Looked for among the last rows that were kept and the first that were dropped, where the decision was closest.
    """
    source = selection.source
    if source.modality == "image" or not len(dropped) or not len(selection):
        return []
    last, first = selection.indices[-_COMPARED:], dropped[:_COMPARED]
    bags = [[frozenset(folded_words(source.texts[row])) for row in rows] for rows in (last, first)]
    alike = [
        (len(a & b) / max(len(a | b), 1), i, j) for i, a in enumerate(bags[0]) for j, b in enumerate(bags[1]) if len(a | b) > 0
    ]
    found: list[Pair] = []
    taken: set[tuple[str, int]] = set()
    for share, i, j in sorted(alike, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if len(found) == _PAIRS:
            break
        if {("kept", i), ("dropped", j)} & taken:
            continue
        taken |= {("kept", i), ("dropped", j)}
        found.append(Pair(_pick(selection, int(last[i]), ""), _pick(selection, int(first[j]), ""), share))
    return found


def _pick(selection: Selection, row: int, reason: str) -> Pick:
    source = selection.source
    content = source.contents[row]
    text, picture = (content, "") if isinstance(content, str) else (described(content), thumbnail(content))
    told = (float(selection.scores[row]), source.domains[row], source.labels[row] or "")
    return Pick(*told, trim(text), trim(reason, 160), picture)
