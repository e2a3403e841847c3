"""Classification metrics as pure functions of label codes ``(n,)`` and probabilities ``(n, c)``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Probabilities below this count as this, as in scikit-learn: one certain mistake costs 36 nats, not infinity.
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)


def accuracy(probabilities: Floats, labels: Codes) -> float:
    """Share of items whose most probable class (the first one, in a tie) is the label.

    >>> accuracy(np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]]), np.array([0, 1, 0]))
    0.6666666666666666
    """
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def macro_f1(probabilities: Floats, labels: Codes) -> float:
    """Unweighted mean of the F1 of every class that occurs among labels or predictions.

    A class that is predicted but never true, or true but never predicted, counts as 0.
    """
    predicted = probabilities.argmax(axis=1)
    c = probabilities.shape[1]
    hits = np.bincount(labels[predicted == labels], minlength=c)
    total = np.bincount(labels, minlength=c) + np.bincount(predicted, minlength=c)
    occurs = total > 0
    return float(np.mean(2 * hits[occurs] / total[occurs]))


def log_loss(probabilities: Floats, labels: Codes) -> float:
    """Mean negative log-probability of the label, in nats; probabilities are clipped at :data:`SMALLEST_PROBABILITY`."""
    true = probabilities[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.clip(true, SMALLEST_PROBABILITY, 1.0))))


def calibration_error(probabilities: Floats, labels: Codes, bins: int = 15) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over bins, weighted by how many items a bin holds.

    Bins of equal width over [0, 1], closed on the right; 15 of them, the setting of Guo et al. 2017 (On calibration of modern
    neural networks, eq. 3). It is biased
    upwards with few items (Roelofs et al. 2022): compare it between models measured on the same items only.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def score(probabilities: Floats, labels: Codes) -> dict[str, float]:
    """Every metric by name: accuracy, macro_f1, log_loss, calibration_error.

    Args:
        probabilities: ``(n, c)``, rows sum to 1.
        labels: ``(n,)`` codes in [0, c).
    """
    return {
        "accuracy": accuracy(probabilities, labels),
        "macro_f1": macro_f1(probabilities, labels),
        "log_loss": log_loss(probabilities, labels),
        "calibration_error": calibration_error(probabilities, labels),
    }
