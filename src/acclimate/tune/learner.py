"""The probe as a :class:`acclimate.select.base.Learner`: how selectors train classifiers without knowing this floor."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from acclimate.data.domain import Domain
from acclimate.features.base import Embed
from acclimate.tune.examples import class_numbers
from acclimate.tune.linear import linear_logits, softmax
from acclimate.tune.probe import Probe, unit_rows


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
        return softmax(linear_logits(self.represent(batch), self.weight, self.bias))


@dataclasses.dataclass(frozen=True)
class ProbeLearner:
    """Trains a linear layer on frozen features: to the optimum (:meth:`fit`), or epoch by epoch (:meth:`trajectory`).

    Args:
        embed: examples to features.
        C: of the probe, see :class:`acclimate.tune.probe.Probe`.
        rate, batch_size: of the steps of a trajectory; unit-length features make small gradients, hence the high rate.
    """

    embed: Embed
    C: float = 4.0
    rate: float = 1.0
    batch_size: int = 32

    def fit(self, examples: Domain, classes: Sequence[str], weights: NDArray[np.float64] | None = None) -> LinearScorer:
        """The optimum for labelled examples; ``weights (n,)`` come on top of the data's own."""
        labels = class_numbers(examples.labels, classes)
        features = self.embed(examples.contents)
        given = examples.weights if weights is None else examples.weights * weights
        probe = Probe(self.C).fit(features, labels, len(classes), given)
        return LinearScorer(self.embed, probe.weight, probe.bias, tuple(classes))

    def trajectory(self, examples: Domain, classes: Sequence[str], *, epochs: int, seed: int) -> Iterator[LinearScorer]:
        """The layer after each epoch of stochastic gradient descent with momentum, from a small random start."""
        labels = class_numbers(examples.labels, classes)
        features = unit_rows(self.embed(examples.contents))
        # Without a hidden layer this is the softmax layer itself; partial_fit is one epoch.
        network = MLPClassifier(
            (),
            solver="sgd",
            alpha=0.0,
            learning_rate_init=self.rate,
            batch_size=min(self.batch_size, len(labels)),
            random_state=seed,
        )
        present = np.unique(labels)
        for _ in range(epochs):
            with threadpool_limits(1):  # the same bytes whatever the number of threads
                network.partial_fit(features, labels, classes=present)
            yield LinearScorer(self.embed, *_full(network, present, len(classes)), tuple(classes))


def _full(network: MLPClassifier, present: NDArray[np.int64], classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights ``(c, d)`` and biases ``(c,)`` over all classes; one absent from the examples gets probability 0."""
    kernel, offset = network.coefs_[0], network.intercepts_[0]
    weight, bias = np.zeros((classes, kernel.shape[0])), np.full(classes, -np.inf)
    if len(present) == 2:  # scikit-learn keeps one logit for two classes: the second against the first
        weight[present[1]] = kernel[:, 0]
        bias[present] = [0.0, float(offset[0])]
    else:
        weight[present], bias[present] = kernel.T, offset
    return weight, bias
