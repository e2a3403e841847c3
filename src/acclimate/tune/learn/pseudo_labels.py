"""Which of a model's guesses become labels, and of which class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def class_thresholds(guessed: Matrix, share: float) -> NDArray[np.float64]:
    """``exp(−k_c)``: for each class, the winning probability that the given share of the rows it wins reach (Zou 2018, section 4.2,
    algorithm 2), ``(c,)``; 1 for a class that wins none.

    Args:
        guessed: probabilities ``(n, c)``.
        share: above 0 and at most 1; of the rows of a class, rounded up.

    >>> class_thresholds(np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]]), 0.5).tolist()
    [0.9, 0.7]
    """
    winner, certainty = guessed.argmax(1), guessed.max(1)
    found = np.ones(guessed.shape[1])
    for number in np.unique(winner):
        ranked = np.sort(certainty[winner == number])[::-1]
        found[number] = ranked[int(np.ceil(share * len(ranked))) - 1]
    return found


def balanced(guessed: Matrix, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows, their labels) by class-normalised scores ``p_c / exp(−k_c)`` (Zou 2018, eq. 11): the label is the class of the largest
    score, and a row is taken where that is at least 1, so that a class which is never very certain gets its share too."""
    scores = guessed / np.maximum(class_thresholds(guessed, share), np.finfo(np.float64).tiny)
    rows = np.flatnonzero(scores.max(1) >= 1) if len(scores) else np.zeros(0, dtype=np.int64)
    return rows, scores[rows].argmax(1)


def surest(guessed: Matrix, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows, their labels): the given share of all rows, those with the largest winning probabilities, in order of row."""
    ranked = np.argsort(-guessed.max(1), kind="stable")[: int(np.ceil(share * len(guessed)))]
    rows = np.sort(ranked)
    return rows, guessed[rows].argmax(1)


def by_prior(guessed: Matrix, share: float, prior: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows, their labels): of every class its part of the given share of all rows, the likeliest pairs of row and class first.

    Args:
        prior: the part of each class ``(c,)``, sum 1.

    >>> [part.tolist() for part in by_prior(np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]), 1.0, np.array([0.5, 0.5]))]
    [[0, 1, 2], [0, 0, 1]]
    """
    left = np.ceil(share * len(guessed) * prior).astype(np.int64)
    total = int(np.ceil(share * len(guessed)))
    labels = np.full(len(guessed), -1)
    for pair in np.argsort(-guessed.ravel(), kind="stable").tolist():
        row, number = divmod(pair, guessed.shape[1])
        if labels[row] < 0 and left[number] and total:
            labels[row], left[number], total = number, left[number] - 1, total - 1
    rows = np.flatnonzero(labels >= 0)
    return rows, labels[rows]


def pseudo_labels(
    guessed: Matrix, share: float, *, balance: bool, confidence: float = 0.0, prior: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows, their labels) of the guesses that are taken.

    Args:
        guessed: probabilities ``(n, c)``.
        share: of the rows, or with ``balance`` of those of each class.
        confidence: rows whose winning probability is lower are left out.
        prior: see :func:`by_prior`, which is asked instead where this is given.

    >>> guessed = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]])
    >>> [part.tolist() for part in pseudo_labels(guessed, 0.5, balance=True)]
    [[0, 2], [0, 1]]
    """
    if prior is not None:
        rows, labels = by_prior(guessed, share, prior)
    else:
        rows, labels = balanced(guessed, share) if balance else surest(guessed, share)
    kept = guessed[rows].max(1) >= confidence if len(rows) else np.zeros(0, dtype=bool)
    return rows[kept], labels[kept]
