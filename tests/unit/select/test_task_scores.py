"""The mathematics of the scores of whole domains, each against a reference that shares none of its code."""

from __future__ import annotations

import itertools
import math

import numpy as np
import ot
import pytest
from numpy.typing import NDArray
from scipy import linalg, optimize, stats
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score

from acclimate.errors import InputError
from acclimate.select.task.h_score import h_score, ledoit_wolf_share
from acclimate.select.task.leep import leep
from acclimate.select.task.logme import logme
from acclimate.select.task.nce import nce
from acclimate.select.task.otdd import bures_wasserstein, otdd
from acclimate.select.task.task2vec import probe_fisher, task_distance
from acclimate.select.task.transrate import coding_rate, transrate


def material(count: int, dim: int, classes: int, seed: int, distance: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Gaussian features around class means."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % classes)
    return rng.normal(size=(classes, dim))[labels] * distance + rng.normal(size=(count, dim)), labels


def log_evidence(features: NDArray[np.float64], y: NDArray[np.float64], alpha: float, beta: float) -> float:
    """The marginal likelihood per example, as the density of one Gaussian over all of ``y``."""
    covariance = features @ features.T / alpha + np.eye(len(y)) / beta
    return float(stats.multivariate_normal(np.zeros(len(y)), covariance).logpdf(y)) / len(y)


@pytest.mark.parametrize(("count", "dim", "distance"), [(60, 5, 0.5), (25, 40, 0.2)])
def test_logme_is_the_largest_evidence_that_an_optimiser_finds(count: int, dim: int, distance: float) -> None:
    features, labels = material(count, dim, 3, seed=5, distance=distance)  # the evidence is largest where there is some noise
    best = []
    for label in range(3):
        y = (labels == label).astype(float)
        found = optimize.minimize(lambda v, y=y: -log_evidence(features, y, *np.exp(v)), [0.0, 0.0], method="Nelder-Mead")
        best.append(-found.fun)
    assert logme(features, labels, 3) == pytest.approx(np.mean(best), abs=1e-5)


def test_logme_does_not_depend_on_the_scale_or_rotation_of_features() -> None:
    features, labels = material(50, 6, 2, seed=1)
    rotation = linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    assert logme(100 * features @ rotation, labels, 2) == pytest.approx(logme(features, labels, 2), abs=1e-3)


def test_logme_is_finite_where_there_is_nothing_to_learn_and_refuses_foreign_classes() -> None:
    labels = np.arange(10) % 2
    for features in (np.zeros((10, 3)), np.ones((10, 3)), np.eye(10)):
        assert np.isfinite(logme(features, labels, 2))
        assert np.isfinite(logme(features, np.zeros(10, dtype=np.int64), 2))
    with pytest.raises(InputError, match="Class numbers"):
        logme(np.ones((10, 3)), labels, 1)


def test_leep_agrees_with_its_definition_written_as_loops() -> None:
    rng = np.random.default_rng(3)
    probabilities, labels = rng.dirichlet(np.ones(4), size=30), rng.integers(0, 3, 30)
    total = 0.0
    for row, label in enumerate(labels):
        expected = 0.0
        for z in range(4):
            joint = sum(probabilities[i, z] for i in range(30) if labels[i] == label) / 30
            marginal = sum(probabilities[i, z] for i in range(30)) / 30
            expected += joint / marginal * probabilities[row, z]
        total += math.log(expected)
    assert leep(probabilities, labels) == pytest.approx(total / 30)


def test_leep_of_certain_predictions_is_at_least_the_negative_conditional_entropy() -> None:
    """For hard labels the two are the same (Nguyen et al. 2020, property 1 with equality)."""
    rng = np.random.default_rng(4)
    source, labels = rng.integers(0, 4, 50), rng.integers(0, 3, 50)
    assert leep(np.eye(4)[source], labels) == pytest.approx(nce(source, labels))


def test_nce_is_the_mutual_information_less_the_entropy_of_the_labels() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 80)
    source = np.where(rng.random(80) < 0.6, labels + 10, rng.integers(10, 14, 80))
    entropy = stats.entropy(np.bincount(labels))
    assert nce(source, labels) == pytest.approx(mutual_info_score(source, labels) - entropy)
    assert nce(labels * 7, labels) == pytest.approx(0)
    assert nce(np.zeros(80, dtype=np.int64), labels) == pytest.approx(-entropy)


def test_h_score_of_one_feature_is_the_variance_that_the_label_explains() -> None:
    features, labels = material(40, 1, 2, seed=6)
    explained = LinearRegression().fit(labels[:, None], features[:, 0]).score(labels[:, None], features[:, 0])
    assert h_score(features, labels) == pytest.approx(explained)


def test_h_score_agrees_with_its_definition_and_is_free_of_a_linear_map() -> None:
    features, labels = material(200, 4, 3, seed=7)
    means = np.array([features[labels == label].mean(axis=0) for label in labels])
    wanted = np.trace(np.linalg.inv(np.cov(features.T)) @ np.cov(means.T))
    assert h_score(features, labels) == pytest.approx(wanted)
    moved = features @ np.random.default_rng(8).normal(size=(4, 4)) + 5
    assert h_score(moved, labels, shrink=False) == pytest.approx(wanted)


def test_h_score_with_more_dimensions_than_rows_shrinks_as_ledoit_and_wolf_do() -> None:
    features, labels = material(30, 60, 2, seed=9)
    centred = features - features.mean(axis=0)
    share = ledoit_wolf_shrinkage(features)
    assert ledoit_wolf_share(centred) == pytest.approx(share)
    means = np.array([features[labels == label].mean(axis=0) for label in labels])
    wanted = (1 - share) * np.trace(np.linalg.inv(LedoitWolf().fit(features).covariance_) @ np.cov(means.T, bias=True))
    assert h_score(features, labels) == pytest.approx(wanted)
    assert h_score(features, labels, shrink=False) == pytest.approx(1)  # the maximum, whatever the features: why it is shrunk


def test_transrate_agrees_with_its_definition_by_determinants() -> None:
    features, labels = material(40, 5, 3, seed=10)
    centred = features - features.mean(axis=0)
    centred /= math.sqrt((centred**2).sum() / 40)

    def rate(rows: NDArray[np.float64]) -> float:
        return 0.5 * math.log(np.linalg.det(np.eye(5) + rows.T @ rows / (len(rows) * 1e-3)))

    within = sum((labels == label).mean() * rate(centred[labels == label]) for label in range(3))
    assert transrate(features, labels, 1e-3) == pytest.approx(rate(centred) - within)
    assert coding_rate(centred[:3], 1e-3) == pytest.approx(rate(centred[:3]))  # fewer rows than dimensions: the other Gram


def test_transrate_of_one_feature_sees_the_classes_only_around_their_own_means() -> None:
    labels = np.arange(60) % 2
    for distance in (0.0, 3.0):
        one_dimension = (labels * distance + np.random.default_rng(11).normal(size=60))[:, None]
        balanced = one_dimension - one_dimension[labels == 0].mean() * (labels == 0)[:, None]
        balanced -= (one_dimension[labels == 1].mean() - distance) * (labels == 1)[:, None]
        balanced[labels == 1] = balanced[labels == 0] * -1 + distance  # classes that mirror each other about the common mean
        assert transrate(balanced, labels) == pytest.approx(0, abs=1e-9)
    own = transrate(balanced, labels, own_means=True)
    within, total = balanced[labels == 0].var(), balanced.var()
    assert own == pytest.approx(0.5 * math.log((1 + 1e4) / (1 + 1e4 * within / total)))
    assert transrate(np.full((4, 2), 0.1), np.array([0, 1, 0, 1])) == 0


def test_the_distance_of_gaussians_agrees_with_matrix_square_roots() -> None:
    rng = np.random.default_rng(12)
    for rows in (40, 3):  # full covariances, and singular ones
        x, y = rng.normal(size=(rows, 4)) @ rng.normal(size=(4, 4)), rng.normal(size=(rows + 2, 4)) + 1
        a, b = np.cov(x.T, bias=True), np.cov(y.T, bias=True)
        root = linalg.sqrtm(a + 1e-12 * np.eye(4)).real
        cross = linalg.sqrtm(root @ b @ root + 1e-14 * np.eye(4)).real
        wanted = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * cross)
        assert bures_wasserstein(x, y) == pytest.approx(wanted, rel=1e-4)
    assert bures_wasserstein(x, x) == pytest.approx(0, abs=1e-12)


def test_otdd_is_the_cheapest_assignment_of_labelled_examples() -> None:
    x, a = material(6, 2, 2, seed=13)
    y, b = material(6, 2, 3, seed=14)
    classes = {(i, j): bures_wasserstein(x[a == i], y[b == j]) for i in range(2) for j in range(3)}
    cost = np.array([[((p - q) ** 2).sum() + classes[i, j] for q, j in zip(y, b, strict=True)] for p, i in zip(x, a, strict=True)])
    cheapest = min(sum(cost[row, column] for row, column in enumerate(order)) for order in itertools.permutations(range(6)))
    assert otdd(x, a, y, b) == pytest.approx(cheapest / 6)
    plan = ot.sinkhorn(np.full(6, 1 / 6), np.full(6, 1 / 6), cost, 0.5, numItermax=10_000)
    assert otdd(x, a, y, b, entropy=0.5) == pytest.approx((plan * cost).sum(), rel=1e-4)


def test_otdd_is_larger_where_the_same_inputs_carry_other_labels() -> None:
    x, labels = material(40, 3, 2, seed=15, distance=2)
    assert otdd(x, labels, x, labels) == pytest.approx(0, abs=1e-9)
    assert otdd(x, labels, x, np.random.default_rng(0).permutation(labels)) > 0.5


def test_the_fisher_information_is_the_expected_square_of_sampled_gradients() -> None:
    """Over every label that the model could have drawn, weighted by its probability: the definition, term by term."""
    rng = np.random.default_rng(16)
    features, weight = rng.normal(size=(20, 3)), rng.normal(size=(4, 3))
    logits = features @ weight.T
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    total = np.zeros((4, 3))
    for h, p in zip(features, probabilities, strict=True):
        for label in range(4):
            gradient = np.outer(np.eye(4)[label] - p, h)
            total += p[label] * gradient**2 / 20
    np.testing.assert_allclose(probe_fisher(probabilities, features), total.mean(axis=0))


def test_the_distance_of_tasks_is_a_cosine_of_shares_and_free_of_feature_scale() -> None:
    rng = np.random.default_rng(17)
    one, other, scale = rng.random((3, 8))
    shares = one / (one + other), other / (one + other)
    wanted = 1 - shares[0] @ shares[1] / (np.linalg.norm(shares[0]) * np.linalg.norm(shares[1]))
    assert task_distance(one, other) == pytest.approx(wanted)
    assert task_distance(one * scale, other * scale) == pytest.approx(wanted)
    assert task_distance(one, one) == pytest.approx(0)
    assert task_distance(one, np.zeros(8)) == 1
