"""Paired tests on correctness, and the correction for making several of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, wilcoxon


def mcnemar(difference: ArrayLike) -> float:
    """Exact two-sided McNemar test (McNemar 1947): are wins and losses equally likely where two models disagree?

    Args:
        difference: ``(n,)`` in {-1, 0, 1}, one value per item.

    >>> mcnemar([1, 1, 1, 1, 1, 1, 0, 0])  # six wins, no loss: 2 / 2**6
    0.03125
    """
    values = np.asarray(difference)
    wins, losses = int((values > 0).sum()), int((values < 0).sum())
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def wilcoxon_signed_rank(item: ArrayLike, difference: ArrayLike) -> float:
    """Two-sided Wilcoxon signed-rank test (Wilcoxon 1945) over items, of each item's mean difference across seeds.

    Items without any difference are dropped; exact for few items without ties, else the normal approximation with tie correction.
    It speaks about items *for the seeds at hand*; the interval beside it speaks about other seeds too, and a verdict needs both.

    Args:
        item: ``(n,)`` names or codes.
        difference: ``(n,)``, one value per item and seed.
    """
    means = item_means(item, difference)
    means = np.round(means[np.abs(means) > 1e-12], 12)  # ties are ties: 1/3 + 1/3 + 1/3 is 1
    return float(wilcoxon(means).pvalue) if len(means) else 1.0


def item_means(item: ArrayLike, difference: ArrayLike) -> NDArray[np.float64]:
    """The mean difference of each item across its seeds, ``(items,)``, in order of item."""
    codes = np.unique(np.asarray(item), return_inverse=True)[1]
    return np.asarray(np.bincount(codes, np.asarray(difference, dtype=np.float64)) / np.bincount(codes))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Holm 1979), in the order given; keeps the family-wise error under any dependence.

    >>> [round(p, 10) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in corrected]
