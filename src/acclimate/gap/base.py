"""What a gap method is, what it is given and what it gives back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.errors import InputError

#: Below this many rows on one side, a distance says more about the sample than about the domain.
FEW_ROWS = 50


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """Rows of a domain, with their vectors ``(n, d)`` where a method needs them."""

    domain: Domain
    vectors: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.domain)

    def embedded(self) -> NDArray[np.float64]:
        """The vectors ``(n, d)``.

        Raises:
            InputError: the sample was made without them.
        """
        if self.vectors is None:
            raise InputError(f"The sample of '{self.domain.name}' has no vectors", fix="embed it first, as `gap` does")
        return self.vectors.astype(np.float64)


@dataclasses.dataclass(frozen=True)
class GapResult:
    """One distance between two domains.

    Attributes:
        method: its name in ``METHODS``.
        value: the distance; larger is farther.
        low, high: 95% interval, None where the method has none.
        p_value: probability of a value this large between samples of one distribution, None where not tested.
        warning: what makes the number unreliable (saturation, tiny samples), empty when nothing does.
        details: further figures, JSON-ready (class proportions, overlap of vocabularies, ...).
    """

    method: str
    value: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    warning: str = ""
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class GapMethod(Protocol):
    """One way to measure how far apart two domains are.

    ``needs_embeddings``: samples must carry vectors. ``uses_source_labels``: reads the source's labels; those of the target are
    never read.
    """

    paper: ClassVar[str]
    modality: ClassVar[tuple[str, ...]]
    summary: ClassVar[str]
    summary_zh: ClassVar[str]
    needs_embeddings: ClassVar[bool]
    uses_source_labels: ClassVar[bool]

    def measure(self, source: Sample, target: Sample, *, seed: int = 0) -> GapResult:
        """The distance between two samples; equal samples and seeds give equal results.

        Raises:
            InputError: fewer than two rows on a side, or what the method needs is absent.
        """
        ...


def check_sizes(source: Sample, target: Sample) -> str:
    """Refuse sides of fewer than two rows; returns a warning where a side is small, else an empty string."""
    for sample in (source, target):
        if len(sample) < 2:
            raise InputError(
                f"'{sample.domain.name}' has {len(sample)} row{'' if len(sample) == 1 else 's'} to measure a distance with",
                expected=f"at least 2, better {FEW_ROWS} or more",
                fix="give more data",
            )
    fewest = min(len(source), len(target))
    return f"only {fewest} rows on one side: the figure is uncertain" if fewest < FEW_ROWS else ""


@dataclasses.dataclass(frozen=True, eq=False)
class DomainMap:
    """Both domains on one plane: ``points (n, 2)``, and for each point its id, domain, label (None for the target) and text.

    ``explained`` is the share of the variance of all vectors that the plane shows.
    """

    points: NDArray[np.float64]
    ids: list[str]
    domains: list[str]
    labels: list[str | None]
    texts: list[str]
    explained: float


@dataclasses.dataclass(frozen=True, eq=False)
class GapReport:
    """Every measured distance from one source to one target, for the whole source and for each of its domains.

    Attributes:
        source, target: names.
        results: by method, over the whole source.
        by_domain: for each source domain, its results by method.
        map: both domains on one plane, or None where no model was needed.
        notes: what could not be measured, and why.
    """

    source: str
    target: str
    results: Mapping[str, GapResult]
    by_domain: Mapping[str, Mapping[str, GapResult]]
    map: DomainMap | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready figures, without the map."""
        return {
            "source": self.source,
            "target": self.target,
            "results": {name: dataclasses.asdict(result) for name, result in self.results.items()},
            "by_domain": {
                domain: {name: dataclasses.asdict(result) for name, result in results.items()}
                for domain, results in self.by_domain.items()
            },
            "notes": list(self.notes),
        }


def rows_by_domain(source: Domain) -> dict[str, NDArray[np.int64]]:
    """The rows of each sub-domain, ascending; sub-domains in order of first appearance."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(source.domains):
        rows.setdefault(name, []).append(row)
    return {name: np.array(indices, dtype=np.int64) for name, indices in rows.items()}
