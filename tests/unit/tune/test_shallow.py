"""Adaptation of frozen vectors: what every method keeps to, and each against an independent reference."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import eig, sqrtm

from acclimate.engine.build import build
from acclimate.errors import InputError
from acclimate.tune.probe import Probe, unit_rows
from acclimate.tune.shallow import METHODS
from acclimate.tune.shallow.base import Given, Shallow, principal
from acclimate.tune.shallow.coral import recolouring
from acclimate.tune.shallow.easyadapt import EasyAdapt
from acclimate.tune.shallow.msda import RIDGE, denoiser
from acclimate.tune.shallow.self_training import FeatureSelfTraining, most_certain
from acclimate.tune.shallow.subspace import Subspace
from acclimate.tune.shallow.tca import transfer_components

WIDTH = 12
every_method = pytest.mark.parametrize("name", METHODS)


def made(name: str, **settings: Any) -> Shallow:
    return build(METHODS, "feature method", name, settings)


def world(labels: int = 0, classes: int = 2, seed: int = 0) -> tuple[Given, NDArray[np.float64], NDArray[np.int64]]:
    """Source and target whose classes lie along the same directions, the target moved and stretched along another; with so many
    target labels. Also test vectors of the target and their classes."""
    rng = np.random.default_rng(seed)

    def draw(count: int, moved: bool) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        number = np.arange(count) % classes
        rows = rng.normal(size=(count, WIDTH)) * 0.5
        rows[:, :classes] += 1.5 * np.eye(classes)[number]
        if moved:
            rows[:, 0] += 0.8
            rows[:, -1] = 2 * rows[:, -1] + 0.5
        return rows, number

    source, target, unlabelled, test = draw(120, False), draw(max(labels, 1), True), draw(150, True), draw(300, True)
    features = unit_rows(np.vstack([source[0], target[0][:labels]]))
    numbers = np.concatenate([source[1], target[1][:labels]])
    mine = np.arange(len(features)) >= 120
    given = Given(features, numbers, np.ones(len(features)), mine, unit_rows(unlabelled[0]), classes, seed=3)
    return given, test[0], test[1]


def accuracy(fitted: Any, test: NDArray[np.float64], wanted: NDArray[np.int64]) -> float:
    return float((fitted.predict_proba(test).argmax(1) == wanted).mean())


@every_method
@pytest.mark.parametrize("labels", [0, 20], ids=["unsupervised", "with target labels"])
@pytest.mark.parametrize("classes", [2, 3])
def test_it_is_right_most_of_the_time_under_a_shift(name: str, labels: int, classes: int) -> None:
    given, test, wanted = world(labels, classes)
    assert accuracy(made(name).fit(given), test, wanted) > 0.8


@every_method
def test_the_same_seed_gives_the_same_bytes_and_rows_do_not_know_each_other(name: str) -> None:
    given, test, _ = world(10)
    first, second = (made(name).fit(given).predict_proba(test) for _ in range(2))
    assert (first == second).all()
    fitted = made(name).fit(given)
    assert (np.vstack([fitted.predict_proba(test[row : row + 1]) for row in range(40)]) == first[:40]).all()
    assert fitted.predict_proba(test[:0]).shape == (0, 2)
    np.testing.assert_allclose(first.sum(1), 1)


@every_method
def test_soft_labels_that_are_hard_are_the_same_and_weights_count(name: str) -> None:
    given, test, _ = world(10)
    soft = dataclasses.replace(given, labels=np.eye(2)[given.labels])
    plain = made(name).fit(given).predict_proba(test)
    np.testing.assert_allclose(made(name).fit(soft).predict_proba(test), plain, atol=1e-4)
    skewed = dataclasses.replace(given, weights=np.where(given.labels == 1, 5.0, 0.2))
    assert made(name).fit(skewed).predict_proba(test)[:, 1].mean() > plain[:, 1].mean()


@every_method
def test_target_labels_are_not_looked_at_where_there_are_none(name: str) -> None:
    """The firewall: unlabelled vectors in another order give the same answer, up to sums."""
    given, test, _ = world(0)
    turned = dataclasses.replace(given, unlabelled=given.unlabelled[::-1])
    first, second = (made(name).fit(g).predict_proba(test) for g in (given, turned))
    np.testing.assert_allclose(first, second, atol=2e-3)


@pytest.mark.parametrize("name", ["tca", "subspace", "coral", "self-training"])
def test_without_a_target_it_says_what_is_missing(name: str) -> None:
    given, _, _ = world(0)
    with pytest.raises(InputError, match=name):
        made(name).fit(dataclasses.replace(given, unlabelled=given.unlabelled[:0]))


@every_method
def test_it_describes_itself(name: str) -> None:
    method: Any = METHODS[name]
    for word in ("Use when", "Avoid when"):
        assert word in (method.__doc__ or "")
    assert method.summary != method.summary_zh


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("tca", {"dimensions": 0}),
        ("tca", {"mu": 0.0}),
        ("subspace", {"dimensions": 0}),
        ("msda", {"corruption": 1.0}),
        ("msda", {"layers": 0}),
        ("coral", {"ridge": -1.0}),
        ("self-training", {"rounds": 0}),
        ("self-training", {"confidence": 1.5}),
    ],
)
def test_settings_outside_their_range_are_refused(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        made(name, **settings)


def test_recolouring_is_scipys_matrix_roots_and_gives_the_target_its_covariance() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(80, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5))
    ridged = [np.cov(x, rowvar=False) + np.trace(np.cov(x, rowvar=False)) / 5 * np.eye(5) for x in (source, target)]
    np.testing.assert_allclose(recolouring(source, target, 1.0), np.linalg.inv(sqrtm(ridged[0])) @ sqrtm(ridged[1]), atol=1e-8)
    coloured = source @ recolouring(source, target, 1e-12)
    np.testing.assert_allclose(np.cov(coloured, rowvar=False), np.cov(target, rowvar=False), rtol=1e-5, atol=1e-6)


def test_principal_directions_are_the_covariances_eigenvectors() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 6)) * np.arange(1, 7)
    found = principal(rows, 3)
    values, vectors = np.linalg.eigh(np.cov(rows, rowvar=False))
    np.testing.assert_allclose(np.abs((found * vectors[:, ::-1][:, :3]).sum(0)), 1, rtol=1e-9)
    assert principal(rows, 100).shape == (6, 6)
    assert (np.diff(values) > 0).all()


def test_subspace_alignment_is_the_papers_product() -> None:
    given, test, _ = world(6)
    k = 4
    mean, aim = given.source.mean(0), given.target.mean(0)
    xs, xt = principal(given.source, k), principal(given.target, k)
    rows = np.vstack([(given.source - mean) @ xs @ xs.T @ xt, (given.features[given.from_target] - aim) @ xt])
    probe = Probe().fit(rows, given.labels, 2, given.weights)
    expected = probe.predict_proba((unit_rows(test) - aim) @ xt)
    np.testing.assert_allclose(Subspace(dimensions=k).fit(given).predict_proba(test), expected, atol=1e-6)


def test_transfer_components_solve_the_papers_eigenproblem() -> None:
    rows = np.random.default_rng(0).normal(size=(14, 3))
    n, source, mu = len(rows), 8, 0.7
    kernel = np.exp(-((rows[:, None] - rows[None]) ** 2).sum(-1) / 2)
    mmd = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            same = (i < source) == (j < source)
            side = source if i < source else n - source
            mmd[i, j] = 1 / side**2 if same else -1 / (source * (n - source))
    centre = np.eye(n) - np.ones((n, n)) / n
    values, vectors = eig(np.linalg.solve(kernel @ mmd @ kernel + mu * np.eye(n), kernel @ centre @ kernel))
    order = np.argsort(-values.real)[:4]
    found = transfer_components(kernel, source, 4, mu)
    cosines = [abs(found[:, k] @ vectors[:, c].real) / np.linalg.norm(found[:, k]) for k, c in enumerate(order)]
    np.testing.assert_allclose(cosines / np.linalg.norm(vectors[:, order].real, axis=0), 1, rtol=1e-6)


def test_the_denoiser_is_least_squares_over_many_corrupted_copies() -> None:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(40, 4)) @ rng.normal(size=(4, 4))
    copies = 20_000
    kept = rng.random((copies, 40, 4)) > 0.3
    corrupted = np.concatenate([hidden * kept, np.ones((copies, 40, 1))], axis=2).reshape(-1, 5)
    wanted = np.broadcast_to(hidden, (copies, 40, 4)).reshape(-1, 4)
    gram = corrupted.T @ corrupted
    fitted = np.linalg.solve(gram + RIDGE * np.trace(gram) / 5 * np.eye(5), corrupted.T @ wanted).T
    np.testing.assert_allclose(denoiser(hidden, 0.3), fitted, atol=0.01)


def test_the_copies_make_a_domains_own_examples_twice_as_alike() -> None:
    """Daumé 2007, section 3.3: the kernel is doubled inside a domain; a probe on that kernel says the same."""
    given, test, _ = world(30)
    fitted = EasyAdapt().fit(given)
    own = np.where(given.from_target[:, None] == given.from_target[None], 2, 1) * (given.features @ given.features.T)
    values, vectors = np.linalg.eigh(own)
    kept = values > 1e-9
    rows = vectors[:, kept] * np.sqrt(values[kept])
    probe = Probe().fit(rows, given.labels, 2, given.weights)
    across = np.where(given.from_target, 2, 1) * (unit_rows(test) @ given.features.T)
    expected = probe.predict_proba(across @ vectors[:, kept] / np.sqrt(values[kept]))
    np.testing.assert_allclose(fitted.predict_proba(test), expected, atol=1e-4)


def test_the_most_certain_are_taken_class_by_class_or_not() -> None:
    guessed = np.array([[0.99, 0.01], [0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.45, 0.55]])
    assert most_certain(guessed, 0.5, balance=False).tolist() == [0, 1, 2]
    assert most_certain(guessed, 0.5, balance=True).tolist() == [0, 1, 4]
    assert most_certain(guessed, 1.0, balance=True, confidence=0.65).tolist() == [0, 1, 2, 3]
    assert most_certain(guessed, 1.0, balance=False, confidence=0.999).tolist() == []


def test_self_training_learns_what_the_source_alone_does_not_say() -> None:
    """Two words for one thing: the target uses both, the source only the first."""
    rng = np.random.default_rng(0)
    number = np.arange(400) % 2
    sign = 2.0 * number - 1

    def rows(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
        return unit_rows(np.column_stack([first, second, rng.normal(size=(len(first), 4)) * 0.3]))

    none = np.zeros(400)
    source = rows(sign * 1.0, none)
    both = rows(sign * 0.5 * (rng.random(400) < 0.6), sign * 1.0)
    given = Given(source, number, np.ones(400), np.zeros(400, dtype=bool), both, 2)
    test = rows(none, sign * 1.0)
    alone = Probe().fit(source, number, 2)
    assert accuracy(FeatureSelfTraining().fit(given), test, number) > accuracy(alone, test, number) + 0.2
