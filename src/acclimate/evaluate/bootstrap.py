"""The pigeonhole bootstrap over items × seeds: a second opinion beside the interval that decides."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from acclimate.evaluate.intervals import Interval


def bootstrap_interval(
    item: ArrayLike, seed: ArrayLike, difference: ArrayLike, level: float = 0.95, resamples: int = 2000, rng_seed: int = 0
) -> Interval:
    """Percentile interval of the mean difference; items and seeds are resampled independently of each other (Owen 2007, section 3).

    Use beside :func:`acclimate.evaluate.intervals.difference_interval`, as a check that needs no model of the variance. Do not
    decide by it: with three to five seeds it is too narrow where seeds disagree and too wide where they agree (the table there).

    Args:
        item, seed: ``(n,)`` names or codes; pairs may be missing, as when every seed validates on its own items.
        difference: ``(n,)``.
        resamples: how many; 2,000 place a 95% limit within a few hundredths of its standard error.

    >>> interval = bootstrap_interval([0, 1, 2, 3], [0, 0, 0, 0], [1, 0, 1, 0])
    >>> interval.mean, interval.low <= 0.5 <= interval.high
    (0.5, True)
    """
    items, rows = np.unique(np.asarray(item), return_inverse=True)
    seeds, columns = np.unique(np.asarray(seed), return_inverse=True)
    total = np.zeros((len(items), len(seeds)))
    count = np.zeros_like(total)
    np.add.at(total, (rows, columns), np.asarray(difference, dtype=np.float64))
    np.add.at(count, (rows, columns), 1.0)
    rng = np.random.default_rng(rng_seed)
    by_item = rng.multinomial(len(items), np.full(len(items), 1 / len(items)), size=resamples).astype(np.float64)
    by_seed = rng.multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), size=resamples).astype(np.float64)
    sums = ((by_item @ total) * by_seed).sum(axis=1)
    counts = ((by_item @ count) * by_seed).sum(axis=1)
    means = sums[counts > 0] / counts[counts > 0]  # a resample may hold no pair that was measured
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(total.sum() / count.sum()), float(low), float(high))
