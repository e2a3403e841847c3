"""Random numbers that belong to one picture: made from its own key by a counter, so that no neighbour can move them.

A key stands for (method, seed, parent id, parent content, copy); its numbers are those of :mod:`acclimate.engine.splitmix`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.engine.splitmix import GAMMA, mix64
from acclimate.engine.storage import content_hash

Keys = NDArray[np.uint64]
Floats = NDArray[np.float64]


def copy_keys(method: str, seed: int, name: str, content: bytes, times: int) -> Keys:
    """The keys of a parent's copies 1 to ``times``, ``(times,)``; those of fewer copies are a prefix of those of more.

    >>> bool((copy_keys("colour", 0, "a", b"", 2) == copy_keys("colour", 0, "a", b"", 3)[:2]).all())
    True
    """
    stream = np.uint64(int(content_hash(method, seed, name, content)[:16], 16))
    return mix64(stream + np.arange(1, times + 1, dtype=np.uint64) * GAMMA)


def signs(draws: Floats) -> Floats:
    """-1 below a half and 1 from there on, element by element."""
    return np.where(draws < 0.5, -1.0, 1.0)


def spread(draws: Floats, reach: float) -> Floats:
    """Numbers in [0, 1) laid evenly over ``[-reach, reach)``."""
    return (2 * draws - 1) * reach
