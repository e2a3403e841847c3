"""TrAdaBoost against a naive reading of the paper's algorithm, and on labels that contradict the target."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from acclimate.data.domain import Domain, concatenate, from_columns
from acclimate.features.ngrams import hash_ngrams
from acclimate.select.importance.tradaboost import boost, source_factor, target_error, vote
from acclimate.tune.learner import ProbeLearner


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    return hash_ngrams(texts, buckets=64, orders=(1,)).toarray().astype(np.float32)


LEARNER = ProbeLearner(embed)
WORDS = {"good": ["fine", "great", "warm"], "bad": ["poor", "cold", "worn"]}


def reviews(name: str, count: int, seed: int, *, wrong: float = 0.0) -> Domain:
    """Two words of the label's own and two of anybody's; a share ``wrong`` is labelled the other way round."""
    rng = np.random.default_rng(seed)
    labels = ["good" if row % 2 else "bad" for row in range(count)]
    texts = [" ".join([*rng.choice(WORDS[label], 2), *rng.choice(["a", "the", "it", "was"], 2)]) for label in labels]
    flipped = rng.random(count) < wrong
    other = {"good": "bad", "bad": "good"}
    return from_columns(name, texts, [other[label] if flip else label for label, flip in zip(labels, flipped, strict=True)])


def test_boosting_follows_the_papers_algorithm_step_by_step() -> None:
    source, target, rounds = reviews("s", 30, 1, wrong=0.3), reviews("t", 30, 3, wrong=0.2), 3
    boosted = boost(LEARNER, source, target, rounds=rounds)
    n, m, both = 30, 30, concatenate("s", [source, target])
    w = [1.0] * (n + m)
    beta = 1 / (1 + math.sqrt(2 * math.log(n) / rounds))
    betas, probabilities = [], []
    for _ in range(rounds):
        p = [value / sum(w) for value in w]
        scorer = LEARNER.fit(both, ("bad", "good"), np.array(p) * (n + m))
        h = [("bad", "good")[row] for row in scorer.predict_proba(both).argmax(axis=1)]
        wrong = [int(guess != truth) for guess, truth in zip(h, both.labels, strict=True)]
        epsilon = sum(w[i] * wrong[i] for i in range(n, n + m)) / sum(w[n:])
        assert 0.001 <= epsilon <= 0.499  # nothing was clipped, so this is the paper's algorithm to the letter
        betas.append(epsilon / (1 - epsilon))
        w = [w[i] * (beta ** wrong[i] if i < n else betas[-1] ** -wrong[i]) for i in range(n + m)]
        probabilities.append(scorer.predict_proba(target))
    assert boosted.weights == pytest.approx(w[:n])
    assert boosted.betas == pytest.approx(betas)
    # The paper's output for two classes: the product over t = ceil(N/2) ... N of beta_t^-h_t against that of beta_t^-1/2.
    expected = []
    for row in range(m):
        left = math.prod(betas[t] ** -float(probabilities[t][row].argmax()) for t in range(1, rounds))
        expected.append("good" if left > math.prod(betas[t] ** -0.5 for t in range(1, rounds)) else "bad")
    assert boosted.predict(target) == expected


def test_wrongly_labelled_source_examples_lose_weight() -> None:
    honest, contrary = reviews("honest", 60, 3), reviews("contrary", 40, 4, wrong=1.0)
    boosted = boost(LEARNER, concatenate("s", [honest, contrary]), reviews("t", 30, 5), rounds=10, error="soft")
    assert boosted.weights[:60].min() > boosted.weights[60:].max()


def test_the_vote_of_several_classes_is_the_weighted_majority_of_the_second_half() -> None:
    rounds = np.zeros((4, 1, 3))
    for number, choice in enumerate([2, 0, 1, 1]):  # ceil(4 / 2) = 2: rounds 2, 3 and 4 vote
        rounds[number, 0, choice] = 1
    assert vote(rounds, np.array([1e-9, 0.01, 0.5, 0.5])).tolist() == [0]  # log 100 outweighs 2 log 2
    assert vote(rounds, np.array([1e-9, 0.5, 0.5, 0.5])).tolist() == [1]


def test_target_errors_at_which_boosting_has_no_footing_are_kept_in_bounds() -> None:
    assert target_error(np.ones(4), np.array([1.0, 1, 1, 0])) == 0.499
    assert target_error(np.ones(4), np.zeros(4)) == 0.001
    assert target_error(np.array([3.0, 1]), np.array([0.0, 1])) == 0.25


def test_one_source_example_is_never_punished() -> None:
    assert source_factor(1, 20) == 1.0
