"""The probe's numbers against an independent optimiser, its layout, and its indifference to threads and batches."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from acclimate.augment.mix.mixup import mix_rows
from acclimate.data.domain import from_columns
from acclimate.errors import InputError
from acclimate.tune.examples import gather
from acclimate.tune.probe import Probe, ProbedTexts, unit_rows

Floats = NDArray[np.float64]


def blobs(classes: int, count: int = 90, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    return rng.normal(size=(count, 6)) + 4 * rng.normal(size=(classes, 6))[labels], labels


def reference(X: Floats, Y: Floats, w: Floats, C: float) -> Floats:
    """Penalised softmax regression by plain gradient-free-of-tricks minimisation: weights ``(c, d + 1)``, bias not penalised."""
    n, d = X.shape
    shape = (Y.shape[1], d + 1)
    wide = np.hstack([X, np.ones((n, 1))])

    def loss(flat: Floats) -> tuple[float, Floats]:
        W = flat.reshape(shape)
        z = wide @ W.T
        z = z - z.max(1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
        gradient = C * (w[:, None] * (np.exp(log_p) * Y.sum(1, keepdims=True) - Y)).T @ wide
        gradient[:, :d] += W[:, :d]
        return float(-C * (w[:, None] * Y * log_p).sum() + (W[:, :d] ** 2).sum() / 2), gradient.ravel()

    return minimize(loss, np.zeros(shape).ravel(), jac=True, method="BFGS", options={"gtol": 1e-8}).x.reshape(shape)


def probabilities(X: Floats, W: Floats) -> Floats:
    z = X @ W[:, :-1].T + W[:, -1]
    powers = np.exp(z - z.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def test_it_minimises_the_weighted_penalised_loss_on_unit_rows() -> None:
    X, y = blobs(3)
    w = np.random.default_rng(1).uniform(0.1, 3, len(y))
    W = reference(unit_rows(X), np.eye(3)[y], w, C=2.0)
    probe = Probe(C=2.0).fit(X, y, 3, w)
    np.testing.assert_allclose(probe.predict_proba(X), probabilities(unit_rows(X), W), atol=1e-4)


def test_soft_labels_are_learned_as_shares() -> None:
    X, y = blobs(3)
    X, Y, w = mix_rows(unit_rows(X), np.eye(3)[y], np.ones(len(y)), 0.5, np.random.default_rng(0))
    W = reference(unit_rows(X), Y, w, C=4.0)
    np.testing.assert_allclose(Probe().fit(X, Y, 3, w).predict_proba(X), probabilities(unit_rows(X), W), atol=1e-4)


def test_hard_labels_and_their_one_hot_rows_are_the_same_to_it() -> None:
    X, y = blobs(2)
    hard, soft = Probe().fit(X, y, 2), Probe().fit(X, np.eye(2)[y], 2)
    assert (hard.predict_proba(X) == soft.predict_proba(X)).all()


@pytest.mark.parametrize("present", [(1, 3), (0, 2, 3)])
def test_classes_that_were_not_seen_get_probability_zero(present: tuple[int, ...]) -> None:
    X, y = blobs(len(present))
    answers = Probe().fit(X, np.asarray(present)[y], 5).predict_proba(X)
    assert answers.shape == (len(X), 5)
    np.testing.assert_allclose(answers.sum(1), 1)
    assert (answers[:, [c for c in range(5) if c not in present]] == 0).all()
    assert (answers.argmax(1) == np.asarray(present)[y]).mean() > 0.8


def test_the_number_of_threads_does_not_change_a_bit() -> None:
    X, y = blobs(3, count=3_000)
    fitted = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            fitted.append(Probe().fit(X, y, 3))
    assert fitted[0].weight.tobytes() == fitted[1].weight.tobytes()


def test_a_rows_answer_does_not_depend_on_its_neighbours() -> None:
    X, y = blobs(3, count=700)
    probe = Probe().fit(X, y, 3)
    whole = probe.predict_proba(X)
    assert (probe.predict_proba(X[5:6]) == whole[5:6]).all()
    assert (probe.predict_proba(X[::-1][:333]) == whole[::-1][:333]).all()


def test_a_zero_vector_is_answered_with_the_bias_alone() -> None:
    X, y = blobs(2)
    answer = Probe().fit(X, y, 2).predict_proba(np.zeros((1, 6)))
    assert np.isfinite(answer).all()


@pytest.mark.parametrize(
    ("labels", "weights"),
    [([0, 0, 0], None), ([0, 1, 5], None), ([0, 1], None), ([0, 1, 1], [1.0, 1.0])],
)
def test_what_cannot_be_learned_from_is_refused(labels: list[int], weights: list[float] | None) -> None:
    with pytest.raises(InputError):
        Probe().fit(np.eye(3), np.asarray(labels), 2, None if weights is None else np.asarray(weights))


def test_a_penalty_that_is_no_penalty_is_refused() -> None:
    with pytest.raises(InputError, match="C"):
        Probe(C=0)


def test_behind_an_embedder_it_answers_texts() -> None:
    def embed(texts: object) -> NDArray[np.float32]:
        return np.asarray([[text.count("x"), text.count("y"), 1] for text in texts], dtype=np.float32)  # type: ignore[attr-defined]

    examples = gather(("x", "y"), target=from_columns("t", ["xxx", "yyy", "xx", "y"], ["x", "y", "x", "y"]))
    model = ProbedTexts.fit(embed, examples, ("x", "y"), Probe(C=100))
    assert model.predict_proba(["xxxx", "yy"]).argmax(1).tolist() == [0, 1]
