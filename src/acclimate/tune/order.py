"""Which examples each optimiser step sees: fixed before training by the seed alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Batches among which texts are regrouped by length. On sentences of 26 tokens, batch 16: batches are 51 tokens long without
#: regrouping, 36 in windows of 8, 33 in windows of 50; small windows leave more to chance.
WINDOW = 8


def batch_order(
    count: int, batch_size: int, steps: int, rng: np.random.Generator, lengths: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Rows for every step, ``(steps, batch_size)``.

    Rows come in epochs: all ``count`` rows in random order, again and again, cut into batches; so after k epochs each row was seen
    k times, and a set smaller than a batch still fills it. With ``lengths`` ``(count,)``, rows inside a window of batches are
    sorted by length, so that less of a batch is padding, and the batches of the window are shuffled.

    >>> batch_order(4, 2, 3, np.random.default_rng(0)).shape
    (3, 2)
    """
    total = steps * batch_size
    epochs = [rng.permutation(count) for _ in range(-(-total // count))]
    rows = np.concatenate(epochs)[:total].astype(np.int64)
    if lengths is None:
        return rows.reshape(steps, batch_size)
    # At most half an epoch: were it a whole one, the same rows would meet in every epoch.
    window = min(max(count // (2 * batch_size), 1), WINDOW)
    batches = []
    for start in range(0, total, window * batch_size):
        chunk = rows[start : start + window * batch_size]
        grouped = chunk[np.argsort(lengths[chunk], kind="stable")].reshape(-1, batch_size)
        batches.append(grouped[rng.permutation(len(grouped))])
    return np.concatenate(batches)
