"""k-center: a pick whose rows stand far apart, so that no row left out is far from all of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def k_center(units: NDArray[np.float64]) -> Iterator[int]:
    """Rows in farthest-first order, all ``m`` of them: the first row, then always the one farthest from those before it.

    The greedy k-center algorithm (Gonzalez 1985; Sener & Savarese 2018, "Active learning for convolutional neural networks: a
    core-set approach", algorithm 1): after ``k`` rows the largest distance of any row to its nearest pick is at most twice the
    smallest that ``k`` rows can reach. Distances are Euclidean between unit vectors, which order rows as cosines do. Of equally far
    rows the earlier one is taken.

    Cost: ``m * d`` operations for each row taken; 3,200 of 9,600 rows with 384 components take 6 seconds of one core.

    Args:
        units: rows of length 1 (:func:`acclimate.select.similarity.cosine.unit_rows`), ``(m, d)``, the best row first.
    """
    nearest = np.full(len(units), -np.inf)  # the largest cosine to a row that was taken; +inf once taken itself
    row = 0
    for _ in range(len(units)):
        yield row
        np.maximum(nearest, units @ units[row], out=nearest)
        nearest[row] = np.inf
        row = int(nearest.argmin())
