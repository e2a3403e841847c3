"""How far the answer of a search can be trusted: is there anything but noise, which trials may be the best, and what is its gain?

All of it is about the items that validation measures on, each with its mean over the repetitions.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from acclimate.evaluate.intervals import difference_interval
from acclimate.evaluate.tests import holm, mcnemar, wilcoxon_signed_rank
from acclimate.evaluate.verdict import Comparison, Verdict, verdict
from acclimate.strategy.search.judge import Measured

Floats = NDArray[np.float64]

#: Differences that chance would show less often than this are told apart.
LEVEL = 0.05
#: Random changes of sign behind a corrected interval: at 2,000 its 95% limit is within .5% of coverage.
FLIPS = 2_000
#: So many at once: memory does not grow with their number.
_BLOCK = 200


@dataclasses.dataclass(frozen=True)
class Spread:
    """Whether trials differ by more than chance.

    Attributes:
        observed: standard deviation of the trials' accuracies.
        by_chance: what it would be if settings made no difference, from how the same items are answered differently.
        p_value: of Cochran's Q, or its extension to means over repetitions.
        trials: how many were compared.
    """

    observed: float
    by_chance: float
    p_value: float
    trials: int

    @property
    def is_noise(self) -> bool:
        """Whether chance alone gives such differences."""
        return self.p_value >= LEVEL


def spread(right: Floats) -> Spread:
    """Test that all trials are equally good, from the same items under each (Cochran 1950; with means over repetitions, the test of
    a one-way layout with blocks by permutation, of which Q is the case of zeros and ones).

    Args:
        right: share of repetitions in which each item was right under each trial, ``(n, m)``.

    >>> spread(np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 1, 1]])).p_value < 0.15
    True
    """
    n, m = right.shape
    inside = right - right.mean(axis=1, keepdims=True)
    noise = float((inside**2).sum()) / (m - 1) if m > 1 else 0.0
    observed = float(right.mean(axis=0).std(ddof=1)) if m > 1 else 0.0
    if noise == 0:
        return Spread(observed, 0.0, 1.0, m)
    q = n**2 * float(np.var(right.mean(axis=0)) * m) / noise
    return Spread(observed, float(np.sqrt(noise) / n), float(chi2.sf(q, m - 1)), m)


@dataclasses.dataclass(frozen=True)
class Against:
    """A trial against the best one, on the repetitions of the search.

    Attributes:
        difference, low, high: its accuracy minus that of the best, and the 95% interval.
        p_corrected: of the paired test, Holm over all trials.
        may_be_best: whether it cannot be told from the best.
    """

    difference: float
    low: float
    high: float
    p_corrected: float
    may_be_best: bool


def against_best(items: list[str], draws: NDArray[np.int64], right: NDArray[np.int64], best: int) -> list[Against]:
    """Every trial against the best.

    Those that are not told from it contain the truly best one with 95% confidence, although the best was picked by the same
    figures: the truly best trial is left out only where some other one seems better than it at a level that is corrected over all
    of them (multiple comparisons with the best, Hsu 1984).

    Args:
        items, draws: of each row ``(n,)``.
        right: 0 or 1 ``(n, m)``.
        best: the column with the highest mean.
    """
    seeds = len(np.unique(draws))
    rows = [right[:, column] - right[:, best] for column in range(right.shape[1]) if column != best]
    p_values = holm([mcnemar(row) if seeds == 1 else wilcoxon_signed_rank(items, row) for row in rows])
    found = []
    for row, p in zip(rows, p_values, strict=True):
        interval = difference_interval(items, draws, row)
        told = p < LEVEL and interval.high < 0
        found.append(Against(interval.mean, interval.low, interval.high, p, not told))
    found.insert(best, Against(0.0, 0.0, 0.0, 1.0, may_be_best=True))
    return found


@dataclasses.dataclass(frozen=True)
class Gain:
    """A finalist against the default settings, on repetitions that the search did not see.

    Attributes:
        trial: its number.
        difference: accuracy of the finalist minus that of the default.
        low, high: 95% interval, corrected for the number of trials that were looked at.
        p_corrected: the same for the test.
        looked_at: how many trials.
        items, draws: how many were measured on.
        verdict: *helped*, *no evidence* or *hurt*.
    """

    trial: int
    difference: float
    low: float
    high: float
    p_corrected: float
    looked_at: int
    items: int
    draws: int
    verdict: Verdict


@dataclasses.dataclass(frozen=True, eq=False)
class Luckiest:
    """How lucky the best of many trials is where none of them differs from the default: the largest |t| of each random draw."""

    largest: Floats

    @classmethod
    def of(cls, differences: Floats, seed: int = 0) -> Luckiest:
        """From the items' differences to the default under every trial, ``(n, m)``.

        The differences of an item change sign together, at random, which leaves trials as alike as they are and takes any effect
        away (Westfall and Young 1993; Romano and Wolf 2005): twenty trials that answer alike count as one.
        """
        scale = np.sqrt((differences**2).sum(axis=0))
        kept = differences[:, scale > 0] / scale[scale > 0]
        if not kept.size:
            return cls(np.zeros(FLIPS))
        rng = np.random.default_rng(seed)
        return cls(np.concatenate([_largest(rng, kept) for _ in range(FLIPS // _BLOCK)]))

    @property
    def width(self) -> float:
        """How many standard errors a 95% interval must reach to either side to hold for the luckiest too; at least 1.96."""
        return max(float(np.quantile(self.largest, 1 - LEVEL)), 1.96)

    def p_value(self, standardised: float) -> float:
        """How often the luckiest trial is as far from no difference as this."""
        return float((1 + (self.largest >= abs(standardised)).sum()) / (1 + len(self.largest)))


def _largest(rng: np.random.Generator, standardised: Floats) -> Floats:
    """The largest |t| over trials of each of a block of random changes of sign, ``(b,)``."""
    signs = 2.0 * rng.integers(0, 2, size=(_BLOCK, len(standardised))) - 1.0
    return np.asarray(np.abs(signs @ standardised).max(axis=1))


def corrected(comparison: Comparison, trial: int, luck: Luckiest, looked_at: int) -> Gain:
    """A comparison on fresh repetitions, its interval widened and its p-value raised as befits the luckiest of many.

    Fresh repetitions have other folds and other seeds, but where all labels are in use the same items: what made a trial lucky on
    these has to be reckoned with.
    """
    factor = luck.width / 1.96
    half = (comparison.high - comparison.low) / 2
    low = comparison.difference - factor * (comparison.difference - comparison.low)
    high = comparison.difference + factor * (comparison.high - comparison.difference)
    p = max(luck.p_value(1.96 * comparison.difference / half) if half else 1.0, comparison.p_corrected)
    return Gain(
        trial, comparison.difference, low, high, p, looked_at, comparison.items, comparison.seeds, verdict(low, high, p, LEVEL)
    )


def item_means(measured: Measured, right: NDArray[np.int64]) -> Floats:
    """Mean over repetitions of each item, ``(items, m)``, from ``right (n, m)``."""
    names, places = np.unique(np.asarray(measured.items), return_inverse=True)
    sums = np.zeros((len(names), right.shape[1]))
    np.add.at(sums, places, right.astype(np.float64))
    return np.asarray(sums / np.bincount(places)[:, None])
