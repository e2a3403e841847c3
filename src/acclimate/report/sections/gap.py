"""How far the source domains are from the target, and the map of both."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from acclimate.gap.base import GapReport, GapResult
from acclimate.report.figures import dots_path
from acclimate.strategy.outcome import Outcome

#: Points drawn per domain at most; more only blacken the map.
MOST_POINTS = 400
_SIDE, _MARGIN = 340.0, 8.0


@dataclasses.dataclass(frozen=True)
class GapTable:
    """Distances by source domain (None: the whole source) and method; warnings with the domains and method they concern."""

    methods: list[str]
    rows: list[tuple[str | None, list[GapResult | None]]]
    warnings: list[tuple[str, list[str | None], str]]


def gap_table(gap: GapReport) -> GapTable:
    """The whole source first, then its domains, nearest first by the first method."""
    methods = list(gap.results)
    parts = gap.by_domain if len(gap.by_domain) > 1 else {}
    ordered = sorted(parts.items(), key=lambda part: part[1][methods[0]].value if methods and methods[0] in part[1] else 0.0)
    named: list[tuple[str | None, Mapping[str, GapResult]]] = [(None, gap.results), *ordered]
    rows = [(name, [results.get(method) for method in methods]) for name, results in named]
    found: dict[tuple[str, str], list[str | None]] = {}
    for name, results in rows:
        for result in results:
            if result and result.warning:
                found.setdefault((result.method, result.warning), []).append(name)
    return GapTable(methods, rows, [(method, names, warning) for (method, warning), names in found.items()])


@dataclasses.dataclass(frozen=True)
class Layer:
    """The dots of one domain: a path, and a number for its colour (0 is the target)."""

    name: str
    colour: int
    path: str
    count: int


@dataclasses.dataclass(frozen=True)
class Map:
    """The scatter plot; ``selected`` is the layer of what one arm kept, drawn as rings, or None."""

    layers: list[Layer]
    selected: Layer | None
    explained: float
    shown: int
    total: int
    width: float = _SIDE
    height: float = _SIDE


def domain_map(outcome: Outcome) -> Map | None:
    """The map of source and target, with the rows that the first real selection kept ringed."""
    drawn = outcome.gap.map if outcome.gap else None
    if drawn is None or not len(drawn.points):
        return None
    places = _fit(drawn.points)
    domains = np.array(drawn.domains)
    names = sorted(dict.fromkeys(drawn.domains), key=lambda name: name == outcome.target)
    rows = {name: _thinned(np.flatnonzero(domains == name)) for name in names}
    sources = [name for name in names if name != outcome.target]
    colour = {name: 0 if name == outcome.target else 1 + sources.index(name) % 6 for name in names}
    layers = [Layer(name, colour[name], dots_path(places[rows[name]]), len(rows[name])) for name in names]
    shown = np.concatenate(list(rows.values()))
    return Map(layers, _selected(outcome, drawn.ids, places, shown), drawn.explained, len(shown), len(domains))


def _selected(outcome: Outcome, ids: list[str], places: np.ndarray, shown: np.ndarray) -> Layer | None:
    for arm, selection in outcome.selections.items():
        if not selection.method.startswith("random"):
            kept = frozenset(selection.source.ids[row] for row in selection.indices)
            rows = [row for row in shown if ids[row] in kept]
            return Layer(arm, 0, dots_path(places[rows]), len(rows)) if rows else None
    return None


def _thinned(rows: np.ndarray) -> np.ndarray:
    """At most :data:`MOST_POINTS` rows, evenly spaced."""
    return rows[np.linspace(0, len(rows) - 1, min(MOST_POINTS, len(rows))).astype(np.int64)]


def _fit(points: np.ndarray) -> np.ndarray:
    """Points ``(n, 2)`` into the square, both axes on one scale, centred, y upwards; far outliers stand on its border."""
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    span = float((high - low).max()) or 1.0
    unit = np.clip((points - (low + high) / 2) / span + 0.5, 0, 1)
    inner = _SIDE - 2 * _MARGIN
    return np.column_stack([_MARGIN + inner * unit[:, 0], _SIDE - _MARGIN - inner * unit[:, 1]])
