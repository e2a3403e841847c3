"""The permutation test of two samples: how large would the distance be if the sides were drawn from one pot?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: Splits ``(b, N)`` of zeros and ones, 1 on the first side, to the statistic of each, ``(b,)``.
Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def statistics_by_chance(
    statistic: Statistic, sizes: tuple[int, int], *, permutations: int, seed: int, chunk: int
) -> NDArray[np.float64]:
    """The statistic for random splits of all rows into sides of the given sizes, ``(permutations,)``.

    ``chunk`` splits are handed to ``statistic`` together, which bounds its memory and changes no result.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for start in range(0, permutations, chunk):
        splits = np.zeros((min(chunk, permutations - start), sum(sizes)))
        for row in splits:
            row[rng.permutation(sum(sizes))[: sizes[0]]] = 1
        parts.append(statistic(splits))
    return np.concatenate(parts)


def p_value(observed: float, by_chance: NDArray[np.float64]) -> float:
    """The share of splits, the observed one among them, at least as far apart as it (Phipson & Smyth 2010, eq. 2).

    Values that differ by rounding alone count as equal.

    >>> p_value(3.0, np.array([1.0, 2.0, 4.0]))
    0.5
    """
    tolerance = 1e-9 * max(abs(observed), float(np.abs(by_chance).max()))
    return float((1 + np.sum(by_chance >= observed - tolerance)) / (1 + len(by_chance)))
