"""Which examples each optimiser step sees: fixed before training by the seed alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Batches among which texts are regrouped by length. On sentences of 26 tokens, batch 16: batches are 51 tokens long without
#: regrouping, 36 in windows of 8, 33 in windows of 50; small windows leave more to chance.
WINDOW = 8


def batch_order(
    count: int,
    batch_size: int,
    steps: int,
    rng: np.random.Generator,
    lengths: NDArray[np.int64] | None = None,
    beside: NDArray[np.bool_] | None = None,
    share: float = 0.0,
) -> NDArray[np.int64]:
    """Rows for every step, ``(steps, batch_size)``.

    Rows come in epochs: all ``count`` rows in random order, again and again, cut into batches; so after k epochs each row was seen
    k times, and a set smaller than a batch still fills it. With ``lengths`` ``(count,)``, rows inside a window of batches are
    sorted by length, so that less of a batch is padding, and the batches of the window are shuffled.

    Args:
        beside: ``(count,)``, True for the rows of a second stream, which has epochs of its own.
        share: of every batch that the second stream fills; where that is no whole number of rows, batches take turns so that
            after every one the share taken so far is off by less than a row.

    >>> batch_order(4, 2, 3, np.random.default_rng(0)).shape
    (3, 2)
    """
    total = steps * batch_size
    second = np.zeros(total, dtype=bool) if beside is None else _places(batch_size, steps, share)
    if beside is None:
        rows = _epochs(np.arange(count), total, rng)
    else:
        rows = np.empty(total, dtype=np.int64)
        rows[~second] = _epochs(np.flatnonzero(~beside), int((~second).sum()), rng)
        rows[second] = _epochs(np.flatnonzero(beside), int(second.sum()), rng)
    if lengths is None:
        return rows.reshape(steps, batch_size)
    # At most half an epoch: were it a whole one, the same rows would meet in every epoch.
    window = min(max(count // (2 * batch_size), 1), WINDOW)
    batches = []
    for start in range(0, total, window * batch_size):
        inside = slice(start, start + window * batch_size)
        chunk = rows[inside].copy()
        for stream in (~second[inside], second[inside]):  # a row keeps its stream's places, so shares stay
            chunk[stream] = chunk[stream][np.argsort(lengths[chunk[stream]], kind="stable")]
        grouped = chunk.reshape(-1, batch_size)
        batches.append(grouped[rng.permutation(len(grouped))])
    return np.concatenate(batches)


def visits(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each row was drawn before, ``(n,)``.

    >>> visits(np.array([3, 1, 3, 3, 1]))
    array([0, 0, 1, 2, 1])
    """
    order = np.argsort(rows, kind="stable")
    drawn = rows[order]
    first = np.searchsorted(drawn, drawn)
    counted = np.empty(len(rows), dtype=np.int64)
    counted[order] = np.arange(len(rows)) - first
    return counted


def _epochs(rows: NDArray[np.int64], total: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``total`` rows: all of them in random order, again and again."""
    if not total:
        return np.zeros(0, dtype=np.int64)
    drawn = [rows[rng.permutation(len(rows))] for _ in range(-(-total // len(rows)))]
    return np.concatenate(drawn)[:total].astype(np.int64)


def _places(batch_size: int, steps: int, share: float) -> NDArray[np.bool_]:
    """Which positions of all batches the second stream fills, ``(steps · batch_size,)``: the last ones of each batch."""
    taken = np.floor(share * batch_size * np.arange(steps + 1) + 1e-9).astype(np.int64)
    filled = np.diff(taken)
    places: NDArray[np.bool_] = (np.arange(batch_size) >= batch_size - filled[:, None]).ravel()
    return places
