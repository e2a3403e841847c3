"""What the ways of learning compute, against independent references."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import nn

from acclimate.data.domain import Domain, from_columns
from acclimate.errors import InputError
from acclimate.models.companions import companion_of, equip
from acclimate.models.objective import Outputs
from acclimate.tune.examples import gather
from acclimate.tune.feed import Draws
from acclimate.tune.learn.fixmatch import FixMatch, consistency
from acclimate.tune.learn.mt_tri import MtTri, agreement_loss, orthogonality
from acclimate.tune.learn.multi_task import MultiTask, reconciled_gradients, surgery, weigh_by_uncertainty
from acclimate.tune.learn.prototypes import Prototypes, episode
from acclimate.tune.learn.pseudo_labels import balanced, by_prior, class_thresholds, pseudo_labels
from acclimate.tune.learn.setfit import SetFit, pair_loss
from acclimate.tune.settings import TuneSettings
from tests.online import CLASSES, base, batch_of, examples, gradients

RNG = np.random.default_rng(0)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def surgery_by_hand(gradients_: NDArray[np.float64], orders: list[list[int]]) -> NDArray[np.float64]:
    """Yu 2020, algorithm 1, as it is written."""
    total = np.zeros(gradients_.shape[1])
    for own, order in enumerate(orders):
        kept = gradients_[own].copy()
        for other in order:
            if other == own:
                continue
            along = float(kept @ gradients_[other])
            if along < 0:
                kept = kept - along / float(gradients_[other] @ gradients_[other]) * gradients_[other]
        total += kept
    return total / len(gradients_)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 5), st.integers(1, 7), st.integers(0, 10_000))
def test_surgery_is_the_papers_algorithm(tasks: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found, orders = rng.normal(size=(tasks, width)), [rng.permutation(tasks).tolist() for _ in range(tasks)]
    expected = surgery_by_hand(found, orders)
    np.testing.assert_allclose(surgery(torch.from_numpy(found), orders).numpy(), expected, atol=1e-9)


def test_gradients_that_agree_are_only_averaged_and_opposite_ones_vanish() -> None:
    agree = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert surgery(agree, [[0, 1], [1, 0]]).tolist() == [1.0, 0.5]
    assert surgery(torch.tensor([[1.0, 0.0], [-2.0, 0.0]]), [[0, 1], [1, 0]]).tolist() == [0.0, 0.0]


def test_only_weights_that_all_tasks_reach_are_operated_on() -> None:
    shared, own = nn.Parameter(torch.tensor([1.0, 2.0])), nn.Parameter(torch.tensor([3.0]))
    losses = [shared[0] + 5 * own.sum(), -shared[0] + shared[1]]
    joined, separate = reconciled_gradients(losses, [shared, own], torch.Generator().manual_seed(0))
    assert joined is not None
    assert separate is not None
    np.testing.assert_allclose(joined.numpy(), surgery_by_hand(np.array([[1.0, 0.0], [-1.0, 1.0]]), [[0, 1], [1, 0]]))
    assert separate.tolist() == [2.5]


def test_a_learned_uncertainty_ends_where_the_papers_loss_is_least() -> None:
    losses = [0.3, 2.0]
    learned = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.LBFGS([learned], max_iter=100)

    def closure() -> float:
        optimizer.zero_grad()
        loss = weigh_by_uncertainty([torch.tensor(value) for value in losses], learned)
        loss.backward()
        return loss.item()

    optimizer.step(closure)
    # Kendall 2018, eq. 10: L / σ² + log σ, by σ.
    best = [minimize_scalar(lambda sigma, value=value: value / sigma**2 + np.log(sigma), bounds=(0.1, 10)).x for value in losses]
    np.testing.assert_allclose(learned.detach().div(2).exp().numpy(), best, rtol=1e-3)


def several() -> tuple[Domain, Domain]:
    """Two target rows, two of a domain with the target's classes, four of one with classes of its own."""
    source = from_columns(
        "pool", [f"good {n} parcel" for n in range(6)], ["good", "bad", "x", "y", "z", "x"], domains=["shop"] * 2 + ["film"] * 4
    )
    target = from_columns("clinic", ["good nurse", "bad nurse"], ["good", "bad"])
    return source, target


@pytest.mark.parametrize("weighting", ["equal", "uncertainty", "pcgrad"])
def test_tasks_are_separate_losses_on_one_body(folders: dict[str, Path], weighting: str) -> None:
    source, target = several()
    known = gather(CLASSES, source=source, target=target, several_tasks=True)
    prepared = base("text", folders, dropout=0.0)
    model = prepared.model.eval()
    batch = batch_of(known, prepared.reader, range(8), unlabelled=False)
    assert batch.labels.tolist() == [1, 0, -100, -100, -100, -100, 1, 0]
    assert batch.tasks is not None
    assert batch.tasks.heads.tolist() == [0, 3, 0]
    objective = MultiTask(weighting)
    equip(model, [objective], lambda: iter([batch]), seed=0)
    heads = companion_of(model, objective).get_submodule("heads")
    with torch.no_grad():
        features = model.represent(batch.inputs)
        by_hand = []
        mine = heads.get_submodule("1")
        for rows, head in (((6, 7), model.head), ((2, 3, 4, 5), mine), ((0, 1), model.head)):
            logits = head(features)
            told = -logits[list(rows)].log_softmax(-1).numpy()
            by_hand.append(np.mean([told[place, batch.tasks.labels[row]] for place, row in enumerate(rows)]))
    value = objective(model, batch, Outputs(model, batch, [objective]))
    assert value.item() == pytest.approx(np.mean(by_hand), rel=1e-5)
    found = gradients(value, model)
    assert any(name.startswith("encoder") for name in found)
    assert found["companions.MultiTask.heads.1.weight"].abs().sum() > 0


def test_surgery_reaches_the_weights_of_a_whole_model(folders: dict[str, Path]) -> None:
    """The gradients that a step leaves are those of the algorithm on separately computed ones."""
    source, target = several()
    known = gather(CLASSES, source=source, target=target, several_tasks=True)
    prepared = base("text", folders, dropout=0.0)
    model = prepared.model.eval().double()
    batch = batch_of(known, prepared.reader, range(8), unlabelled=False)
    objective = MultiTask("pcgrad")
    equip(model, [objective], lambda: iter([batch]), seed=0)
    model.double()
    found = gradients(objective(model, batch, Outputs(model, batch, [objective])), model)
    body = [name for name, _ in model.named_parameters() if name in found and name.startswith("encoder")]
    own = []
    heads = companion_of(model, objective).get_submodule("heads")
    for rows, head in ((range(6, 8), model.head), (range(2, 6), heads.get_submodule("1")), (range(2), model.head)):
        logits = head(model.represent(batch.inputs))[list(rows)]
        loss = nn.functional.cross_entropy(logits, batch.tasks.labels[list(rows)])  # type: ignore[union-attr]
        mine = gradients(loss, model)
        own.append(np.concatenate([mine[name].flatten().numpy() for name in body]))
    expected = {
        tuple(np.round(surgery_by_hand(np.stack(own)[[0, 1, 2]], [list(order) for order in orders]), 9))
        for orders in itertools.product(itertools.permutations(range(3)), repeat=3)
    }
    assert tuple(np.round(np.concatenate([found[name].flatten().numpy() for name in body]), 9)) in expected


def test_consistency_counts_the_certain_only() -> None:
    guessed, told = RNG.normal(size=(12, 3)) * 3, RNG.normal(size=(12, 3))
    sure = softmax(guessed).max(1) >= 0.9
    assert 0 < sure.sum() < 12
    expected = (-np.log(softmax(told))[np.arange(12), guessed.argmax(1)] * sure).sum() / 12
    weak = torch.from_numpy(guessed).requires_grad_()
    found = consistency(weak, torch.from_numpy(told).requires_grad_(), 0.9)
    assert found.item() == pytest.approx(expected)
    found.backward()
    assert weak.grad is None


def test_views_follow_from_the_example_and_how_often_it_was_seen() -> None:
    objective = FixMatch(strong={"method": "eda", "synonyms": "none", "alpha": 0.5})
    texts = [" ".join(f"word{n}{m}" for m in range(12)) for n in range(4)]
    weak, strong = objective.view(texts, [0, 0, 1, 0], seed=1)
    assert list(weak) == texts
    assert all(one != other for one, other in zip(strong, texts, strict=True))
    alone = objective.view([texts[2]], [1], seed=1)[1]
    assert alone[0] == strong[2]
    assert objective.view([texts[2]], [2], seed=1)[1] != alone
    assert objective.view([texts[2]], [1], seed=2)[1] != alone


def test_a_view_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(InputError, match="randaugment"):
        FixMatch(strong="randaugment").view(["a text"], [0], 0)
    with pytest.raises(InputError, match="did you mean"):
        FixMatch(weak="edaa")
    with pytest.raises(InputError, match="no setting"):
        FixMatch(weak={"method": "eda", "alhpa": 0.1})


def test_a_batch_brings_the_ratio_of_unlabelled_examples_and_counts_how_often_each_was_seen() -> None:
    known = examples("text")
    draws = Draws(known, TuneSettings(steps=6, batch_size=4), 0, with_unlabelled=True, ratio=3)
    numbers = [number for draw in (draws[place] for place in range(len(draws))) for number in draw.others]
    assert len(numbers) == 6 * 4 * 3
    count = len(known.unlabelled)
    assert sorted(numbers[:count]) == list(range(count))
    assert sorted(numbers[count : 2 * count]) == list(range(count, 2 * count))


def test_a_head_is_taught_where_both_others_agree() -> None:
    one, two, own = (RNG.normal(size=(30, 3)) for _ in range(3))
    agree = one.argmax(1) == two.argmax(1)
    told = -np.log(softmax(own))[np.arange(30), one.argmax(1)]
    found = agreement_loss(*(torch.from_numpy(values) for values in (one, two, own)))
    assert found.item() == pytest.approx(told[agree].mean())
    apart = torch.eye(2).double()
    assert agreement_loss(apart, apart.flip(0), apart).item() == 0


def test_heads_at_right_angles_pay_nothing() -> None:
    one, two = RNG.normal(size=(3, 5)), RNG.normal(size=(4, 5))
    expected = sum(float(a @ b) ** 2 for a in one for b in two)
    assert orthogonality(torch.from_numpy(one), torch.from_numpy(two)).item() == pytest.approx(expected)
    assert orthogonality(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])).item() == 0


def test_three_heads_end_as_one_that_gives_the_mean_of_their_logits(folders: dict[str, Path]) -> None:
    prepared = base("text", folders)
    model, objective = prepared.model.eval(), MtTri()
    batch = batch_of(examples("text"), prepared.reader, range(6))
    equip(model, [objective], lambda: iter([batch]), seed=3)
    with torch.no_grad():
        features = model.represent(batch.inputs)
        heads = [model.head, *companion_of(model, objective).children()]
        expected = torch.stack([head(features) for head in heads]).mean(0)
        objective.conclude(model, lambda: iter([batch]))
        torch.testing.assert_close(model.head(features), expected)


def test_an_episode_measures_each_example_by_the_means_of_the_others() -> None:
    features, labels = RNG.normal(size=(9, 4)), np.array([0, 0, 0, 2, 2, 3, 2, 0, 0])
    logits, asks = episode(torch.from_numpy(features), torch.from_numpy(labels), 4)
    for row in range(9):
        for number in range(4):
            others = [other for other in range(9) if labels[other] == number and other != row]
            if others:
                away = ((features[row] - features[others].mean(0)) ** 2).sum()
                assert logits[row, number].item() == pytest.approx(-away)
    assert asks.tolist() == [True] * 5 + [False] + [True] * 3
    assert logits[:, 1].isneginf().all()


def test_prototypes_become_a_head_that_picks_the_nearest_mean(folders: dict[str, Path]) -> None:
    prepared = base("text", folders)
    model, known = prepared.model.eval(), examples("text")
    batches = [batch_of(known, prepared.reader, rows) for rows in (range(0, 35), range(35, 70))]
    with torch.no_grad():
        Prototypes().conclude(model, lambda: iter(batches))
        features = torch.cat([model.represent(batch.inputs) for batch in batches])
        logits = model.head(features)
    mine = known.from_target
    means = np.stack([features.numpy()[mine & (known.labels == number)].mean(0) for number in (0, 1)])
    apart = ((features.numpy()[:, None] - means[None]) ** 2).sum(-1)
    np.testing.assert_allclose(softmax(logits.double().numpy()), softmax(-apart.astype(np.float64)), rtol=1e-3, atol=1e-5)


def test_pairs_of_either_kind_count_half() -> None:
    features, labels = RNG.normal(size=(7, 3)), np.array([0, 1, 0, 2, 2, 1, 0])
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    kinds: dict[bool, list[float]] = {True: [], False: []}
    for one, other in itertools.combinations(range(7), 2):
        alike = bool(labels[one] == labels[other])
        kinds[alike].append((float(unit[one] @ unit[other]) - alike) ** 2)
    expected = (np.mean(kinds[True]) + np.mean(kinds[False])) / 2
    assert pair_loss(torch.from_numpy(features), torch.from_numpy(labels)).item() == pytest.approx(expected)
    assert pair_loss(torch.from_numpy(features[:1]), torch.from_numpy(labels[:1])).item() == 0


def test_setfits_head_is_a_logistic_regression_on_its_vectors(folders: dict[str, Path]) -> None:
    from sklearn.linear_model import LogisticRegression

    prepared = base("text", folders)
    model, known = prepared.model.eval(), examples("text")
    batch = batch_of(known, prepared.reader, range(70))
    with torch.no_grad():
        SetFit().conclude(model, lambda: iter([batch]))
        features = model.represent(batch.inputs)
        told = model.head(features).softmax(-1).numpy()
    wide = features.double().numpy()
    standard = (wide - wide.mean(0)) / (wide.std(0) + 1e-6)
    expected = LogisticRegression(C=1 / np.sqrt(wide.shape[1]), max_iter=1_000).fit(standard, known.labels, known.weights)
    np.testing.assert_allclose(told, expected.predict_proba(standard), atol=1e-3)


def test_balanced_guesses_are_cbsts() -> None:
    """Zou 2018, algorithm 2 and eq. 11, example by example."""
    guessed = softmax(RNG.normal(size=(40, 3)) * 2 + [1.5, 0, 0])
    share = 0.3
    winner = guessed.argmax(1)
    threshold = []
    for number in range(3):
        ranked = sorted(guessed[winner == number, number], reverse=True)
        threshold.append(ranked[int(np.ceil(share * len(ranked))) - 1])
    np.testing.assert_allclose(class_thresholds(guessed, share), threshold)
    expected = {}
    for row in range(40):
        scores = guessed[row] / threshold
        if scores.max() >= 1:
            expected[row] = int(scores.argmax())
    rows, labels = balanced(guessed, share)
    assert dict(zip(rows.tolist(), labels.tolist(), strict=True)) == expected


def test_guesses_by_prior_are_the_likeliest_of_each_class() -> None:
    guessed = softmax(RNG.normal(size=(20, 2)) + np.array([2.0, 0]))
    rows, labels = by_prior(guessed, 0.5, np.array([0.5, 0.5]))
    ranked = np.argsort(-guessed[:, 0])
    assert set(rows[labels == 0].tolist()) == set(ranked[:5].tolist())
    assert set(rows[labels == 1].tolist()) == set(ranked[-5:].tolist())
    assert np.bincount(by_prior(guessed, 1.0, np.array([0.25, 0.75]))[1]).tolist() == [5, 15]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 30), st.integers(2, 4), st.integers(0, 999), st.floats(0.05, 1.0), st.booleans())
def test_guesses_are_rows_in_order_and_certain_enough(count: int, classes: int, seed: int, share: float, balance: bool) -> None:
    guessed = softmax(np.random.default_rng(seed).normal(size=(count, classes)))
    rows, labels = pseudo_labels(guessed, share, balance=balance, confidence=0.4)
    assert (np.diff(rows) > 0).all()
    assert len(rows) == len(labels)
    assert (guessed[rows].max(1) >= 0.4).all() if len(rows) else True
    if not balance:
        assert len(rows) <= int(np.ceil(share * count))


def test_soft_labels_teach_the_same_as_their_shares_of_hard_ones(folders: dict[str, Path]) -> None:
    prepared = base("text", folders, dropout=0.0)
    model, known = prepared.model.eval(), examples("text")
    shares = softmax(RNG.normal(size=(70, 2)))
    soft = batch_of(dataclasses.replace(known, soft=shares), prepared.reader, range(10))
    with torch.no_grad():
        logits = model.classify(model.represent(soft.inputs)).double().numpy()
        found = Outputs(model, soft).task_loss.item()
    told = -np.log(softmax(logits))
    weights = known.weights[:10]
    assert found == pytest.approx(float(((told * shares[:10]).sum(1) * weights).sum() / weights.sum()), rel=1e-5)
