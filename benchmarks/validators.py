"""What can be said of a model on a target without labels: three scores that are meant to be high where it is right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
#: Saito 2021, section 3.2.
TEMPERATURE = 0.05


def entropy(chances: Matrix) -> float:
    """Minus the mean entropy of the predictions ``(n, c)``, in nats (Morerio 2018): 0 where all are certain."""
    return float((chances * np.log(chances + 1e-12)).sum(1).mean())


def neighbourhood(chances: Matrix) -> float:
    """Soft neighbourhood density (Saito 2021, eq. 1 to 3): the mean entropy of each example's similarities to the others."""
    unit = chances / np.linalg.norm(chances, axis=1, keepdims=True)
    alike = unit @ unit.T / TEMPERATURE
    np.fill_diagonal(alike, -np.inf)
    powers = np.exp(alike - alike.max(1, keepdims=True))
    shares = powers / powers.sum(1, keepdims=True)
    return float(-(shares * np.log(shares + 1e-12)).sum(1).mean())


def nuclear(chances: Matrix) -> float:
    """The nuclear norm of the predictions over their number's root (Cui 2020, BNM): certain and spread over the classes."""
    return float(np.linalg.svd(chances, compute_uv=False).sum() / np.sqrt(len(chances)))


VALIDATORS: dict[str, Callable[[Matrix], float]] = {"entropy": entropy, "snd": neighbourhood, "bnm": nuclear}
