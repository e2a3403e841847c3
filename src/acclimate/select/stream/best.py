"""Of rows that are nearly alike, the best stays: pairs of a pool that fit into no memory, gone through by the value of their rows.

Rows are to be looked at from the best to the worst, and one is left out that is alike to a row that stays. Which rows stay is known
without sorting, in rounds over the pairs (Blelloch, Fineman & Shun 2012, algorithm 2: the greedy maximal independent set): a row
stays once all better ones that are like it are left out; a row is left out once a better one that is like it stays. Each round
settles at least the best row of all that are open; on a random order they expect O(log² n) rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from acclimate.engine.storage import new_array

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def repeats_of_better(roots: Integers, pairs: Sequence[Path], values: Floats, work: Path) -> None:
    """Let every row that is left out name the row that stays instead, and every other one itself.

    Args:
        roots: ``(n,)``, filled here.
        pairs: files of ``(m, 2)`` rows that are alike; in any order, also several times.
        values: ``(n,)``, higher is better; of equal ones the earlier row is. Rows that are NaN are in no pair.
        work: a folder for two arrays of the same length.

    Raises:
        RunError: the disk is full.
    """
    better, waits = new_array(work / "better", np.int64, len(roots)), new_array(work / "waits", np.bool_, len(roots))
    roots[:] = -1
    better[:] = -1
    while True:
        for file in pairs:
            _look(np.load(file, allow_pickle=False), values, roots, better, waits)
        if not _settle(roots, better, waits):
            break
    del better, waits
    for name in ("better", "waits"):
        (work / name).unlink()


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _before(values: Floats, row: int, other: int) -> Any:  # pragma: no cover - compiled
    return values[row] > values[other] or (values[row] == values[other] and row < other)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _look(pairs: Integers, values: Floats, roots: Integers, better: Integers, waits: Any) -> None:  # pragma: no cover - compiled
    """Of each row that is open, the best row that stays and is like it; and whether a better one like it is open."""
    for pair in range(len(pairs)):
        first, second = pairs[pair, 0], pairs[pair, 1]
        if _before(values, second, first):
            first, second = second, first
        if roots[second] != -1:
            continue
        if roots[first] == -1:
            waits[second] = True
        elif roots[first] == first and (better[second] == -1 or _before(values, first, better[second])):
            better[second] = first


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _settle(roots: Integers, better: Integers, waits: Any) -> Any:  # pragma: no cover - compiled
    """Settle what can be; gives how many rows are still open."""
    left = 0
    for row in range(len(roots)):
        if roots[row] != -1:
            continue
        if better[row] != -1:
            roots[row] = better[row]
        elif not waits[row]:
            roots[row] = row
        else:
            left += 1
        waits[row] = False
    return left
