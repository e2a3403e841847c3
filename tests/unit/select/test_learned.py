"""The learned selector: its search, its features, and that it finds what matters without seeing more than it may."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray

from acclimate.data.domain import Domain, from_images
from acclimate.data.make import make_target
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.features.diversity import DIVERSITIES, SIMILARITIES, distribution, proportions
from acclimate.features.ngrams import hash_ngrams
from acclimate.select.base import Scorer
from acclimate.select.importance.classifier import Classifier
from acclimate.select.importance.learned import EXTENDED, ExampleFeatures, Learned, is_clear_gain, search, standardise, weighted
from acclimate.select.importance.reducible_loss import own_loss
from acclimate.select.similarity.knn import Knn
from acclimate.tune.learner import LinearScorer, ProbeLearner
from tests.shift import pool, sentences


def embed(contents: Sequence[str] | Sequence[bytes], /) -> NDArray[np.float32]:
    """A bag of hashed words."""
    return hash_ngrams([str(text) for text in contents], buckets=256, orders=(1,)).toarray().astype(np.float32)


LEARNER = ProbeLearner(embed)


def clinic(labels: int = 30) -> Target:
    return make_target(sentences("clinic", labels, 1), test=sentences("clinic", 200, 2, "test"))


class Watched:
    """The probe, remembering which texts each of its classifiers learned from and was asked about."""

    def __init__(self) -> None:
        self.seen: list[tuple[list[str], list[str]]] = []

    def fit(self, examples: Domain, classes: Sequence[str], weights: NDArray[np.float64] | None = None) -> Scorer:
        return WatchedScorer(LEARNER.fit(examples, classes, weights), examples.texts, self.seen)

    def trajectory(self, examples: Domain, classes: Sequence[str], *, epochs: int, seed: int) -> Iterator[Scorer]:
        return LEARNER.trajectory(examples, classes, epochs=epochs, seed=seed)


@dataclasses.dataclass
class WatchedScorer:
    scorer: LinearScorer
    learned: list[str]
    seen: list[tuple[list[str], list[str]]]

    @property
    def classes(self) -> tuple[str, ...]:
        return self.scorer.classes

    def represent(self, batch: Domain) -> NDArray[np.float64]:
        return self.scorer.represent(batch)

    def predict_proba(self, batch: Domain) -> NDArray[np.float64]:
        self.seen.append((self.learned, batch.texts))
        return self.scorer.predict_proba(batch)


def points(count: int, seed: int, *, far: float = 0.0, wrong: float = 0.0) -> tuple[list[bytes], list[str], NDArray[np.bool_]]:
    """Pictures that hold a vector: of the class in the first place, of the domain in the second, the rest is noise.

    A share ``far`` lies in another domain, where the labels are the other way round; a share ``wrong`` has the other label.
    """
    rng = np.random.default_rng(seed)
    positive, away, swapped = rng.random(count) < 0.5, rng.random(count) < far, rng.random(count) < wrong
    vectors = rng.normal(size=(count, 6))
    vectors[:, 0] += np.where(positive, 2.0, -2.0)
    vectors[:, 1] += np.where(away, -4.0, 4.0)
    labels = np.where(positive ^ away ^ swapped, "good", "bad")
    return [vector.astype(np.float32).tobytes() for vector in vectors], labels.tolist(), ~(away | swapped)


def see(contents: Sequence[str] | Sequence[bytes], /) -> NDArray[np.float32]:
    """The vector that a picture holds."""
    return np.stack([np.frombuffer(content, np.float32) for content in contents])  # type: ignore[arg-type]


def seen_clinic(labels: int = 60) -> Target:
    images, names, _ = points(labels, 1)
    labelled, test = from_images("clinic", images, names), from_images("test", *points(20, 2)[:2])
    return Target("clinic", labelled, labelled.take([]).without_labels(), Sealed(test, "test"), ("bad", "good"))


def test_the_search_finds_the_weights_of_a_known_objective() -> None:
    wanted = np.array([0.8, -0.5, 0.1])
    found = search(lambda w: -((w - wanted) ** 2).sum(keepdims=True), ["a", "b", "c"], trials=120, first=[], seed=0)
    np.testing.assert_allclose(found, wanted, atol=0.35)
    assert ((found - wanted) ** 2).sum() < 0.1  # the best of 120 random ones, on average: 0.1


def test_the_search_starts_from_what_it_is_given_and_keeps_the_best() -> None:
    tried: list[list[float]] = []

    def objective(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        tried.append(weights.tolist())
        return -np.abs(weights - [0.0, 1.0]).sum(keepdims=True)

    found = search(objective, ["a", "b"], trials=5, first=[{"a": 1.0}, {"b": 1.0}], seed=3)
    assert tried[:2] == [[1.0, 0.0], [0.0, 1.0]]
    assert len(tried) == 5
    assert found.tolist() == [0.0, 1.0]


def test_what_is_proposed_must_gain_more_than_chance_does() -> None:
    noise = np.random.default_rng(0).normal(size=(1000, 50))
    calls = iter(range(1000))

    def noisy(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return noise[next(calls)] - 10 * float((weights == [1.0, 0.0]).all() - 1)

    assert search(noisy, ["a", "b"], trials=30, first=[{"a": 1.0}], seed=0).tolist() != [1.0, 0.0]  # a clear gain of 10

    same = np.tile([-1.0, 1.0], 25)
    luck = search(lambda w: same * float(w[0]) + 0.01 * float(w[1]), ["a", "b"], trials=30, first=[{"a": 1.0}], seed=0)
    assert luck.tolist() == [1.0, 0.0]
    assert is_clear_gain(np.array([0.2, 0.3, 0.1]))
    assert not is_clear_gain(np.array([0.0, 0.0]))


def test_the_search_says_nothing_and_leaves_optunas_voice_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.enable_propagation()
    with caplog.at_level(logging.DEBUG):
        search(lambda w: w, ["a"], trials=3, first=[], seed=0)
    optuna.logging.disable_propagation()
    assert caplog.records == []
    assert optuna.logging.get_verbosity() == before


def test_features_are_those_of_the_paper_against_the_pool_and_those_of_other_methods() -> None:
    source, target = pool(40), clinic()
    features = ExampleFeatures(embed, LEARNER, extended=True, seed=4).fit(source, target)
    values = dict(zip(features.names, features(source).T, strict=True))
    counts = hash_ngrams(source.texts, buckets=2**20, orders=(1,))
    rows, spread = proportions(counts), distribution(counts)
    mixed = 0.1 * distribution(hash_ngrams(target.inputs.texts, buckets=2**20, orders=(1,))) + 0.9 * spread
    for name, similarity in SIMILARITIES.items():
        assert values[name] == pytest.approx(similarity(rows, mixed) - similarity(rows, spread))
    for name, diversity in DIVERSITIES.items():
        assert values[name] == pytest.approx(diversity(counts, spread))
    assert (values["nearest"] == Knn(embed).fit(source, target).score(source)).all()
    assert (values["classifier"] == Classifier(embed, seed=4).fit(source, target).score(source)).all()
    assert (values["ease"] == -own_loss(LEARNER.fit(source, source.classes), source)).all()


def test_the_score_is_the_weighted_sum_of_standardised_features() -> None:
    source, target = pool(60), clinic()
    selector = Learned(embed, LEARNER, trials=4).fit(source, target)
    features = ExampleFeatures(embed, LEARNER, extended=True, seed=0).fit(source, target)(source)
    standard = standardise(features, features.mean(axis=0), features.std(axis=0))
    assert standard.std(axis=0).round(6).tolist() == [0.0 if column.std() == 0 else 1.0 for column in features.T]
    np.testing.assert_allclose(selector.score(source), weighted(standard, selector.weights_of_features), atol=1e-6)


def test_the_reason_names_the_largest_terms_of_the_sum() -> None:
    source = pool(60)
    selector = Learned(embed, LEARNER, trials=8).fit(source, clinic())
    for reason, score in zip(selector.reasons(source), selector.score(source), strict=True):
        terms = dict(part.rsplit(" ", 1) for part in reason.split(", "))
        assert set(terms) <= {*SIMILARITIES, *DIVERSITIES, *EXTENDED}
        sizes = [abs(float(value)) for value in terms.values()]
        assert sizes == sorted(sizes, reverse=True)
        assert abs(score) <= 14 * sizes[0] + 0.1


@pytest.mark.parametrize("measure", ["log-likelihood", "accuracy"])
@pytest.mark.parametrize(("shift", "informative"), [({"far": 0.6}, ("nearest", "classifier")), ({"wrong": 0.4}, ("ease",))])
def test_the_feature_that_matters_weighs_most_and_the_pick_beats_a_random_one(
    shift: dict[str, float], informative: tuple[str, ...], measure: Any
) -> None:
    images, labels, helpful = points(400, 0, **shift)
    source = from_images("pool", images, labels)
    selector = Learned(see, ProbeLearner(see), measure=measure, trials=15).fit(source, seen_clinic())
    weights = dict(zip(selector._features.names, selector.weights_of_features, strict=True))
    assert max(weights[name] for name in informative) == max(weights.values()) > 0
    best = np.argsort(-selector.score(source), kind="stable")[:80]
    assert helpful[best].mean() > 0.85  # chance: 0.4 and 0.6


def test_the_same_seed_gives_the_same_bytes_in_any_order_of_the_source_and_another_seed_others() -> None:
    source, order = pool(60), np.random.default_rng(0).permutation(60)

    def scores(rows: Domain, seed: int) -> bytes:
        return Learned(embed, LEARNER, trials=7, seed=seed).fit(rows, clinic()).score(source).tobytes()

    assert scores(source, 1) == scores(source.take(order), 1)
    assert scores(source, 1) != scores(source, 2)


@pytest.mark.parametrize(("labels", "folds"), [(30, 3), (30, 0), (8, 10), (2, 3)])
def test_what_judges_was_not_learned_from(labels: int, folds: int) -> None:
    target, learner, source = clinic(labels), Watched(), pool(60)
    Learned(embed, learner, trials=1, folds=folds).fit(source, target)
    judged = [(learned, asked) for learned, asked in learner.seen if not set(asked) <= set(source.texts)]
    assert all(set(learned).isdisjoint(asked) for learned, asked in judged)
    assert sorted(text for _, asked in judged for text in asked) == sorted(target.labelled.texts)  # each of them once
    fewest = min(target.labelled.labels.count(name) for name in target.classes)
    assert len(judged) == (min(folds, fewest) if min(folds, fewest) > 1 else 1)


def test_of_images_the_features_of_vectors_serve() -> None:
    source = from_images("pool", *points(60, 0)[:2])
    selector = Learned(see, ProbeLearner(see), trials=6).fit(source, seen_clinic())
    assert selector._features.names == EXTENDED
    assert np.isfinite(selector.score(source)).all()


def test_only_the_features_of_the_paper_where_those_are_asked_for() -> None:
    selector = Learned(embed, LEARNER, features="paper", trials=3).fit(pool(60), clinic())
    assert selector._features.names == (*SIMILARITIES, *DIVERSITIES)


def test_a_feature_that_does_not_vary_counts_nothing() -> None:
    values = np.array([[1.0, 5.0], [3.0, 5.0]])
    assert standardise(values, values.mean(axis=0), values.std(axis=0)).tolist() == [[-1, 0], [1, 0]]


@pytest.mark.parametrize("settings", [{"trials": 0}, {"folds": 1}, {"folds": -1}, {"share": 0.0}, {"share": 1.5}])
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="leave the defaults"):
        Learned(embed, LEARNER, **settings)
