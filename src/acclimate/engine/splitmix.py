"""SplitMix64 as a function of a counter: numbers that belong to a key, whatever is drawn beside them.

Number ``j`` of a key is the finaliser at ``key + (j + 1) γ`` (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
generators"): vectorised over keys, with no generator object to seed. Kernels have the finaliser compiled, as
:func:`acclimate.data.wide.mix`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: The step between counters: the fractional part of the golden ratio, in 64 bits.
GAMMA = np.uint64(0x9E3779B97F4A7C15)


def mix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser, element by element: a bijection of 64 bits in which every bit depends on every other."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def uniforms(keys: NDArray[np.uint64], count: int, first: int = 0) -> NDArray[np.float64]:
    """The numbers ``first, ..., first + count - 1`` of each of ``n`` keys, uniform in [0, 1), ``(n, count)``.

    >>> uniforms(np.array([7, 8], dtype=np.uint64), 3)[1].tolist() == uniforms(np.array([8], dtype=np.uint64), 3)[0].tolist()
    True
    """
    counters = np.arange(first + 1, first + count + 1, dtype=np.uint64) * GAMMA
    return (mix64(keys[:, None] + counters[None, :]) >> np.uint64(11)).astype(np.float64) * 2.0**-53
