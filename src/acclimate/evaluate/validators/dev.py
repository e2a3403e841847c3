"""Deep embedded validation: importance weighting whose variance a control variate takes down."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Modality
from acclimate.evaluate.validators.base import Need, Seen
from acclimate.evaluate.validators.ratio import density_ratio


@dataclasses.dataclass(frozen=True)
class Dev:
    """One minus the importance-weighted error with the weights themselves as control variate (You 2019, eq. 8 and 9).

    The mean of the weights is known to be 1; where the sample's is not, the estimate is corrected by as much as weight and
    weighted error go together.

    Use when: ``importance-weighted`` would do, but some weights are large. Avoid when: it would not: the correction takes away
    variance, not the error of the weights themselves.
    """

    needs: ClassVar[tuple[Need, ...]] = ("features", "source held out")
    range: ClassVar[str] = "an estimate of the accuracy on the target, at best 1; it may leave 0 to 1"
    paper: ClassVar[str] = "You 2019"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image")
    summary: ClassVar[str] = "Importance-weighted accuracy with a control variate against large weights."
    summary_zh: ClassVar[str] = "以控制变量降低方差的重要性加权准确率（DEV）。"

    def score(self, seen: Seen) -> float:
        """One minus :func:`controlled_risk` of the errors on the held-out source."""
        probabilities, labels = seen.held()
        errors = (probabilities.argmax(axis=1) != labels).astype(np.float64)
        return 1 - controlled_risk(errors, density_ratio(*seen.both_features(), seen.seed))


def controlled_risk(losses: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """``mean(w l) + η mean(w) − η`` with ``η = −Cov(w l, w) / Var(w)`` over ``(m,)`` (You 2019, eq. 9).

    >>> controlled_risk(np.array([1.0, 0.0, 1.0]), np.ones(3))  # nothing to correct
    0.6666666666666666
    """
    weighted = weights * losses
    spread = float(np.var(weights))
    eta = -float(np.cov(weighted, weights, bias=True)[0, 1]) / spread if spread > 0 else 0.0
    return float(weighted.mean() + eta * weights.mean() - eta)
