"""Gradients of linear layers in closed form, LESS, and influence against its exact value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from acclimate.data.domain import Domain, from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError, RunError
from acclimate.features.gradients import LoraGradients
from acclimate.models.causal import CausalModel
from acclimate.select.base import Toolbox
from acclimate.select.importance.difficulty import by_id, label_rows
from acclimate.select.importance.gradient import Gradient, cosines, task_directions
from acclimate.select.importance.gradient_rows import OuterRows, PlainRows, loss_gradients
from acclimate.select.importance.influence import (
    Influence,
    damping_of,
    datainf_direction,
    margin_gradients,
    trak_direction,
)
from acclimate.select.run import select
from acclimate.tune.learner import ProbeLearner
from tests.causal import make_causal

CLASSES = ("no", "yes")
DIM = 10


def embed(contents: Sequence[str] | Sequence[bytes]) -> NDArray[np.float32]:
    """A text is the seed of its own vector."""
    return np.stack([np.random.default_rng(int(content)).normal(size=DIM) for content in contents]).astype(np.float32)


def draw(name: str, start: int, count: int, flipped: float) -> Domain:
    """Labels follow a fixed direction, but for a share of them that are flipped."""
    texts = [str(number) for number in range(start, start + count)]
    side = embed(texts) @ np.linspace(-1, 1, DIM) > 0
    wrong = np.random.default_rng(start).random(count) < flipped
    return from_columns(name, texts, [CLASSES[int(label)] for label in side ^ wrong])


def make_target(labelled: Domain, unlabelled: Domain | None = None) -> Target:
    rest = labelled.take([]) if unlabelled is None else unlabelled
    return Target("goal", labelled, rest.without_labels(), Sealed(labelled.take([]), "test"), CLASSES)


SOURCE, GOAL = draw("source", 0, 300, 0.15), draw("goal", 1000, 60, 0.0)


def outer_rows(count: int, seed: int) -> OuterRows:
    rng = np.random.default_rng(seed)
    return OuterRows(rng.normal(size=(count, 3)), rng.normal(size=(count, 4)))


def written_out(rows: OuterRows) -> NDArray[np.float64]:
    return (rows.left[:, :, None] * rows.right[:, None, :]).reshape(rows.shape)


@pytest.mark.parametrize("kind", ["outer", "plain"])
def test_gradients_need_not_be_written_out(kind: str) -> None:
    outer = outer_rows(1500, 0)
    matrix = written_out(outer)
    rows = outer if kind == "outer" else PlainRows(matrix)
    directions = np.random.default_rng(1).normal(size=(2, 12))
    weights = np.random.default_rng(2).normal(size=1500)
    assert rows.shape == (1500, 12)
    np.testing.assert_allclose(rows.lengths(), np.linalg.norm(matrix, axis=1), rtol=1e-12)
    np.testing.assert_allclose(rows.products(directions), matrix @ directions.T, atol=1e-6)
    np.testing.assert_allclose(rows.combined(weights), weights @ matrix, atol=1e-10)


def test_products_have_the_same_bits_in_any_batch() -> None:
    rows = outer_rows(1500, 3)
    directions = np.random.default_rng(1).normal(size=(2, 12))
    whole = rows.products(directions)
    some = np.random.default_rng(2).permutation(1500)[:700]
    part = OuterRows(rows.left[some], rows.right[some])
    assert part.products(directions).tobytes() == whole[some].tobytes()
    assert part.lengths().tobytes() == rows.lengths()[some].tobytes()


def test_gradients_of_a_classifier_equal_those_of_autograd() -> None:
    scorer = ProbeLearner(embed).fit(SOURCE, CLASSES)
    labels = label_rows(SOURCE, CLASSES, "test")
    found = written_out(loss_gradients(scorer, SOURCE, labels))
    weight = torch.tensor(np.hstack([scorer.weight, scorer.bias[:, None]]), requires_grad=True)
    inputs = torch.tensor(np.hstack([scorer.represent(SOURCE), np.ones((len(SOURCE), 1))]))
    for row in range(5):
        loss = torch.nn.functional.cross_entropy(weight @ inputs[row], torch.tensor(labels[row]))
        expected = torch.autograd.grad(loss, weight)[0].numpy().ravel()
        np.testing.assert_allclose(found[row], expected, atol=1e-12)


def test_margin_gradients_equal_those_of_autograd() -> None:
    scorer = ProbeLearner(embed).fit(SOURCE, CLASSES)
    labels = label_rows(SOURCE, CLASSES, "test")
    found = written_out(margin_gradients(loss_gradients(scorer, SOURCE, labels), labels))
    weight = torch.tensor(np.hstack([scorer.weight, scorer.bias[:, None]]), requires_grad=True)
    inputs = torch.tensor(np.hstack([scorer.represent(SOURCE), np.ones((len(SOURCE), 1))]))
    for row in range(5):
        p = torch.softmax(weight @ inputs[row], 0) @ torch.tensor(labels[row])
        expected = torch.autograd.grad(torch.log(p / (1 - p)), weight)[0].numpy().ravel()
        np.testing.assert_allclose(found[row], expected, atol=1e-9)


def test_less_is_the_largest_mean_cosine_over_the_models_of_a_training() -> None:
    selector = Gradient(ProbeLearner(embed), epochs=3, seed=5).fit(SOURCE, make_target(GOAL))
    expected = np.full((len(SOURCE), 2), 0.0)
    for scorer in ProbeLearner(embed).trajectory(by_id(SOURCE), CLASSES, epochs=3, seed=5):
        here = written_out(loss_gradients(scorer, SOURCE, label_rows(SOURCE, CLASSES, "test")))
        there = written_out(loss_gradients(scorer, GOAL, label_rows(GOAL, CLASSES, "test")))
        for number, name in enumerate(CLASSES):
            mean = there[[label == name for label in GOAL.labels]].mean(axis=0)
            cosine = here @ mean / np.linalg.norm(here, axis=1) / np.linalg.norm(mean)
            expected[:, number] += cosine / 3
    np.testing.assert_allclose(selector.score(SOURCE), expected.max(axis=1), atol=1e-6)


def test_zero_gradients_have_cosine_zero() -> None:
    rows = PlainRows(np.array([[0.0, 0.0], [3.0, 4.0]]))
    directions = task_directions(rows, np.array([0, 1]))
    assert directions.tolist() == [[0, 0], [0.6, 0.8]]
    np.testing.assert_allclose(cosines(rows, directions), [[0, 0], [0, 1]], atol=1e-7)


def test_datainf_takes_the_mean_of_inverses() -> None:
    rows = outer_rows(40, 6)
    matrix, goal = written_out(rows), np.random.default_rng(7).normal(size=12)
    damping = damping_of(rows, 0.1)
    assert damping == pytest.approx(0.1 * np.trace(matrix.T @ matrix / 40) / 12)
    inverse = np.mean([np.linalg.inv(np.outer(g, g) + damping * np.eye(12)) for g in matrix], axis=0)
    np.testing.assert_allclose(datainf_direction(rows, goal, damping), inverse @ goal, rtol=1e-6)


def test_trak_solves_with_the_kernel() -> None:
    rows = outer_rows(40, 6)
    matrix, goal = written_out(rows), np.random.default_rng(7).normal(size=12)
    expected = np.linalg.solve(matrix.T @ matrix / 40 + 0.3 * np.eye(12), goal)
    np.testing.assert_allclose(trak_direction(rows, goal, 0.3), expected, rtol=1e-5)


def test_a_kernel_that_cannot_be_solved_is_said() -> None:
    rows = PlainRows(np.diag(10.0 ** np.arange(-150.0, 150.0, 20)))
    with pytest.raises(RunError, match="raise the damping"):
        trak_direction(rows, np.ones(15), 1e-300)


def exact_influence() -> NDArray[np.float64]:
    """``v' H^-1 g`` with the Hessian of the source's loss written out (Koh & Liang 2017, eq. 2, with their sign turned)."""
    scorer = ProbeLearner(embed).fit(SOURCE, CLASSES)
    here = loss_gradients(scorer, SOURCE, label_rows(SOURCE, CLASSES, "test"))
    there = written_out(loss_gradients(scorer, GOAL, label_rows(GOAL, CLASSES, "test"))).mean(axis=0)
    terms = [
        np.kron(np.diag(p) - np.outer(p, p), np.outer(h, h)) for p, h in zip(scorer.predict_proba(SOURCE), here.right, strict=True)
    ]
    hessian = np.mean(terms, axis=0) + 1e-4 * np.eye(here.shape[1])
    return written_out(here) @ np.linalg.solve(hessian, there)


@pytest.mark.parametrize(("estimator", "correlation", "signs"), [("datainf", 0.65, 0.75), ("trak", 0.93, 0.95)])
def test_influence_ranks_as_its_exact_value_and_has_its_sign(estimator: str, correlation: float, signs: float) -> None:
    """Signs are compared where the exact value is clear of zero; the plain product of gradients correlates with it at .44."""
    exact = exact_influence()
    selector = Influence(ProbeLearner(embed), estimator=estimator, relative=False)  # type: ignore[arg-type]
    found = selector.fit(SOURCE, make_target(GOAL)).score(SOURCE)
    assert spearmanr(found, exact).statistic > correlation
    clear = np.abs(exact) > np.quantile(np.abs(exact), 0.25)
    assert (np.sign(found) == np.sign(exact))[clear].mean() > signs


def test_flipped_labels_hurt() -> None:
    side = embed(SOURCE.texts) @ np.linspace(-1, 1, DIM) > 0
    flipped = np.array([CLASSES[int(here)] != label for here, label in zip(side, SOURCE.labels, strict=True)])
    for relative in (True, False):
        scores = Influence(ProbeLearner(embed), relative=relative).fit(SOURCE, make_target(GOAL)).score(SOURCE)
        assert scores[flipped].mean() < 0 < scores[~flipped].mean()


def test_relative_influence_is_that_of_gradients_of_length_one() -> None:
    scorer = ProbeLearner(embed).fit(by_id(SOURCE), CLASSES)
    lengths = loss_gradients(scorer, SOURCE, label_rows(SOURCE, CLASSES, "test")).lengths()
    plain, relative = (
        Influence(ProbeLearner(embed), relative=choice).fit(SOURCE, make_target(GOAL)).score(SOURCE) for choice in (False, True)
    )
    np.testing.assert_allclose(relative, plain / lengths, rtol=1e-12)


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    return CausalModel(str(make_causal(tmp_path_factory.mktemp("causal"))), device="cpu")


TALE = from_columns("tale", ["the cat sat", "zzzzzzzz", "", "a cat sits on the mat", "9876 54 321"])


@pytest.mark.usefixtures("home")
def test_gradients_of_a_language_model_need_no_labels(language_model: CausalModel) -> None:
    goal = from_columns("goal", ["the cat ran", "a dog sat on the mat"])
    target = make_target(goal.take([]), goal)
    exact = LoraGradients(language_model, rank=8, alpha=16, cache=None)
    here, there = exact.exact(TALE).astype(np.float64), exact.exact(goal).astype(np.float64).mean(axis=0)
    selector = Gradient(language_model=language_model, features="lora").fit(TALE, target)
    scores = selector.score(TALE)
    lengths = np.linalg.norm(here, axis=1)
    assert scores[2] == 0  # nothing to learn from an empty text
    expected = np.divide(here @ there, lengths * np.linalg.norm(there), out=np.zeros(5), where=lengths > 0)
    np.testing.assert_allclose(scores, expected, atol=0.05)  # the sketch's error
    assert selector.score(TALE.take([3])).tobytes() == scores[[3]].tobytes()
    assert selector.reasons(TALE)[0].startswith("target=goal cosine=")
    influence = Influence(language_model=language_model, features="lora").fit(TALE, target).score(TALE)
    assert np.isfinite(influence).all()
    assert influence[2] == 0


@pytest.mark.usefixtures("home")
def test_an_optimisers_state_changes_the_gradients_of_the_source(language_model: CausalModel, tmp_path: Path) -> None:

    goal = from_columns("goal", ["the cat ran"])
    target = make_target(goal.take([]), goal)
    parameters = LoraGradients(language_model).adapter.parameters
    moments = {
        name: {"exp_avg": torch.zeros(shape), "exp_avg_sq": torch.full(shape, 1e-4), "step": 10} for name, shape in parameters
    }
    torch.save({"state": moments, "param_groups": []}, tmp_path / "optimizer.pt")
    plain, adam = (
        Gradient(language_model=language_model, features="lora", adam=path).fit(TALE, target).score(TALE)
        for path in (None, str(tmp_path / "optimizer.pt"))
    )
    assert (plain != adam)[[0, 1, 3, 4]].all()


@pytest.mark.usefixtures("home")
def test_target_domains_are_tasks_of_their_own(language_model: CausalModel) -> None:
    goal = from_columns("goal", ["the cat sat", "9876 54 321"], domains=["words", "numbers"])
    selector = Gradient(language_model=language_model, features="lora").fit(TALE, make_target(goal.take([]), goal))
    reasons = selector.reasons(TALE)
    assert reasons[0] == "target=words cosine=1.00"
    assert reasons[4] == "target=numbers cosine=1.00"


@pytest.mark.parametrize("method", ["gradient", "influence"])
def test_the_verb_asks_for_what_the_settings_need(method: str, language_model: CausalModel) -> None:
    tools = Toolbox(language_model=language_model)
    tale, goal = TALE.without_labels(), make_target(GOAL.take([]), GOAL.without_labels())
    assert len(select(tale, goal, method=method, tools=tools, features="lora", budget="2")) == 2
    with pytest.raises(InputError, match=r"no causal language model was given.*use 'classifier'"):
        select(tale, goal, method=method, features="lora")
    with pytest.raises(InputError, match="without a label"):
        select(tale, goal, method=method, tools=Toolbox(embed, learner=ProbeLearner(embed)))


@pytest.mark.parametrize("method", [Gradient, Influence])
def test_missing_models_and_labels_are_said(method: type[Gradient] | type[Influence]) -> None:
    with pytest.raises(InputError, match="features='lora' without a language model"):
        method(ProbeLearner(embed), features="lora").fit(SOURCE, make_target(GOAL)).score(SOURCE)
    with pytest.raises(InputError, match="Unknown kind of features 'lore'"):
        method(ProbeLearner(embed), features="lore")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="found no labelled examples in the target"):
        method(ProbeLearner(embed)).fit(SOURCE, make_target(GOAL.take([]), GOAL))
