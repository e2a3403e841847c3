"""EL2N, GraNd and forgetting against torch's gradients, naive loops, and what they promise about wrong labels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray

from acclimate.data.domain import Domain, from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.select.base import Selector
from acclimate.select.importance.difficulty import mean_over_runs, usefulness
from acclimate.select.importance.el2n import El2n, error_norm
from acclimate.select.importance.forgetting import Forgetting, forgetting_events
from acclimate.select.importance.grand import Grand, gradient_norm
from acclimate.tune.learner import ProbeLearner

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(300, 8)) + 3 * np.eye(8)[np.arange(300) % 3]
NAMES = np.array(["a", "b", "c"])[np.arange(300) % 3]
WRONG = RNG.choice(300, 30, replace=False)
METHODS: list[Callable[..., Selector]] = [El2n, Grand, Forgetting]


def embed(contents: Sequence[str] | Sequence[bytes], /) -> NDArray[np.float32]:
    return VECTORS[[int(text) for text in contents]].astype(np.float32)


def pool() -> Domain:
    """Three clouds, 30 of 300 examples with the label of another one."""
    labels = NAMES.copy()
    labels[WRONG] = np.array(["b", "c", "a"])[WRONG % 3]
    return from_columns("pool", [str(row) for row in range(300)], labels.tolist())


def target() -> Target:
    domain = from_columns("t", ["0", "1", "2"], ["a", "b", "c"])
    return Target("t", domain, domain.take([]).without_labels(), Sealed(domain, "test"), ("a", "b", "c"))


def test_el2n_is_the_mean_norm_of_the_error_over_runs_of_training() -> None:
    learner, source = ProbeLearner(embed), pool()
    scores = El2n(learner, epochs=2, seeds=3, seed=7).fit(source, target()).score(source)
    rows = source.take(sorted(range(300), key=lambda row: source.ids[row]))
    expected = []
    for seed in (7, 8, 9):
        _, second = learner.trajectory(rows, source.classes, epochs=2, seed=seed)
        answers = second.predict_proba(source)
        errors = [p - np.eye(3)["abc".index(str(label))] for p, label in zip(answers, source.labels, strict=True)]
        expected.append([np.linalg.norm(error) for error in errors])
    np.testing.assert_allclose(scores, np.mean(expected, axis=0), atol=1e-12)


def test_grand_is_the_norm_of_torchs_gradient_of_the_last_layer() -> None:
    layer, inputs, numbers = torch.nn.Linear(5, 4, dtype=torch.float64), RNG.normal(size=(6, 5)), np.array([0, 1, 2, 3, 0, 1])
    expected = []
    for row, number in zip(torch.from_numpy(inputs), torch.from_numpy(numbers), strict=True):
        layer.zero_grad()
        torch.nn.functional.cross_entropy(layer(row), number).backward()
        expected.append(float(torch.cat([layer.weight.grad.ravel(), layer.bias.grad]).norm()))
    probabilities = torch.softmax(layer(torch.from_numpy(inputs)), dim=1).detach().numpy()
    np.testing.assert_allclose(gradient_norm(probabilities, np.eye(4)[numbers], inputs), expected, rtol=1e-10)


def test_under_the_probe_grand_is_el2n_times_the_root_of_two() -> None:
    source = pool()
    el2n, grand = (method(ProbeLearner(embed)).fit(source, target()).score(source) for method in (El2n, Grand))
    np.testing.assert_allclose(grand, np.sqrt(2) * el2n, rtol=1e-6)


def test_forgetting_counts_falls_from_right_to_wrong_as_a_naive_loop_does() -> None:
    correct = RNG.random((12, 50)) < 0.6
    correct[:, 3] = False
    expected = [sum(a and not b for a, b in itertools.pairwise(column)) if any(column) else 12 for column in correct.T.tolist()]
    assert forgetting_events(correct).tolist() == expected
    assert forgetting_events(np.ones((1, 2), dtype=bool)).tolist() == [0, 0]


def test_equally_forgotten_examples_are_ordered_by_how_sure_of_them_training_was() -> None:
    source = pool()
    selector = Forgetting(ProbeLearner(embed), epochs=6, seeds=2).fit(source, target())
    scores = selector.score(source)
    counts = np.array([float(reason.split()[1]) for reason in selector.reasons(source)])
    assert (np.floor(scores * 2 + 1e-9) / 2 == counts).all()
    never = counts == 0
    assert never.sum() > 50
    sure = np.array([float(reason.split("=")[1]) for reason in selector.reasons(source)])
    assert np.corrcoef(scores[never], sure[never])[0, 1] < -0.99


@pytest.mark.parametrize("method", METHODS)
def test_wrong_labels_are_hard_and_are_left_out_where_easy_examples_are_kept(method: Callable[..., Selector]) -> None:
    source = pool()
    hard, easy = (method(ProbeLearner(embed), keep=keep).fit(source, target()).score(source) for keep in ("hard", "easy"))
    assert (hard == -easy).all()
    hardest = np.argsort(-hard, kind="stable")[:30]
    assert np.isin(hardest, WRONG).mean() > 0.7  # chance: 0.1
    easiest = np.argsort(-easy, kind="stable")[:100]
    assert not np.isin(easiest, WRONG).any()


@pytest.mark.parametrize("method", METHODS)
def test_the_middle_is_what_lies_about_the_median(method: Callable[..., Selector]) -> None:
    source = pool()
    hard, middle = (method(ProbeLearner(embed), keep=keep).fit(source, target()).score(source) for keep in ("hard", "middle"))
    np.testing.assert_allclose(middle, -np.abs(hard - np.median(hard)), atol=1e-12)
    ranks = hard.argsort().argsort()
    assert abs(np.median(ranks[np.argsort(-middle)[:30]]) - 150) < 60


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_source_and_the_targets_labels_do_not_matter(method: Callable[..., Selector]) -> None:
    source, order = pool(), RNG.permutation(300)
    one = method(ProbeLearner(embed)).fit(source, target()).score(source)
    other = method(ProbeLearner(embed)).fit(source.take(order), target()).score(source)
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_a_source_of_one_class_holds_nothing_difficult(method: Callable[..., Selector]) -> None:
    source = from_columns("one", ["0", "1"], ["a", "a"])
    selector = method(ProbeLearner(embed)).fit(source, target())
    assert selector.score(source).tolist() == [0, 0]
    assert len(selector.reasons(source)) == 2


@pytest.mark.parametrize("method", [El2n, Grand])
def test_an_example_without_a_known_label_is_refused(method: Callable[..., Selector]) -> None:
    selector = method(ProbeLearner(embed)).fit(pool(), target())
    for strange in ("z", None):
        batch = pool().take([0]).with_column("label", pa.array([strange], pa.string()))
        with pytest.raises(InputError, match=f"labelled '{strange}'"):
            selector.score(batch)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("settings", [{"epochs": 0}, {"seeds": 0}])
def test_no_training_at_all_is_refused(method: Callable[..., Selector], settings: dict[str, int]) -> None:
    with pytest.raises(InputError, match="at least 1 epoch"):
        method(ProbeLearner(embed), **settings)


def test_difficulty_turns_into_usefulness_and_runs_into_a_mean() -> None:
    difficulty = np.array([0.0, 2.0, 5.0])
    assert usefulness(difficulty, "hard", 2.0).tolist() == [0, 2, 5]
    assert usefulness(difficulty, "middle", 2.0).tolist() == [-2, 0, -3]
    assert error_norm(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])) == pytest.approx(np.sqrt(2))
    assert mean_over_runs([difficulty, 3 * difficulty], 3).tolist() == [0, 4, 10]
    assert mean_over_runs([], 2).tolist() == [0, 0]
