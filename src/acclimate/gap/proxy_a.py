"""Proxy A-distance: how well a classifier tells the two domains apart."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy import stats

from acclimate.errors import InputError
from acclimate.gap.base import GapResult, Sample, check_sizes
from acclimate.gap.classify import cross_fit

#: Above this the classifier is almost never wrong, and larger or smaller means little.
SATURATED = 1.9


def a_distance(error: float) -> float:
    """``2 (1 − 2ε)`` (Ben-David 2010, section 4), held within 0 (chance or worse) and 2 (never wrong).

    >>> a_distance(0.5), a_distance(0.25), a_distance(0.0), a_distance(0.6)
    (0.0, 1.0, 2.0, 0.0)
    """
    return float(np.clip(2 * (1 - 2 * error), 0, 2))


class ProxyA:
    """Proxy A-distance from the cross-validated error of a linear classifier between the domains.

    Use when: you want a distance with a plain meaning (0: indistinguishable, 2: never confused) and an interval.
    Avoid when: it is saturated, as it often is between different corpora; then compare ``mmd`` or ``divergence``.

    Both sides are brought to the same number of rows, so that the error of guessing is one half. The 95% interval is Wilson's over
    the held-out predictions.

    Args:
        folds: of the cross-validation; fewer where a side has fewer rows.
    """

    paper: ClassVar[str] = "Ben-David et al. 2010"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Proxy A-distance 2(1 − 2ε) from a cross-validated domain classifier, with an interval."
    summary_zh: ClassVar[str] = "代理 A 距离 2(1 − 2ε)：由交叉验证的领域分类器得出，附置信区间。"
    needs_embeddings: ClassVar[bool] = True
    uses_source_labels: ClassVar[bool] = False

    def __init__(self, folds: int = 5) -> None:
        if folds < 2:
            raise InputError(f"folds {folds}", expected="at least 2, better 5")
        self.folds = folds

    def measure(self, source: Sample, target: Sample, *, seed: int = 0) -> GapResult:
        """The proxy A-distance, 0 to 2."""
        warning = check_sizes(source, target)
        rng = np.random.default_rng(seed)
        rows = min(len(source), len(target))
        sides = [sample.embedded()[np.sort(rng.permutation(len(sample))[:rows])] for sample in (source, target)]
        features, is_target = np.concatenate(sides), np.repeat([0, 1], rows)
        folds = min(self.folds, rows)
        predicted = cross_fit(features, is_target, features[:0], folds=folds, seed=seed).held_out
        wrong = int(np.sum(predicted != is_target))
        interval = stats.binomtest(wrong, 2 * rows).proportion_ci(0.95, method="wilson")
        error = wrong / (2 * rows)
        value = a_distance(error)
        if value > SATURATED:
            warning = f"saturated (above {SATURATED}): the domains are almost never confused; compare by mmd or divergence instead"
        details = {"error": error, "rows_per_side": rows, "folds": folds}
        return GapResult("proxy-a", value, a_distance(interval.high), a_distance(interval.low), None, warning, details)
