"""What a selector is and what it gives back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.data.target import Target
from acclimate.engine.storage import write_parquet


class Selector(Protocol):
    """Scores source examples by usefulness for the target.

    Class attributes say what a method needs, so that the caller can provide it and the cache can tell calls apart:
    ``needs_embeddings``: the constructor takes ``embed``; ``uses_target_labels``: ``fit`` reads ``target.labelled`` labels.
    The others describe it to people: ``paper`` (a short citation), ``modality``, and one line in English and in Chinese.
    """

    needs_embeddings: ClassVar[bool]
    uses_target_labels: ClassVar[bool]
    paper: ClassVar[str]
    modality: ClassVar[tuple[str, ...]]
    summary: ClassVar[str]
    summary_zh: ClassVar[str]

    def fit(self, source: Domain, target: Target) -> Self:
        """Learn what the target looks like against the source. Sees ``target.labelled`` and ``target.unlabelled`` only."""
        ...

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """Usefulness of each example, ``(n,)``, higher is more useful. Depends on the example alone, not on its batch."""
        ...

    def reasons(self, batch: Domain) -> list[str]:
        """Why each example scored as it did, one short line each, such as ``nearest=nyt:17 cosine=0.81``."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Selection:
    """What a selector kept.

    Attributes:
        method: name and settings, as one line.
        source: the pool it chose from.
        indices: kept rows of ``source``, best first, ``(k,)``.
        scores: the score of *every* source row, ``(n,)``.
        weights: the training weight of each kept row, ``(k,)``.
        reasons: one line for each kept row.
        notes: what a user should know about the choice, such as a budget larger than the pool.
    """

    method: str
    source: Domain
    indices: NDArray[np.int64]
    scores: NDArray[np.float64]
    weights: NDArray[np.float64]
    reasons: Sequence[str]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.indices)

    def to_domain(self) -> Domain:
        """The kept examples, best first, with their weights."""
        kept = self.source.take(self.indices)
        return kept.with_column("weight", pa.array(self.weights, pa.float64()))

    def to_table(self) -> pa.Table:
        """The kept examples with ``score``, ``weight``, ``rank`` (1 is best), ``reason`` and ``position`` in the source."""
        table = self.to_domain().table
        columns = {
            "score": pa.array(self.scores[self.indices], pa.float64()),
            "rank": pa.array(np.arange(1, len(self) + 1), pa.int64()),
            "reason": pa.array(list(self.reasons), pa.string()),
            "position": pa.array(self.indices, pa.int64()),
        }
        for name, values in columns.items():
            if name in table.column_names:
                table = table.rename_columns([f"{c}_original" if c == name else c for c in table.column_names])
            table = table.append_column(name, values)
        return table

    def to_parquet(self, path: Path) -> None:
        """Write :meth:`to_table` atomically."""
        write_parquet(path, self.to_table())
