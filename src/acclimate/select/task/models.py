"""A model of each source domain, and what it says of the target's labelled examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.data.target import Target
from acclimate.select.base import Learner, Scorer
from acclimate.select.task.base import DomainScore, numbers, parts
from acclimate.select.task.resample import score_domains

#: What of a domain's model serves as features of a target example.
Features = Literal["outputs", "representation"]


@dataclasses.dataclass(frozen=True)
class DomainModel:
    """What was learned from one source domain.

    Attributes:
        examples: how many the pool has of it.
        classes: of the domain, sorted.
        scorer: the fitted model; None where the domain has one class only, so that there is nothing to learn.
    """

    examples: int
    classes: tuple[str, ...]
    scorer: Scorer | None

    def probabilities(self, batch: Domain) -> NDArray[np.float64]:
        """Probabilities of the domain's classes, ``(n, z)``; of a domain with one class, all 1."""
        return np.ones((len(batch), 1)) if self.scorer is None else self.scorer.predict_proba(batch)

    def features(self, batch: Domain, kind: Features) -> NDArray[np.float64]:
        """Features ``(n, d)`` of examples.

        Probabilities rather than their logarithms: they add up to 1, so that a linear model on them has an intercept without
        one being added, which LogME needs; for two classes they are one number, how sure the model is of either.
        """
        if kind == "outputs" or self.scorer is None:
            return self.probabilities(batch)
        return self.scorer.represent(batch)


def train_domains(learner: Learner, source: Domain, *, sample: int, seed: int) -> dict[str, DomainModel]:
    """Learn from at most ``sample`` labelled examples of each domain, by name."""
    models = {}
    for name, (drawn, count) in parts(source, sample, seed).items():
        classes = drawn.classes
        models[name] = DomainModel(count, classes, learner.fit(drawn, classes) if len(classes) > 1 else None)
    return models


def score_outputs(
    measure: Callable[[NDArray[np.float64], NDArray[np.int64]], float],
    learner: Learner,
    source: Domain,
    target: Target,
    *,
    features: Features = "outputs",
    sample: int,
    resamples: int,
    seed: int,
) -> list[DomainScore]:
    """Score each domain by a measure of what its model gives ``(n, d)`` against the target's labels ``(n,)``."""
    models = train_domains(learner, source, sample=sample, seed=seed)
    labels = numbers(target.labelled.labels)
    given = {name: model.features(target.labelled, features) for name, model in models.items()}
    statistics = {name: lambda rows, values=values: measure(values[rows], labels[rows]) for name, values in given.items()}
    examples = {name: model.examples for name, model in models.items()}
    return score_domains(statistics, examples, labels, resamples=resamples, seed=seed)
