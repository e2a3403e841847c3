"""What measuring a gap gives back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain


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


@dataclasses.dataclass(frozen=True, eq=False)
class DomainMap:
    """Both domains on one plane: ``points (n, 2)``, and for each point its domain, label, text and row in its own domain."""

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
        map: both domains on one plane, or None where no model was given.
    """

    source: str
    target: str
    results: Mapping[str, GapResult]
    by_domain: Mapping[str, Mapping[str, GapResult]]
    map: DomainMap | None = None

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
        }


def split_by_domain(source: Domain) -> dict[str, Domain]:
    """The source's sub-domains by name, in order of first appearance."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(source.domains):
        rows.setdefault(name, []).append(row)
    return {name: source.take(indices, name) for name, indices in rows.items()}
