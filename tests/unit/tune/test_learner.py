"""The learner that selectors are handed: its steps against torch, its limit against the optimum, its bytes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from acclimate.data.domain import Domain, from_columns
from acclimate.errors import InputError
from acclimate.tune.learner import MOMENTUM, ProbeLearner, descend
from acclimate.tune.probe import Probe, unit_rows

VECTORS = np.random.default_rng(0).normal(size=(120, 6)) + 2 * np.eye(6)[np.arange(120) % 3]
NUMBERS = np.arange(120) % 3


class Counted:
    """Looks up the vector whose number is the text, and counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, contents: Sequence[str] | Sequence[bytes], /) -> NDArray[np.float32]:
        self.calls += 1
        return VECTORS[[int(text) for text in contents]].astype(np.float32)


def examples(rows: Sequence[int] = range(120), labels: Sequence[str] = ("a", "b", "c")) -> Domain:
    return from_columns("e", [str(row) for row in rows], [labels[row % 3] for row in rows])


def test_each_step_is_torchs_descent_with_momentum_on_the_weighted_cross_entropy() -> None:
    features, weights = unit_rows(VECTORS), np.random.default_rng(1).uniform(0.2, 2, 120)
    ours = list(itertools.islice(descend(features, NUMBERS, weights, rate=0.3, batch_size=32, seed=5), 3))
    rng = np.random.default_rng(5)
    layer = torch.nn.Linear(6, 3, dtype=torch.float64)
    layer.weight.data = torch.from_numpy(rng.uniform(-1, 1, (3, 6)) / np.sqrt(6))
    torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.3, momentum=MOMENTUM)
    for weight, bias in ours:
        for rows in torch.from_numpy(rng.permutation(120)).split(32):
            losses = torch.nn.functional.cross_entropy(
                layer(torch.from_numpy(features)[rows]), torch.from_numpy(NUMBERS)[rows], reduction="none"
            )
            optimiser.zero_grad()
            (losses * torch.from_numpy(weights)[rows]).mean().backward()
            optimiser.step()
        np.testing.assert_allclose(weight, layer.weight.detach(), atol=1e-12)
        np.testing.assert_allclose(bias, layer.bias.detach(), atol=1e-12)


def test_with_small_steps_a_trajectory_ends_at_the_optimum_without_a_penalty() -> None:
    learner = ProbeLearner(Counted(), rate=0.05, batch_size=120)
    *_, last = learner.trajectory(examples(), ("a", "b", "c"), epochs=4000, seed=0)
    optimum = Probe(C=1e6).fit(VECTORS.astype(np.float32), NUMBERS, 3)
    np.testing.assert_allclose(last.predict_proba(examples()), optimum.predict_proba(VECTORS.astype(np.float32)), atol=2e-3)


def test_a_trajectory_learns_and_gives_one_scorer_an_epoch() -> None:
    scorers = list(ProbeLearner(Counted()).trajectory(examples(), ("a", "b", "c"), epochs=5, seed=0))
    assert len(scorers) == 5
    assert (scorers[-1].predict_proba(examples()).argmax(1) == NUMBERS).mean() > 0.75  # chance: 0.33
    assert list(ProbeLearner(Counted()).trajectory(examples(), ("a", "b", "c"), epochs=0, seed=0)) == []


def test_seeds_differ_in_start_and_order_and_repeat_to_the_last_bit_whatever_the_threads() -> None:
    def last(seed: int, threads: int) -> bytes:
        with threadpool_limits(threads):
            *_, scorer = ProbeLearner(Counted()).trajectory(examples(), ("a", "b", "c"), epochs=2, seed=seed)
        return scorer.weight.tobytes() + scorer.bias.tobytes()

    assert last(3, 1) == last(3, 2)
    assert last(3, 1) != last(4, 1)


@pytest.mark.parametrize("classes", [("a", "b", "c"), ("a", "b", "x", "c"), ("x", "a", "b", "c", "y")])
def test_classes_that_were_not_seen_get_probability_zero(classes: tuple[str, ...]) -> None:
    learner = ProbeLearner(Counted())
    *_, on_the_way = learner.trajectory(examples(), classes, epochs=3, seed=0)
    for scorer in (on_the_way, learner.fit(examples(), classes)):
        answers = scorer.predict_proba(examples())
        assert scorer.classes == classes
        np.testing.assert_allclose(answers.sum(1), 1)
        assert (answers[:, [name in "xy" for name in classes]] == 0).all()
        assert (np.array(classes)[answers.argmax(1)] == examples().labels).mean() > 0.7


def test_a_rows_answer_does_not_depend_on_its_neighbours_and_nothing_is_answered_for_nothing() -> None:
    learner = ProbeLearner(Counted())
    *_, on_the_way = learner.trajectory(examples(), ("a", "b", "c"), epochs=2, seed=0)
    for scorer in (on_the_way, learner.fit(examples(), ("a", "b", "c"))):
        whole = scorer.predict_proba(examples())
        assert scorer.predict_proba(examples([7])).tobytes() == whole[7:8].tobytes()
        assert scorer.predict_proba(examples([9, 7, 3])).tobytes() == whole[[9, 7, 3]].tobytes()
        assert scorer.predict_proba(examples([])).shape == (0, 3)


def test_a_weight_of_zero_is_as_good_as_absence() -> None:
    flipped = [("a", "b")[row % 2] for row in range(120)]
    noisy = from_columns(
        "n", [str(row) for row in range(120)], [*flipped[:60], *("b" if label == "a" else "a" for label in flipped[60:])]
    )
    noisy = noisy.with_column("weight", pa.array([1.0] * 60 + [0.0] * 60, pa.float64()))
    clean = noisy.take(range(60))
    learner = ProbeLearner(Counted(), batch_size=120, rate=0.05)
    *_, weighted = learner.trajectory(noisy, ("a", "b"), epochs=1000, seed=0)
    *_, without = learner.trajectory(clean, ("a", "b"), epochs=1000, seed=0)
    np.testing.assert_allclose(weighted.predict_proba(clean), without.predict_proba(clean), atol=1e-6)
    fitted = [learner.fit(part, ("a", "b")).predict_proba(clean) for part in (noisy, clean)]
    np.testing.assert_allclose(fitted[0], fitted[1], atol=1e-4)


def test_given_weights_multiply_those_of_the_data() -> None:
    weights = np.random.default_rng(2).uniform(0.1, 3, 120)
    learner = ProbeLearner(Counted())
    carried = examples().with_column("weight", pa.array(weights, pa.float64()))
    one, other = learner.fit(carried, ("a", "b", "c")), learner.fit(examples(), ("a", "b", "c"), weights)
    assert one.weight.tobytes() == other.weight.tobytes()


def test_the_scorers_of_a_trajectory_share_the_vectors_of_the_batch_they_are_asked_about() -> None:
    embed, asked = Counted(), examples()
    for scorer in ProbeLearner(embed).trajectory(examples(), ("a", "b", "c"), epochs=10, seed=0):
        scorer.predict_proba(asked)
    assert embed.calls == 2


@pytest.mark.parametrize("settings", [{"rate": 0.0}, {"rate": float("inf")}, {"batch_size": 0}])
def test_steps_that_lead_nowhere_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InputError, match="rate above 0"):
        ProbeLearner(Counted(), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", [["a", "a"], ["a", "z"], ["a", None]])
def test_labels_that_cannot_be_learned_from_are_refused(labels: list[str | None]) -> None:
    learner, odd = ProbeLearner(Counted()), from_columns("o", ["0", "1"], labels)
    with pytest.raises(InputError):
        learner.fit(odd, ("a", "b"))
    with pytest.raises(InputError):
        next(learner.trajectory(odd, ("a", "b"), epochs=1, seed=0))
