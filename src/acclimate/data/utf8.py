"""Is it UTF-8, and is it ASCII? Asked of many strings inside one buffer at once."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from acclimate.data.wide import eight, padded

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]


def are_ascii(data: Bytes, starts: Integers, stops: Integers) -> NDArray[np.bool_]:
    """Whether each of ``n`` strings, ``data[starts[i]:stops[i]]``, is ASCII throughout, ``(n,)``."""
    found: NDArray[np.bool_] = _are_ascii(padded(data, int(stops.max(initial=0))), starts, stops)
    return found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _are_ascii(data: Bytes, starts: Integers, stops: Integers) -> NDArray[np.bool_]:  # pragma: no cover - compiled
    plain = np.empty(len(starts), np.bool_)
    for row in range(len(starts)):
        bits = np.uint64(0)
        place, stop = np.uint64(starts[row]), np.uint64(stops[row])
        while place + np.uint64(8) <= stop:
            bits |= eight(data, place)
            place += np.uint64(8)
        if place < stop:
            bits |= eight(data, place) & ((np.uint64(1) << ((stop - place) << np.uint64(3))) - np.uint64(1))
        plain[row] = bits & np.uint64(0x8080808080808080) == 0
    return plain


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def are_valid(data: Bytes, starts: Integers, stops: Integers) -> NDArray[np.bool_]:  # pragma: no cover - compiled
    """Whether each of ``n`` strings is well-formed UTF-8 (Unicode 15, table 3-7), ``(n,)``."""
    valid = np.ones(len(starts), np.bool_)
    for row in range(len(starts)):
        place, stop = starts[row], stops[row]
        while place < stop:
            first = data[place]
            if first < 0x80:
                place += 1
                continue
            size = 2 if 0xC2 <= first < 0xE0 else 3 if 0xE0 <= first < 0xF0 else 4 if 0xF0 <= first < 0xF5 else 0
            if size == 0 or place + size > stop:
                valid[row] = False
                break
            low, high = np.uint8(0x80), np.uint8(0xBF)
            if first == 0xE0:
                low = np.uint8(0xA0)
            elif first == 0xED:
                high = np.uint8(0x9F)
            elif first == 0xF0:
                low = np.uint8(0x90)
            elif first == 0xF4:
                high = np.uint8(0x8F)
            good = low <= data[place + 1] <= high
            for k in range(2, size):
                good = good and 0x80 <= data[place + k] <= 0xBF
            if not good:
                valid[row] = False
                break
            place += size
    return valid
