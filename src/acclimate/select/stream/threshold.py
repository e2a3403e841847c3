"""The exact top of scores that are never all in memory: their threshold by radix selection over files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: (scores, costs) of one shard, both ``(n,)``; NaN where a record cannot be chosen.
Load = Callable[[int], tuple[Floats, Floats]]

#: Bits that one pass over the files decides.
_BITS = 16


@dataclasses.dataclass(frozen=True)
class Threshold:
    """Which records are taken: all above ``score``, and the first ``ties`` of those at it, in order of shard and position.

    Attributes:
        score: of the last one taken.
        ties: how many records of exactly that score are taken.
        taken: records above, and at it.
        spent: what they cost together.
    """

    score: float
    ties: int
    taken: int
    spent: float


def find_threshold(load: Load, shards: Sequence[int], limit: float) -> Threshold | None:
    """The longest run of best records whose costs stay within ``limit``; None if it holds not even one.

    Scores are mapped to whole numbers in the same order; of these, each pass decides sixteen bits by a histogram, so four passes
    over the files are exact, whatever the distribution, and memory does not depend on how many scores there are (Knuth 1998,
    exercise 5.2.5-10; the selection of the MSB radix sort). With costs of 1 this is the plain top ``limit``.

    Args:
        load: reads the scores of a shard, higher is better, and what each record costs.
        shards: in the order in which equal scores are taken.
        limit: of the costs.
    """
    prefix, spent, taken = np.uint64(0), 0.0, 0
    for shift in range(64 - _BITS, -1, -_BITS):
        cost, count = np.zeros(1 << _BITS), np.zeros(1 << _BITS, np.int64)
        for shard in shards:
            keys, costs = _keys(*load(shard))
            _histogram(keys, costs, np.uint64(shift), prefix, cost, count)
        kept = spent + np.cumsum(cost[::-1])
        over = np.flatnonzero((kept > limit) & (count[::-1] > 0))
        if not len(over):  # everything is within the limit
            lowest = np.flatnonzero(count)
            if not len(lowest):
                return None
            if shift == 64 - _BITS:
                return _everything(load, shards)
            digit = int(lowest[0])
        else:
            digit = (1 << _BITS) - 1 - int(over[0])
        spent += float(cost[digit + 1 :].sum())
        taken += int(count[digit + 1 :].sum())
        prefix = prefix << np.uint64(_BITS) | np.uint64(digit)
    score = _score(int(prefix))
    ties, at_it = _ties(load, shards, score, limit - spent)
    if taken + ties == 0:
        return None
    if ties:
        return Threshold(score, ties, taken + ties, spent + at_it)
    return Threshold(score, 0, taken, spent)


def _everything(load: Load, shards: Sequence[int]) -> Threshold:
    least, ties, taken, spent = np.inf, 0, 0, 0.0
    for shard in shards:
        scores, costs = load(shard)
        fine = ~np.isnan(scores)
        taken, spent = taken + int(fine.sum()), spent + float(costs[fine].sum())
        if fine.any() and scores[fine].min() < least:
            least, ties = float(scores[fine].min()), 0
        ties += int((scores == least).sum())
    return Threshold(least, ties, taken, spent)


def _ties(load: Load, shards: Sequence[int], score: float, left: float) -> tuple[int, float]:
    """How many records of exactly ``score`` fit into what is left, in order, up to the first that does not; and their cost."""
    ties, spent = 0, 0.0
    for shard in shards:
        scores, costs = load(shard)
        for cost in costs[scores == score].tolist():
            if spent + cost > left:
                return ties, spent
            ties, spent = ties + 1, spent + cost
    return ties, spent


def chosen(scores: Floats, threshold: Threshold, ties_before: int) -> NDArray[np.int64]:
    """The positions of a shard's records that are taken, ascending.

    Args:
        scores: of the shard, ``(n,)``.
        threshold: of the whole.
        ties_before: records at the threshold in earlier shards.
    """
    above = scores > threshold.score
    at = np.flatnonzero(scores == threshold.score)[: max(0, threshold.ties - ties_before)]
    above[at] = True
    return np.flatnonzero(above).astype(np.int64)


def _keys(scores: Floats, costs: Floats) -> tuple[NDArray[np.uint64], Floats]:
    """Numbers in the order of the scores (-0 as 0), without the records that cannot be chosen."""
    fine = ~np.isnan(scores)
    bits = (scores[fine] + 0.0).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign), costs[fine]


def _score(key: int) -> float:
    bits = key ^ (1 << 63) if key >> 63 else ~key & (2**64 - 1)
    return float(np.array([bits], np.uint64).view(np.float64)[0])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _histogram(keys: Any, costs: Any, shift: Any, prefix: Any, cost: Any, count: Any) -> None:  # pragma: no cover - compiled
    """Add up, by their next sixteen bits, the keys that begin with ``prefix``."""
    above = shift + np.uint64(_BITS)
    for row in range(len(keys)):
        if above < np.uint64(64) and (keys[row] >> above) != prefix:
            continue
        digit = (keys[row] >> shift) & np.uint64((1 << _BITS) - 1)
        cost[digit] += costs[row]
        count[digit] += 1
