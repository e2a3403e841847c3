"""A linear head in float64, row by row: what a row gets does not depend on which rows stand beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Rows multiplied at a time; bounds memory at ROWS × c × d numbers.
ROWS = 256


def linear_logits(features: NDArray[np.floating], weight: NDArray[np.floating], bias: NDArray[np.floating]) -> NDArray[np.float64]:
    """``(n, d)``, ``(c, d)``, ``(c,)`` to logits ``(n, c)``.

    A matrix product would choose its order of summation by the number of rows; the sum over the last axis here does not.
    """
    logits = np.empty((len(features), len(weight)))
    wide = np.asarray(weight, dtype=np.float64)
    for start in range(0, len(features), ROWS):
        block = np.asarray(features[start : start + ROWS], dtype=np.float64)
        logits[start : start + ROWS] = (block[:, None, :] * wide).sum(-1) + bias
    return logits


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n, c)`` logits to probabilities that sum to 1 in every row.

    >>> softmax(np.zeros((1, 2)))
    array([[0.5, 0.5]])
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
