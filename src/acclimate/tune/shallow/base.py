"""What adapts frozen vectors is handed, and what it gives back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from acclimate.errors import InputError

if TYPE_CHECKING:  # recipes and listings read names and settings without loading scikit-learn
    from acclimate.tune.probe import Labels, Probe

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
#: One vector to another, ``(d,)`` to ``(k,)``.
RowMap = Callable[[Vector], Vector]


@dataclasses.dataclass(frozen=True, eq=False)
class Given:
    """Frozen vectors of unit length, and what is known of them.

    Attributes:
        features: labelled examples ``(n, d)``.
        labels: class numbers ``(n,)``, or soft labels ``(n, classes)``.
        weights: ``(n,)``.
        from_target: ``(n,)`` bool; nowhere true where no target label is learned from.
        unlabelled: target examples without labels ``(m, d)``.
        classes: how many.
        seed: of what is drawn.
    """

    features: Matrix
    labels: Labels
    weights: Vector
    from_target: NDArray[np.bool_]
    unlabelled: Matrix
    classes: int
    seed: int = 0

    @property
    def source(self) -> Matrix:
        """The labelled examples that are not the target's."""
        return self.features[~self.from_target]

    @property
    def target(self) -> Matrix:
        """All that is known of the target: labelled and unlabelled."""
        return np.vstack([self.features[self.from_target], self.unlabelled])

    def need(self, method: str, *, source: int = 2, target: int = 2) -> None:
        """Raise InputError unless there are so many examples on each side."""
        if len(self.source) < source or len(self.target) < target:
            raise InputError(
                f"{method} was given {len(self.source)} source and {len(self.target)} target vectors",
                expected=f"at least {source} and {target}",
                fix="add source examples or unlabelled target ones, or leave it out",
            )


class Fitted(Protocol):
    """What classifies the target's vectors."""

    def predict_proba(self, features: NDArray[np.floating], /) -> Matrix:
        """``(n, d)`` to ``(n, c)``; a row's answer depends on that row alone."""
        ...


class Shallow(Protocol):
    """Adapts frozen vectors before or while a probe is fitted on them."""

    def fit(self, given: Given, /) -> Fitted: ...


@dataclasses.dataclass(frozen=True, eq=False)
class Mapped:
    """A probe behind a map of the target's vectors."""

    probe: Probe
    row_map: RowMap

    def predict_proba(self, features: NDArray[np.floating]) -> Matrix:
        """``(n, d)`` to ``(n, c)``."""
        from acclimate.tune.probe import unit_rows

        if not len(features):
            return np.zeros((0, len(self.probe.bias)))
        return self.probe.predict_proba(map_rows(unit_rows(features), self.row_map))


def fit_mapped(given: Given, source: RowMap, target: RowMap) -> Mapped:
    """Map source rows by one function and target rows by the other, and fit a probe on all."""
    from acclimate.tune.probe import Probe

    mapped = np.empty((0, 0))
    for mine, row_map in ((False, source), (True, target)):
        rows = np.flatnonzero(given.from_target == mine)
        if len(rows):
            found = map_rows(given.features[rows], row_map)
            mapped = mapped if mapped.size else np.empty((len(given.features), found.shape[1]))
            mapped[rows] = found
    return Mapped(Probe().fit(mapped, given.labels, given.classes, given.weights), target)


def map_rows(features: Matrix, row_map: RowMap) -> Matrix:
    """Row by row on one thread: a product of matrices would choose its order of summation by the number of rows."""
    with threadpool_limits(1):
        return np.stack([row_map(row) for row in features])


def principal(features: Matrix, count: int) -> Matrix:
    """The directions of most variance, ``(d, k)`` with ``k ≤ count``, largest first; signs are fixed by the largest entry."""
    with threadpool_limits(1):
        _, values, directions = np.linalg.svd(features - features.mean(0), full_matrices=False)
    kept = directions[: min(count, int((values > 1e-9 * values[0]).sum()))]
    largest = np.abs(kept).argmax(1)
    signed: Matrix = (kept * np.sign(kept[np.arange(len(kept)), largest])[:, None]).T
    return signed


def whole(name: str, setting: str, value: object, low: int = 1) -> None:
    """Raise InputError unless it is a whole number of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise InputError(f"{name} was given {setting} {value!r}", expected=f"a whole number of at least {low}")


def between(name: str, setting: str, value: object, low: float, high: float = float("inf")) -> None:
    """Raise InputError unless it is a finite number above ``low`` and at most ``high``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low < value <= high or value == float("inf"):
        upto = "" if high == float("inf") else f" and at most {high:g}"
        raise InputError(f"{name} was given {setting} {value!r}", expected=f"a number above {low:g}{upto}")
