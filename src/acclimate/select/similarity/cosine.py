"""Cosines that do not depend on the batch they are computed in, to the last bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Components are rounded to multiples of this. Products are then multiples of 2**-52, and those of unit vectors add up to at
#: most 1 in size, so every partial sum is exact in float64 and the order of summation (batch, threads, BLAS) cannot matter.
_GRID = 2.0**-26


def unit_rows(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows scaled to length 1 and rounded to a grid of 2**-26, ``(n, d)``; a zero row stays zero, NaN stays NaN.

    The product of two such matrices holds their cosines, exactly summed, within 1e-6 of the unrounded ones.
    """
    wide = np.ascontiguousarray(vectors, dtype=np.float64)
    norms = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    units = np.divide(wide, norms, out=np.zeros_like(wide), where=norms != 0)
    return on_grid(units)


def on_grid(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Components rounded to the grid of :func:`unit_rows`: products with unit rows are exact for vectors of length at most 1."""
    rounded: NDArray[np.float64] = np.round(vectors / _GRID) * _GRID
    return rounded
