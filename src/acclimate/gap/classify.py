"""A linear classifier cross-fitted in closed form: each row predicted by a model that has not seen it, for the price of one fit."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

#: Ridge on the correlation matrix. Measured on 2,000 MiniLM vectors a side: within half a point of the best logistic regression for
#: telling domains and classes apart, at a tenth of its time.
RIDGE = 0.25


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What cross-fitted classifiers predict.

    Attributes:
        held_out: class number of each row, predicted by the classifier of the folds without it, ``(n,)``.
        votes: for each row of another sample, the share of the fold classifiers that predict each class, ``(m, k)``.
    """

    held_out: NDArray[np.int64]
    votes: Matrix


def cross_fit(x: Matrix, labels: NDArray[np.int64], other: Matrix, *, folds: int, seed: int) -> Predictions:
    """Regularised least-squares classification (Rifkin 2003) of one-hot labels, cross-fitted.

    Second moments are sums over rows, so those of "all folds but one" are a difference: the data are passed over once, whatever the
    number of folds. Classes weigh the same however many rows they have; features are standardised within the training folds.

    Args:
        x: ``(n, d)``.
        labels: class numbers 0 … k−1, each at least ``folds`` times, ``(n,)``.
        other: a sample to predict with all fold classifiers, ``(m, d)``, may be empty.
    """
    from sklearn.model_selection import StratifiedKFold

    counts = np.bincount(labels)
    k = len(counts)
    weights = (len(labels) / k / counts)[labels]
    middle = x.mean(0)  # moments about it lose fewer digits
    rows = np.column_stack([x - middle, np.ones(len(x))])
    answers = np.eye(k)[labels]
    parts = [held for _, held in StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, labels)]
    weighted = rows * weights[:, None]
    moments = np.stack([np.column_stack([weighted[part].T @ rows[part], weighted[part].T @ answers[part]]) for part in parts])
    predictions = Predictions(np.empty(len(x), dtype=np.int64), np.zeros((len(other), k)))
    for part, own in zip(parts, moments, strict=True):
        coefficients = _ridge(moments.sum(0) - own)
        predictions.held_out[part] = (rows[part] @ coefficients).argmax(1)
        votes = (np.column_stack([other - middle, np.ones(len(other))]) @ coefficients).argmax(1)
        predictions.votes[np.arange(len(other)), votes] += 1 / folds
    return predictions


def _ridge(moments: Matrix) -> Matrix:
    """Ridge regression on standardised features from weighted moments.

    Args:
        moments: ``(d+1, d+1+k)``, the sums of ``[x 1]ᵀ [x 1 y]``.
    Returns:
        coefficients on the features as they are, the intercept last, ``(d+1, k)``.
    """
    d = len(moments) - 1
    means = moments / moments[d, d]
    centre, answer = means[d, :d], means[d, d + 1 :]
    covariance = means[:d, :d] - np.outer(centre, centre)
    deviation = np.sqrt(np.maximum(covariance.diagonal(), 0))
    deviation[deviation < 1e-12] = 1  # a constant feature has no say, whatever it is divided by
    correlation = covariance / np.outer(deviation, deviation)
    towards = (means[:d, d + 1 :] - np.outer(centre, answer)) / deviation[:, None]
    slopes = np.linalg.solve(correlation + RIDGE * np.eye(d), towards) / deviation[:, None]
    return np.vstack([slopes, answer - centre @ slopes])
