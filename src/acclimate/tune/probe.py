"""The cheap fidelity: frozen features under a logistic regression."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from acclimate.errors import InputError, RunError
from acclimate.features.base import Embed
from acclimate.tune.examples import Examples
from acclimate.tune.linear import linear_logits, softmax
from acclimate.tune.shallow.base import Fitted

if TYPE_CHECKING:  # loaded when first fitted
    from sklearn.linear_model import LogisticRegression

#: Stops when no component of the gradient of the mean loss exceeds it. 1e-4, scikit-learn's default, leaves probabilities of lbfgs
#: that are off by 0.001.
TOLERANCE = 1e-6
#: Up to this many unknowns Newton's method with float32 features serves: on 16,489 MiniLM vectors half the time of lbfgs (0.4
#: against 0.8 CPU seconds) and probabilities within 0.000005 of the exact ones (lbfgs: 0.0005). Its Hessian grows with the square.
NEWTON_UNKNOWNS = 2_048
MAX_ITERATIONS = 5_000

Labels = NDArray[np.int64] | NDArray[np.float64]


@dataclasses.dataclass
class Probe:
    """Multinomial logistic regression on L2-normalised features.

    Use when: many arms must be compared in seconds; labels are few; as the first thing to try. Avoid when: the encoder does not
    separate the classes at all (accuracy near chance), which only fine-tuning can change.

    It runs on one thread: the optimiser's path depends on the order of sums, and so would the answer on the number of threads.

    Args:
        C: inverse strength of the L2 penalty. Of 1, 2, 4 and 10 on unit-length MiniLM vectors, 4 comes closest to the known
            baselines of four sentiment domains: within about a point of each.
    """

    C: float = 4.0

    def __post_init__(self) -> None:
        """Raises InputError: a penalty that is not above 0."""
        if not 0 < self.C < float("inf"):
            raise InputError(f"The probe's C is {self.C!r}", expected="a number above 0")
        self.weight: NDArray[np.float64] = np.empty((0, 0))
        self.bias: NDArray[np.float64] = np.empty(0)

    def fit(
        self,
        features: NDArray[np.floating],
        labels: Labels,
        classes: int,
        weights: NDArray[np.float64] | None = None,
    ) -> Self:
        """Learn from features ``(n, d)``.

        Args:
            labels: class numbers ``(n,)``, or soft labels ``(n, classes)`` whose rows sum to 1.
            classes: how many there are; those absent from ``labels`` get probability 0.
            weights: of the examples, ``(n,)``; 1 where not given. Doubling all of them is halving the penalty, as in scikit-learn.

        Raises:
            InputError: nothing to learn from, one class only, or features, labels and weights of different lengths.
            RunError: the optimiser did not converge.
        """
        given = np.ones(len(features)) if weights is None else np.asarray(weights, dtype=np.float64)
        if not len(features) == len(labels) == len(given):
            raise InputError(
                f"{len(features)} feature rows, {len(labels)} labels and {len(given)} weights", expected="as many of each"
            )
        rows, numbers, shares = _hard_rows(labels, given)
        present = np.unique(numbers)
        if len(present) < 2 or present[-1] >= classes:
            raise InputError(
                f"The probe was given classes {present.tolist()}", expected=f"at least two of the class numbers 0 to {classes - 1}"
            )
        model = self._regression(unit_rows(features)[rows], numbers, shares)
        self.weight = np.zeros((classes, features.shape[1]))
        self.bias = np.full(classes, -np.inf)
        if len(present) == 2:  # scikit-learn keeps one row of weights for two classes: the second against the first
            self.weight[present[1]] = model.coef_[0]
            self.bias[present] = [0.0, model.intercept_[0]]
        else:
            self.weight[present] = model.coef_
            self.bias[present] = model.intercept_
        return self

    def _regression(
        self, features: NDArray[np.float64], numbers: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> LogisticRegression:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        classes = len(np.unique(numbers))
        unknowns = (classes if classes > 2 else 1) * (features.shape[1] + 1)
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("error")
            if unknowns <= NEWTON_UNKNOWNS:
                with contextlib.suppress(Warning):  # an ill-conditioned Hessian: the slower solver below needs none
                    newton = LogisticRegression(C=self.C, tol=TOLERANCE, solver="newton-cholesky")
                    return newton.fit(features.astype(np.float32), numbers, sample_weight=weights.astype(np.float32))
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", ConvergenceWarning)
            model = LogisticRegression(C=self.C, tol=TOLERANCE, max_iter=MAX_ITERATIONS, solver="lbfgs")
            try:
                return model.fit(features, numbers, sample_weight=weights)
            except ConvergenceWarning as error:
                raise RunError(
                    f"The probe did not converge within {MAX_ITERATIONS} iterations",
                    fix=f"use a stronger penalty (C below {self.C:g}) or look for extreme example weights",
                ) from error

    def predict_proba(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Features ``(n, d)`` to probabilities ``(n, classes)``; a row's answer depends on that row alone."""
        return softmax(linear_logits(unit_rows(features), self.weight, self.bias))


@dataclasses.dataclass(frozen=True)
class ProbedTexts:
    """A fitted probe, perhaps on adapted vectors, behind its embedder: texts in, probabilities out."""

    embed: Embed
    probe: Fitted
    classes: tuple[str, ...]

    @classmethod
    def fit(cls, embed: Embed, examples: Examples, classes: Sequence[str], probe: Probe | None = None) -> Self:
        """Embed the examples and fit the probe (a default one where none is given) on them."""
        fitted = (probe or Probe()).fit(embed(examples.contents), examples.labels, len(classes), examples.weights)
        return cls(embed, fitted, tuple(classes))

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """``n`` texts to ``(n, c)``."""
        return self.probe.predict_proba(self.embed(texts))


def unit_rows(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows scaled to length 1, ``(n, d)``; a row of zeros stays."""
    wide = np.asarray(features, dtype=np.float64)
    lengths = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    unit: NDArray[np.float64] = wide / np.where(lengths > 0, lengths, 1.0)
    return unit


def _hard_rows(labels: Labels, weights: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Soft labels as repeated rows: (row, class, weight × share) for every share above 0; the weighted loss is the same sum."""
    if labels.ndim == 1:
        return np.arange(len(labels), dtype=np.int64), labels.astype(np.int64), weights
    rows, numbers = np.nonzero(labels > 0)
    return rows.astype(np.int64), numbers.astype(np.int64), weights[rows] * labels[rows, numbers]
