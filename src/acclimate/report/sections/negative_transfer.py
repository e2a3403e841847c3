"""What hurts: arms, augmentations and source domains, each against the same without it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from acclimate.report.figures import Scale, extent
from acclimate.strategy.outcome import Outcome, Suspect, SuspectKind

_KINDS: tuple[SuspectKind, ...] = ("arm", "augmentation", "domain")


@dataclasses.dataclass(frozen=True)
class Table:
    """The suspects of one kind, the most harmful first."""

    kind: SuspectKind
    rows: Sequence[Suspect]
    scale: Scale


@dataclasses.dataclass(frozen=True)
class Harm:
    """The section: tables, the names of those that are shown to hurt, and what could not be examined."""

    tables: Sequence[Table]
    culprits: Sequence[str]
    notes: Sequence[str]


def negative_transfer(outcome: Outcome) -> Harm | None:
    """The section's values; None where it was not asked for."""
    found = outcome.negative_transfer
    if found is None:
        return None
    tables = [_table(kind, [s for s in found.suspects if s.kind == kind]) for kind in _KINDS]
    return Harm([t for t in tables if t.rows], [s.name for s in found.culprits], found.notes)


def _table(kind: SuspectKind, suspects: Sequence[Suspect]) -> Table:
    bounds = [100 * bound for s in suspects for bound in (s.comparison.low, s.comparison.high)]
    return Table(kind, sorted(suspects, key=lambda s: s.comparison.difference), Scale(*extent(bounds), 4, 196))
