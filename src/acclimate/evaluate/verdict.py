"""The answer to "did it help?": a paired difference, its interval, its corrected p-value and one word."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from acclimate.evaluate.bootstrap import bootstrap_interval
from acclimate.evaluate.intervals import difference_interval, difference_p_value
from acclimate.evaluate.tests import holm, mcnemar, wilcoxon_signed_rank

Verdict = Literal["helped", "no evidence", "hurt"]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """An arm against a control, paired over items and seeds.

    Attributes:
        arm, control: names.
        difference: mean accuracy of the arm minus that of the control, in points (0.01 = one percentage point).
        low, high: 95% interval of the difference, over items and seeds.
        p_value: see :func:`paired_p_value`; uncorrected.
        p_corrected: Holm-corrected over all arms compared with this control.
        test: which test: ``mcnemar`` (one seed) or ``wilcoxon`` (several).
        items, seeds: how many.
        verdict: see :func:`verdict`.
        bootstrap: the pigeonhole bootstrap's 95% interval over items × seeds, a second opinion that decides nothing.
    """

    arm: str
    control: str
    difference: float
    low: float
    high: float
    p_value: float
    p_corrected: float
    test: str
    items: int
    seeds: int
    verdict: Verdict
    bootstrap: tuple[float, float] | None = None


#: Items ``(n,)`` (names or codes), seeds ``(n,)`` and difference of correctness ``(n,)`` in {-1, 0, 1}, one row per item and seed.
Paired = tuple[ArrayLike, ArrayLike, ArrayLike]


def verdict(low: float, high: float, p_corrected: float, level: float = 0.05) -> Verdict:
    """One word: the interval must lie on one side of 0 *and* the corrected test must agree; otherwise there is no evidence.

    The interval asks whether other seeds and items would show the same, the correction whether several comparisons found it by
    chance.

    >>> verdict(0.01, 0.04, 0.003), verdict(-0.04, -0.01, 0.003), verdict(-0.01, 0.04, 0.003), verdict(0.01, 0.04, 0.2)
    ('helped', 'hurt', 'no evidence', 'no evidence')
    """
    if p_corrected >= level:
        return "no evidence"
    if low > 0:
        return "helped"
    return "hurt" if high < 0 else "no evidence"


def compare_paired(arm: str, control: str, items: ArrayLike, seeds: ArrayLike, difference: ArrayLike) -> Comparison:
    """One arm against a control; the p-value is not corrected (see :func:`verdicts` for several arms).

    Args:
        arm, control: names.
        items, seeds, difference: see :data:`Paired`.

    Raises:
        InputError: no rows, unequal lengths, values that are not finite, or an item measured twice with one seed.
    """
    return verdicts({arm: (items, seeds, difference)}, control)[0]


def verdicts(pairs: Mapping[str, Paired], control: str) -> list[Comparison]:
    """Every arm against one control, in the order given, with p-values corrected over them all (Holm).

    Args:
        pairs: for each arm its paired differences against ``control``.
        control: its name.

    >>> gains = ([f"item {i}" for i in range(50)], [0] * 50, [1] * 20 + [0] * 30)
    >>> [(c.arm, c.verdict, c.difference) for c in verdicts({"dsir": gains}, "target-only")]
    [('dsir', 'helped', 0.4)]
    """
    found = [_uncorrected(arm, control, *paired) for arm, paired in pairs.items()]
    corrected = holm([comparison.p_value for comparison in found])
    return [
        dataclasses.replace(comparison, p_corrected=p, verdict=verdict(comparison.low, comparison.high, p))
        for comparison, p in zip(found, corrected, strict=True)
    ]


def paired_p_value(items: ArrayLike, seeds: ArrayLike, difference: ArrayLike) -> float:
    """The larger of two p-values of no difference.

    The exact or rank test (McNemar with one seed, else Wilcoxon) asks about the items for the seeds at hand, and is right where
    differences are few. :func:`~acclimate.evaluate.intervals.difference_p_value` asks about other seeds too: where luck moves whole
    seeds, the first alone is nearly always small, and correcting it for five arms would let one without effect pass in 10 to 14% of
    comparisons.
    """
    rows = np.asarray(seeds)
    tested = mcnemar(difference) if len(np.unique(rows)) == 1 else wilcoxon_signed_rank(items, difference)
    return max(tested, difference_p_value(items, seeds, difference))


def _uncorrected(arm: str, control: str, items: ArrayLike, seeds: ArrayLike, difference: ArrayLike) -> Comparison:
    interval = difference_interval(items, seeds, difference)
    second = bootstrap_interval(items, seeds, difference)
    repetitions = len(np.unique(np.asarray(seeds)))
    p = paired_p_value(items, seeds, difference)
    return Comparison(
        arm=arm,
        control=control,
        difference=interval.mean,
        low=interval.low,
        high=interval.high,
        p_value=p,
        p_corrected=p,
        test="mcnemar" if repetitions == 1 else "wilcoxon",
        items=len(np.unique(np.asarray(items))),
        seeds=repetitions,
        verdict=verdict(interval.low, interval.high, p),
        bootstrap=(second.low, second.high),
    )
