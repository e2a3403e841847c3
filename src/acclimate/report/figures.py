"""Geometry of the figures: data to coordinates. The templates draw them as inline SVG, coloured by the page's style sheet."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class Scale:
    """A linear map of ``[low, high]`` onto ``[start, end]``; ``log`` maps the logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log10(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        return round(self.start + (at - low) / (high - low) * (self.end - self.start), 1)


def nice_step(span: float, count: int) -> float:
    """The step among 1, 2, 5 × 10^k that cuts ``span`` into at most ``count`` parts.

    >>> nice_step(7.3, 5), nice_step(0.04, 4)
    (2.0, 0.01)
    """
    if span <= 0:
        return 1.0
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    return float(next(f * power for f in (1.0, 2.0, 5.0, 10.0) if f * power >= raw * (1 - 1e-9)))


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers from ``low`` to ``high``."""
    step = nice_step(high - low, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


def extent(values: Sequence[float], pad: float = 0.06) -> tuple[float, float]:
    """The smallest range with some room that holds all values and 0."""
    low, high = min((0.0, *values)), max((0.0, *values))
    room = pad * ((high - low) or 1.0)
    return low - room, high + room


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 × 10^k within a range: only 1 where those are many, evenly spaced round numbers where they are few.

    >>> log_ticks(0.15, 7), log_ticks(80, 190)
    ([0.2, 0.5, 1.0, 2.0, 5.0], [100.0, 150.0])
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5) if low <= float(f"{digit}e{power}") <= high]
    if len(found) > 6:
        return [value for value in found if math.log10(value).is_integer()]
    return found if len(found) >= 3 else ticks(low, high, 3)


def place_labels(points: Sequence[tuple[float, float]], reach: float = 11.0) -> list[tuple[float, float]]:
    """A place for each point's number beside it, clear of the other points and numbers where there is room."""
    around = [(1, 0), (-1, 0), (0.8, -0.8), (-0.8, -0.8), (0.8, 0.8), (-0.8, 0.8), (1.9, 0), (-1.9, 0), (0, -1.6), (0, 1.6)]
    placed: list[tuple[float, float]] = []
    for number, (x, y) in enumerate(points):
        others = [point for k, point in enumerate(points) if k != number] + placed

        def crowding(offset: tuple[float, float], x: float = x, y: float = y, others: list[tuple[float, float]] = others) -> float:
            at = (x + reach * offset[0], y + reach * offset[1])
            return sum(max(0.0, reach - math.dist(at, other)) for other in others) + 0.01 * math.hypot(*offset)

        best = min(around, key=crowding)
        placed.append((round(x + reach * best[0], 1), round(y + reach * best[1], 1)))
    return placed


def dots_path(points: NDArray[np.float64]) -> str:
    """An SVG path with a dot at each of ``points (n, 2)``: strokes of no length with round ends, smaller than circles."""
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)


def histogram(values: NDArray[np.float64], kept: NDArray[np.bool_], bins: int = 40) -> list[tuple[int, int]]:
    """Counts of all and of kept ``values (n,)`` in bins of equal width over their range."""
    edges = np.linspace(values.min(), values.max() or 1.0, bins + 1) if np.ptp(values) else np.array([values[0] - 1, values[0] + 1])
    every, _ = np.histogram(values, edges)
    chosen, _ = np.histogram(values[kept], edges)
    return [(int(a), int(b)) for a, b in zip(every, chosen, strict=True)]
