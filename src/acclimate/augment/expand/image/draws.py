"""Random numbers that belong to one picture: made from its own key by a counter, so that no neighbour can move them.

A key stands for (method, seed, parent id, parent content, copy). Number ``j`` of a key is the output of SplitMix64 at
``key + (j + 1) γ`` (Steele, Lea & Flood 2014): vectorised over pictures, with no generator object to seed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.engine.storage import content_hash

Keys = NDArray[np.uint64]
Floats = NDArray[np.float64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def copy_keys(method: str, seed: int, name: str, content: bytes, times: int) -> Keys:
    """The keys of a parent's copies 1 to ``times``, ``(times,)``; those of fewer copies are a prefix of those of more.

    >>> bool((copy_keys("colour", 0, "a", b"", 2) == copy_keys("colour", 0, "a", b"", 3)[:2]).all())
    True
    """
    stream = np.uint64(int(content_hash(method, seed, name, content)[:16], 16))
    return scramble(stream + np.arange(1, times + 1, dtype=np.uint64) * _GAMMA)


def scramble(values: Keys) -> Keys:
    """The output function of SplitMix64: 64 bits of which each depends on every bit given."""
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))


def uniforms(keys: Keys, count: int) -> Floats:
    """``count`` numbers in [0, 1) for each of ``n`` keys, ``(n, count)``; a row depends on its key alone.

    >>> uniforms(np.array([7, 8], dtype=np.uint64), 3)[1].tolist() == uniforms(np.array([8], dtype=np.uint64), 3)[0].tolist()
    True
    """
    counters = keys[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _GAMMA
    return (scramble(counters) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def signs(draws: Floats) -> Floats:
    """-1 below a half and 1 from there on, element by element."""
    return np.where(draws < 0.5, -1.0, 1.0)


def spread(draws: Floats, reach: float) -> Floats:
    """Numbers in [0, 1) laid evenly over ``[-reach, reach)``."""
    return (2 * draws - 1) * reach
