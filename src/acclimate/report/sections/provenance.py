"""Where things came from: generated examples and their parents, removed duplicates, and what the run was made of."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from acclimate.report.texts import Marked, clip, mark_changes, trim
from acclimate.strategy.outcome import Outcome
from acclimate.strategy.quality import Quality

#: Generated examples shown per arm, and removed examples in all.
_GENERATED, _REMOVED = 6, 12
#: Characters of a generated example and its parent that are compared, and that are shown: a cut before comparing would let the
#: ends differ where only the place of the cut does.
_READ, _SHOWN = 2000, 360


@dataclasses.dataclass(frozen=True)
class Grown:
    """A generated example beside its parent, in pieces with whether they differ."""

    method: str
    label: str
    parent: Marked
    child: Marked
    parent_picture: str = ""
    picture: str = ""


def generated(outcome: Outcome) -> dict[str, list[Grown]]:
    """Samples by arm; arms that made the same examples are shown once."""
    by_arm: dict[str, list[Grown]] = {}
    seen: set[tuple[str, str]] = set()
    for example in outcome.generated:
        key = (example.parent_picture or example.parent, example.picture or example.text)
        if key in seen or len(by_arm.get(example.arm, ())) == _GENERATED:
            continue
        seen.add(key)
        parent, child = mark_changes(trim(example.parent, _READ), trim(example.text, _READ))
        grown = Grown(example.method, example.label, clip(parent, _SHOWN), clip(child, _SHOWN))
        grown = dataclasses.replace(grown, parent_picture=example.parent_picture, picture=example.picture)
        by_arm.setdefault(example.arm, []).append(grown)
    return by_arm


@dataclasses.dataclass(frozen=True)
class Refused:
    """A refused example beside its parent, in pieces with whether they differ."""

    reason: str
    detail: str
    label: str
    parent: Marked
    child: Marked
    parent_picture: str = ""
    picture: str = ""


@dataclasses.dataclass(frozen=True)
class GrowthPage:
    """What an arm's augmenters made. ``bars``: (method, guard, count, share of what was made), for each guard that refused."""

    rows: list[Quality]
    bars: list[tuple[str, str, int, float]]
    refused: list[Refused]
    has_gold: bool


def quality(outcome: Outcome) -> dict[str, GrowthPage]:
    """Figures and refused examples by arm."""
    return {arm: _growth_page(found) for arm, found in outcome.quality.items() if any(one.made for one in found)}


def _growth_page(found: Sequence[Quality]) -> GrowthPage:
    methods = [one.method for one in found]
    if len(set(methods)) < len(methods):  # one augmenter with two settings
        found = [dataclasses.replace(one, method=f"{one.method} ({number})") for number, one in enumerate(found, start=1)]
    bars = [
        (one.method, reason, count, count / one.made)
        for one in found
        for reason, count in one.refused.items()
        if count and one.made
    ]
    refused = []
    for example in (example for one in found for example in one.examples):
        parent, child = mark_changes(trim(example.parent, _READ), trim(example.text, _READ))
        refused.append(Refused(example.reason, example.detail, example.label, clip(parent, _SHOWN), clip(child, _SHOWN)))
    return GrowthPage(list(found), bars, refused, any(not math.isnan(one.gold) for one in found))


@dataclasses.dataclass(frozen=True)
class Hygiene:
    """Counts of removed examples: ``rows`` are places with a count per kind, then the sum."""

    kinds: list[str]
    rows: list[tuple[str, list[int], int]]
    examples: list[Mapping[str, Any]]
    inside_test: int


def hygiene(outcome: Outcome) -> Hygiene:
    """What ``data.hygiene`` removed; kinds that never occurred are left out."""
    removed: Mapping[str, Mapping[str, int]] = outcome.hygiene.get("removed", {})
    kinds = [kind for kind in dict.fromkeys(k for counts in removed.values() for k in counts) if _sum(removed, kind)]
    rows = [(place, [counts.get(kind, 0) for kind in kinds], sum(counts.values())) for place, counts in removed.items()]
    inside = sum(outcome.hygiene.get("inside_test", {}).values())
    return Hygiene(kinds, [row for row in rows if row[2]], _removed_examples(outcome.hygiene.get("examples", {})), inside)


def _sum(removed: Mapping[str, Mapping[str, int]], kind: str) -> int:
    return sum(counts.get(kind, 0) for counts in removed.values())


def _removed_examples(by_kind: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """A few of each kind: the least obvious kinds, listed last, are the ones a reader wants to check."""
    each = max(1, _REMOVED // max(1, sum(bool(examples) for examples in by_kind.values())))
    return [
        {**example, "kind": kind, "text": trim(example["text"]), "twin_text": trim(example["twin_text"])}
        for kind, examples in by_kind.items()
        for example in examples[:each]
    ]


@dataclasses.dataclass(frozen=True)
class Reproduce:
    """Commands, then groups of facts as (message key, pairs)."""

    commands: list[str]
    groups: list[tuple[str, list[tuple[str, str]]]]


#: Parts of the manifest by the heading under which they stand; other parts follow under ``other``.
_GROUPS = {"seeds": "seeds", "versions": "versions", "inputs": "hashes", "hardware": "hardware"}


def reproduce(manifest: Mapping[str, Any]) -> Reproduce:
    """The manifest as lists of facts."""
    commands = manifest.get("reproduce", [])
    groups = [(f"reproduce.{heading}", _pairs(manifest[part])) for part, heading in _GROUPS.items() if manifest.get(part)]
    other = {key: value for key, value in manifest.items() if key not in (*_GROUPS, "reproduce")}
    if other:
        groups.append(("reproduce.other", _pairs(other)))
    return Reproduce([commands] if isinstance(commands, str) else list(commands), groups)


def _pairs(facts: Any, prefix: str = "") -> list[tuple[str, str]]:
    if not isinstance(facts, Mapping):
        text = ", ".join(map(str, facts)) if isinstance(facts, Sequence) and not isinstance(facts, str) else str(facts)
        return [(prefix, text)]
    return [pair for key, value in facts.items() for pair in _pairs(value, f"{prefix} {key}".strip())]
