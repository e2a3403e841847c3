"""What labels say before training: proportions, their shift, and how far linear rules in closed form carry over."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.gap.base import Sample
from acclimate.gap.classify import cross_fit

Matrix = NDArray[np.float64]
#: Fewer target labels than this say too little about proportions; they are estimated without labels then.
ENOUGH_LABELS = 30
#: A rule of the target's own labels is only cross-validated with at least so many of every class.
LEAST_PER_CLASS = 2
#: Draws behind the p-value of a shift seen in labels, and behind the estimate without labels.
DRAWS, RESAMPLES = 500, 40
#: A shift is not estimated without labels for more classes than this, nor by a rule whose confusion matrix has a smaller singular
#: value: of two classes, one that is right in less than 62.5% of either.
MOST_CLASSES, INFORMATIVE = 30, 0.25
_Z = 1.959964


def balance(labels: Sequence[str | None]) -> float | None:
    """Entropy of the class proportions over its largest value, 1 for equal classes; None for fewer than two classes.

    >>> balance(["a", "b", "a", "b"]), balance(["a", "a"])
    (1.0, None)
    """
    counts = np.array(list(Counter(label for label in labels if label is not None).values()), dtype=np.float64)
    if len(counts) < 2:
        return None
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(counts)))


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927).

    >>> low, high = wilson(5, 10)
    >>> round(low, 3), round(high, 3)
    (0.237, 0.763)
    """
    share, square = right / count, _Z**2 / count
    middle = (share + square / 2) / (1 + square)
    half = _Z / (1 + square) * float(np.sqrt(share * (1 - share) / count + square / count / 4))
    return middle - half, middle + half


@dataclasses.dataclass(frozen=True)
class Shift:
    """A distance between class proportions: total variation, its p-value, and whether labels or an estimate gave it."""

    value: float
    p: float | None
    origin: str


def label_shift(source: Sample, target: Sample, labelled: Sequence[str | None], seed: int) -> Shift | None:
    """How much commoner or rarer the classes are in the target.

    Args:
        source: a sample whose labelled rows are read, with vectors.
        target: a sample without labels, with vectors; read where there are too few labels.
        labelled: the target's known labels.
    """
    known = [label for label in labelled if label is not None]
    ours = [label for label in source.domain.labels if label is not None]
    if len(set(ours)) < 2:
        return None
    if len(known) >= ENOUGH_LABELS:
        return _of_labels(ours, known, seed)
    return _estimated(source, target, seed)


def _of_labels(source: Sequence[str], target: Sequence[str], seed: int) -> Shift:
    names = sorted({*source, *target})
    here, there = (np.array([Counter(side)[name] for name in names], dtype=np.float64) for side in (source, target))
    value = _variation(here, there)
    pooled = (here + there) / (here + there).sum()
    rng = np.random.default_rng(seed)
    draws = zip(rng.multinomial(len(source), pooled, DRAWS), rng.multinomial(len(target), pooled, DRAWS), strict=True)
    chance = [_variation(a.astype(np.float64), b.astype(np.float64)) for a, b in draws]
    return Shift(value, (1 + sum(one >= value for one in chance)) / (1 + DRAWS), "labels")


def _estimated(source: Sample, target: Sample, seed: int) -> Shift | None:
    """Lipton et al. 2018, where a linear rule of the source tells its own classes apart."""
    from acclimate.gap.label_shift import LabelShift

    counts = Counter(label for label in source.domain.labels if label is not None)
    if min(counts.values()) < LEAST_PER_CLASS or len(counts) > MOST_CLASSES or len(target) < 2:
        return None
    found = LabelShift(resamples=RESAMPLES).measure(source, target, seed=seed)
    if found.details["smallest_singular_value"] < INFORMATIVE:
        return None
    return Shift(found.value, found.p_value, "estimate")


def _variation(here: Matrix, there: Matrix) -> float:
    return float(np.abs(here / here.sum() - there / there.sum()).sum() / 2)


def transfer(source: Sample, target: Sample, seed: int) -> dict[str, Any]:
    """How often linear rules in closed form are right on the target's labels: the source's, and, held out, the target's own.

    Both are least-squares rules that a gap measure fits to tell domains apart (``gap.classify``); no model is trained.

    Returns:
        traits by name: ``chance``, and where they can be had ``transfer`` with its interval, ``learnable`` and ``h_score``.
    """
    from acclimate.select.task.h_score import h_score

    labels = [str(label) for label in target.domain.labels]
    if not labels:
        return {}
    counts = Counter(labels)
    found: dict[str, Any] = {"chance": max(counts.values()) / len(labels)}
    vectors = target.embedded()
    classes, numbers = np.unique(labels, return_inverse=True)
    fewest = min(counts.values())
    if len(classes) > 1 and fewest >= LEAST_PER_CLASS:
        held_out = cross_fit(vectors, numbers, vectors[:0], folds=min(5, fewest), seed=seed).held_out
        found["learnable"] = float(np.mean(held_out == numbers))
        found["h_score"] = h_score(vectors, numbers) / (len(classes) - 1)
    return found | _of_source(source, vectors, labels, seed)


def _of_source(source: Sample, vectors: Matrix, labels: Sequence[str], seed: int) -> dict[str, Any]:
    """What the source's rule says of the target's labelled examples."""
    known = set(labels)
    counts = Counter(label for label in source.domain.labels if label in known)
    usable = {label for label, count in counts.items() if count >= LEAST_PER_CLASS}
    rows = [row for row, label in enumerate(source.domain.labels) if label in usable]
    if len(usable) < 2:
        return {}
    classes, numbers = np.unique([str(source.domain.labels[row]) for row in rows], return_inverse=True)
    folds = min(5, *(counts[name] for name in usable))
    votes = cross_fit(source.embedded()[rows], numbers, vectors, folds=folds, seed=seed).votes
    right = int(sum(classes[vote] == label for vote, label in zip(votes.argmax(1), labels, strict=True)))
    low, high = wilson(right, len(labels))
    return {"transfer": right / len(labels), "transfer_low": low, "transfer_high": high}
