"""Selecting whole domains: what all its methods share, mixtures, and the ranking that compares the methods."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from acclimate.data.domain import Domain, concatenate, from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.features.ngrams import hash_ngrams
from acclimate.select.base import Toolbox
from acclimate.select.run import select
from acclimate.select.task.base import DomainScore, ScoredDomains, parts
from acclimate.select.task.domain_rank import DomainRank
from acclimate.select.task.leep import Leep
from acclimate.select.task.mixture import Mixture, best_mixture, dirichlet_mixtures, exponentiated_step, gap_softmax
from acclimate.select.task.rank import SCORES, accuracies, kendall_w, rank_domains, summarise
from acclimate.select.task.resample import half_interval, shares_first, stratified_halves
from acclimate.tune.learner import ProbeLearner
from tests.shift import sentences


def embed(contents: Sequence[str]) -> NDArray[np.float32]:
    """A bag of hashed words: a real embedding, small and fast."""
    return hash_ngrams(contents, buckets=64, orders=(1,)).toarray().astype(np.float32)


LEARNER = ProbeLearner(embed)


def shuffled_labels(domain: Domain, seed: int) -> Domain:
    labels = np.random.default_rng(seed).permutation(np.array(domain.labels)).tolist()
    return from_columns(domain.name, domain.texts, labels, ids=domain.ids, domains=domain.domains)


def make_pool() -> Domain:
    """A shop whose labels are right, films whose labels mean nothing, and a domain of one class."""
    film = shuffled_labels(sentences("film", 60, 1), 2)
    one = sentences("shop", 20, 3, "praise")
    return concatenate("pool", [sentences("shop", 60, 0), film, one.take(np.arange(1, 20, 2))])


def make_target() -> Target:
    ward = sentences("clinic", 60, 4)
    return Target(
        "clinic",
        ward.take(range(30)),
        ward.take(range(30, 45)).without_labels(),
        Sealed(ward.take(range(45, 60)), "test"),
        ward.classes,
    )


def test_halves_hold_half_of_each_class_and_no_row_twice() -> None:
    labels = np.array([0] * 10 + [1] * 5 + [2])
    for half in stratified_halves(labels, 20, seed=0):
        assert len(set(half.tolist())) == len(half)
        assert np.bincount(labels[half]).tolist() == [5, 2, 1]


def test_the_interval_from_halves_is_that_of_the_mean_where_theory_knows_it() -> None:
    values = np.random.default_rng(0).normal(size=400)
    halves = stratified_halves(np.zeros(400, dtype=np.int64), 4000, seed=1)
    low, high = half_interval(float(values.mean()), values[halves].mean(axis=1))
    error = float(stats.sem(values))
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_equal_candidates_share_a_resample() -> None:
    assert shares_first(np.array([[1.0, 2.0], [1.0, 1.0]])).tolist() == [0.75, 0.25]


def test_ties_inside_a_domain_never_carry_an_example_past_a_better_domain() -> None:
    near = [DomainScore(name, score, None, None, 5) for name, score in (("a", 0.3), ("b", 0.3 + 1e-9), ("c", 5.0))]
    scored = ScoredDomains.of("leep", near, seed=0)
    batch = from_columns("pool", ["x"] * 15, domains=["a", "b", "c"] * 5)
    names = [batch.domains[row] for row in np.argsort(-scored.score(batch))]
    assert names == ["c"] * 5 + ["b"] * 5 + ["a"] * 5
    assert len(set(scored.score(batch).tolist())) == 15
    with pytest.raises(InputError, match="'nowhere', which it was not fitted on"):
        scored.score(from_columns("other", ["x"], domains=["nowhere"]))


def test_a_budget_that_ends_inside_a_domain_takes_a_random_part_whatever_the_order_of_the_file() -> None:
    pool, target = make_pool(), make_target()
    tools = Toolbox(embed, learner=LEARNER)
    order = np.random.default_rng(0).permutation(len(pool))
    picks = []
    for source in (pool, pool.take(order)):
        picked = select(source, target, method="leep", budget=20, tools=tools)
        picks.append([source.ids[row] for row in picked.indices])
    assert picks[0] == picks[1]
    rows = sorted(int(name.split(":")[1]) for name in picks[0])
    assert max(rows) > 40  # not the head of the file
    other = select(pool, target, method="leep", budget=20, seed=1, tools=tools)
    assert {pool.ids[row] for row in other.indices} != set(picks[0])


def test_a_sample_of_each_domain_follows_from_ids_and_seed() -> None:
    pool = make_pool()
    order = np.random.default_rng(1).permutation(len(pool))
    one, other = parts(pool, 7, seed=0), parts(pool.take(order), 7, seed=0)
    assert {name: (part.ids, count) for name, (part, count) in one.items()} == {
        name: (part.ids, count) for name, (part, count) in other.items()
    }
    assert one["praise"][1] == 10
    assert parts(pool, 7, seed=1)["shop"][0].ids != one["shop"][0].ids


def test_a_domain_whose_labels_help_comes_before_one_whose_labels_mean_nothing() -> None:
    domains = Leep(LEARNER).fit(make_pool(), make_target()).domains
    assert domains[0].name == "shop"
    assert domains[0].low is not None
    assert domains[0].low < domains[0].score
    assert domains[0].first is not None
    assert domains[0].first > 0.9
    assert {domain.name: domain.examples for domain in domains} == {"shop": 60, "film": 60, "praise": 10}


def test_label_spaces_may_differ() -> None:
    pool = make_pool()
    stars = {"good": "five stars", "bad": "one star"}
    renamed = from_columns("pool", pool.texts, [stars[str(label)] for label in pool.labels], ids=pool.ids, domains=pool.domains)
    honest, other = (Leep(LEARNER).fit(source, make_target()).domains for source in (pool, renamed))
    assert [domain.name for domain in other] == [domain.name for domain in honest]
    assert other[0].score == pytest.approx(honest[0].score)


def test_domains_too_small_to_measure_come_last_and_say_why() -> None:
    pool = make_pool()
    lonely = from_columns("lonely", ["a nurse"], ["good"], domains=["lonely"])
    fitted = DomainRank(embed, resamples=3).fit(concatenate("pool", [pool, lonely]), make_target())
    assert fitted.domains[-1].name == "lonely"
    assert "not measured: 'lonely' has 1 row" in fitted.domains[-1].note
    assert all(domain.low is None for domain in fitted.domains)  # the domains do not share resamples any more
    with pytest.raises(InputError, match=r"Unknown gap measure 'mdm'.*did you mean 'mmd'"):
        DomainRank(embed, "mdm").fit(pool, make_target())


def test_gap_weights_fall_with_the_distance_whatever_its_unit() -> None:
    gaps = np.array([0.1, 0.2, 0.4])
    weights = gap_softmax(gaps, 0.2)
    assert weights.sum() == pytest.approx(1)
    assert np.log(weights[0] / weights[2]) == pytest.approx(0.75 / 0.2)
    np.testing.assert_allclose(gap_softmax(gaps * 1000, 0.2), weights)
    np.testing.assert_allclose(gap_softmax(np.array([-0.1, -0.2]), 0.2), [0.5, 0.5])


def test_an_exponentiated_step_is_the_softmax_of_the_gradient_on_a_smoothed_simplex() -> None:
    weights, excess = np.array([0.2, 0.3, 0.5]), np.array([1.0, -2.0, 0.5])
    moved = weights * np.exp(2 * excess)
    np.testing.assert_allclose(exponentiated_step(weights, excess, 2.0, 0.0), moved / moved.sum())
    assert exponentiated_step(weights, np.array([0.0, -1e6, 0.0]), 2.0, 0.03)[1] == pytest.approx(0.01)


def test_regression_finds_the_best_mixture_of_a_known_loss() -> None:
    rng = np.random.default_rng(0)
    best = np.array([0.6, 0.3, 0.1])
    tried = dirichlet_mixtures(np.full(3, 1 / 3), 64, rng)
    np.testing.assert_allclose(tried.sum(axis=1), 1)
    losses = np.square(tried - best).sum(axis=1) + rng.normal(0, 0.005, 64)
    found, explained = best_mixture(tried, losses, dirichlet_mixtures(np.full(3, 1 / 3), 5000, rng))
    np.testing.assert_allclose(found, best, atol=0.06)
    assert explained > 0.9
    assert best_mixture(tried, rng.normal(size=64), tried)[1] < 0.3


@pytest.mark.parametrize("kind", ["excess-loss", "regmix"])
def test_mixtures_that_read_labels_prefer_the_domain_whose_labels_help(kind: str) -> None:
    fitted = Mixture(embed, LEARNER, weights=kind, proxies=24, resamples=5).fit(make_pool(), make_target())
    weights = {domain.name: domain.score for domain in fitted.domains}
    assert max(weights, key=lambda name: weights[name]) == "shop"
    assert sum(weights.values()) == pytest.approx(1)


def test_kept_examples_follow_the_mixture() -> None:
    pool = concatenate("pool", [sentences("shop", 1000, 0), sentences("film", 3000, 1)])
    fitted = Mixture(embed, temperature=2.0, sample=50, resamples=0).fit(pool, make_target())
    weight = next(domain.score for domain in fitted.domains if domain.name == "shop")
    kept = np.argsort(-fitted.score(pool))[:300]
    share = float(np.mean([pool.domains[row] == "shop" for row in kept]))
    assert share == pytest.approx(weight, abs=3 * np.sqrt(weight * (1 - weight) / 300))
    assert abs(weight - 0.25) > 0.1  # not the pool's own share


def test_mixtures_that_read_labels_say_what_they_lack() -> None:
    pool, target = make_pool(), make_target()
    with pytest.raises(InputError, match="without a learner"):
        Mixture(embed, weights="regmix").fit(pool, target)
    with pytest.raises(InputError, match="without a label"):
        Mixture(embed, LEARNER, weights="regmix").fit(pool.without_labels(), target)
    foreign = from_columns("pool", pool.texts, ["odd"] * len(pool), domains=pool.domains)
    with pytest.raises(InputError, match="labels that the target does not have: odd"):
        Mixture(embed, LEARNER, weights="excess-loss").fit(foreign, target)


def test_agreement_is_one_for_equal_orders_and_follows_from_mean_correlations_without_ties() -> None:
    ranks = np.array([[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]])
    pairs = [stats.spearmanr(ranks[i], ranks[j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert kendall_w(ranks) == pytest.approx((1 + 2 * np.mean(pairs)) / 3)
    tied = np.array([[1.5, 1.5, 3.0], [1.5, 1.5, 3.0]])
    assert kendall_w(tied) == pytest.approx(1)
    assert kendall_w(np.array([[2.0, 2.0], [2.0, 2.0]])) == 0


def test_every_score_ranks_the_domains_and_doubts_are_said() -> None:
    ranking = rank_domains(make_pool(), make_target(), Toolbox(embed, learner=LEARNER))
    assert set(ranking.scores) == {*SCORES, "accuracy"}
    assert next(iter(ranking.mean_rank)) == "shop"
    assert ranking.agreement is not None
    assert 0 < ranking.agreement <= 1
    said = " ".join(ranking.notes)
    assert "3 domains can be in few orders" in said
    assert "30 labelled target examples" in said
    assert ranking.to_dict()["scores"]["leep"][0]["name"] == "shop"
    assert ranking.leading == "accuracy"
    assert ranking.order == [domain.name for domain in ranking.scores["accuracy"]]
    assert "accuracy 0.78, logme 0.74" in said  # what each was measured to be worth


def test_scores_that_cannot_be_had_are_named_or_refused() -> None:
    pool, target = make_pool().without_labels(), make_target()
    tools = Toolbox(embed, learner=LEARNER)
    ranking = rank_domains(pool, target, tools)
    assert set(ranking.scores) == {"domain-rank"}
    assert ranking.leading == "domain-rank"
    assert ranking.agreement is None
    assert any(note.startswith("leep was not computed: the source has examples without a label") for note in ranking.notes)
    with pytest.raises(InputError, match="'leep' cannot serve here"):
        rank_domains(pool, target, tools, ["leep"])
    with pytest.raises(InputError, match=r"Unknown domain score 'lep'.*did you mean 'leep'"):
        rank_domains(pool, target, tools, ["lep"])
    with pytest.raises(InputError, match="No score of domains applies"):
        rank_domains(sentences("shop", 10, 0), target, dataclasses.replace(tools, embed=None))


def test_scores_that_contradict_each_other_are_said_to() -> None:
    def scored(*names: str) -> list[DomainScore]:
        return [DomainScore(name, -float(place), None, None, 9) for place, name in enumerate(names)]

    split = summarise("clinic", {"leep": scored("a", "b", "c"), "otdd": scored("c", "b", "a")}, labels=100)
    assert split.agreement == pytest.approx(0)
    assert any("disagree" in note for note in split.notes)
    assert set(split.mean_rank.values()) == {2.0}


def test_the_accuracy_of_a_domain_of_one_class_is_the_share_of_that_class() -> None:
    found = {domain.name: domain.score for domain in accuracies(LEARNER, make_pool(), make_target())}
    assert found["praise"] == pytest.approx(0.5)
    assert found["shop"] > found["film"]
