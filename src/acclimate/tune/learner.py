"""The probe as a :class:`acclimate.select.base.Learner`: how selectors train classifiers without knowing this floor."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from acclimate.data.domain import Domain
from acclimate.errors import InputError
from acclimate.features.base import Contents, Embed
from acclimate.tune.examples import class_numbers
from acclimate.tune.linear import linear_logits, softmax
from acclimate.tune.probe import Probe, unit_rows

#: Of the steps of a trajectory, the usual one.
MOMENTUM = 0.9

Layer = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclasses.dataclass(frozen=True, eq=False)
class LinearScorer:
    """Frozen unit-length features under a linear layer; implements :class:`acclimate.select.base.Scorer`."""

    embed: Embed
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    classes: tuple[str, ...]

    def represent(self, batch: Domain) -> NDArray[np.float64]:
        """Unit-length features, ``(n, d)``."""
        return unit_rows(self.embed(batch.contents))

    def predict_proba(self, batch: Domain) -> NDArray[np.float64]:
        """Class probabilities, ``(n, c)``."""
        if not len(batch):
            return np.zeros((0, len(self.classes)))
        return softmax(linear_logits(self.represent(batch), self.weight, self.bias))


@dataclasses.dataclass(frozen=True)
class ProbeLearner:
    """Trains a linear layer on frozen features: to the optimum (:meth:`fit`), or epoch by epoch (:meth:`trajectory`).

    Args:
        embed: examples to features.
        C: of the probe, see :class:`acclimate.tune.probe.Probe`.
        rate, batch_size: of the steps of a trajectory. With batches of 32 on MiniLM vectors of three ICWSM domains (means of 3
            seeds; held-out accuracy, the probe's in brackets), a rate of .3 reaches 80.3% (81.0) after one epoch of 13,000
            examples and 76.3% (76.5) after five epochs of 400. A rate of .03 is at 55.7% after two epochs of 400, one of 1
            falls from 80.4 to 77.6% between epochs of 13,000, larger ones to 70%. An epoch of 13,000 examples takes .03 s.
    """

    embed: Embed
    C: float = 4.0
    rate: float = 0.3
    batch_size: int = 32

    def __post_init__(self) -> None:
        """Raises InputError: a rate that is not above 0, or an empty batch."""
        if not 0 < self.rate < float("inf") or self.batch_size < 1:
            raise InputError(
                f"A learner with rate={self.rate} and batch_size={self.batch_size}",
                expected="a rate above 0 and batches of at least 1",
                fix="leave the defaults",
            )

    def fit(self, examples: Domain, classes: Sequence[str], weights: NDArray[np.float64] | None = None) -> LinearScorer:
        """The optimum for labelled examples; ``weights (n,)`` come on top of the data's own."""
        labels = class_numbers(examples.labels, classes)
        features = self.embed(examples.contents)
        given = examples.weights if weights is None else examples.weights * weights
        probe = Probe(self.C).fit(features, labels, len(classes), given)
        return LinearScorer(self.embed, probe.weight, probe.bias, tuple(classes))

    def trajectory(self, examples: Domain, classes: Sequence[str], *, epochs: int, seed: int) -> Iterator[LinearScorer]:
        """The layer after each epoch of stochastic gradient descent with momentum, from a small random start.

        The start and the order of the examples follow from ``seed``; the data's own weights count, scaled to mean 1. Classes
        absent from the examples get probability 0.
        """
        labels = class_numbers(examples.labels, classes)
        features = unit_rows(self.embed(examples.contents))
        weights = examples.weights / examples.weights.mean()
        present, numbers = np.unique(labels, return_inverse=True)
        layers = descend(features, numbers, weights, rate=self.rate, batch_size=self.batch_size, seed=seed)
        remembering = _LastRemembered(self.embed)
        for _, (weight, bias) in zip(range(epochs), layers, strict=False):
            whole, offsets = np.zeros((len(classes), features.shape[1])), np.full(len(classes), -np.inf)
            whole[present], offsets[present] = weight, bias
            yield LinearScorer(remembering, whole, offsets, tuple(classes))


def descend(
    features: NDArray[np.float64],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
    *,
    rate: float,
    batch_size: int,
    seed: int,
) -> Iterator[Layer]:
    """A softmax layer after each epoch of gradient descent on the mean cross-entropy of random batches; it never ends by itself.

    ``v <- MOMENTUM v - rate * gradient; w <- w + v``; weights start uniform within ±1/sqrt(d), biases at 0.

    Args:
        features: ``(n, d)``.
        labels: class numbers ``(n,)``, each of 0 to c - 1 at least once.
        weights: of the examples, ``(n,)``.

    Yields:
        weight ``(c, d)`` and bias ``(c,)``.
    """
    rng = np.random.default_rng(seed)
    count, dim = features.shape
    wide = np.hstack([features, np.ones((count, 1))])  # the bias is the weight of a constant
    wanted = np.eye(int(labels.max()) + 1)[labels]
    layer = np.hstack([rng.uniform(-1, 1, (wanted.shape[1], dim)) / np.sqrt(dim), np.zeros((wanted.shape[1], 1))])
    velocity = np.zeros_like(layer)
    while True:
        order = rng.permutation(count)
        with threadpool_limits(1):  # the same bytes whatever the number of threads
            for start in range(0, count, batch_size):
                rows = order[start : start + batch_size]
                errors = (softmax(wide[rows] @ layer.T) - wanted[rows]) * weights[rows, None]
                velocity = MOMENTUM * velocity - rate / len(rows) * errors.T @ wide[rows]
                layer = layer + velocity
        yield layer[:, :-1].copy(), layer[:, -1].copy()


class _LastRemembered:
    """An ``Embed`` that remembers its last answer: the scorers of a trajectory are asked about the same examples one after another.

    A domain hands out one and the same list of contents, so that its identity says enough; the list is kept, hence not reused.
    """

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._last: tuple[Contents, NDArray[np.float32]] | None = None

    def __call__(self, contents: Contents, /) -> NDArray[np.float32]:
        if self._last is None or self._last[0] is not contents:
            self._last = contents, self._embed(contents)
        return self._last[1]
