"""Reducible loss against losses worked out by hand, and what it promises about wrong labels and labels that the target lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from acclimate.data.domain import Domain, concatenate, from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.select.importance.reducible_loss import ReducibleLoss, own_loss
from acclimate.select.run import select
from acclimate.tune.learner import ProbeLearner

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(240, 8)) + 3 * np.eye(8)[np.arange(240) % 3]
NAMES = np.array(["a", "b", "c"])[np.arange(240) % 3]


def embed(contents: Sequence[str] | Sequence[bytes], /) -> NDArray[np.float32]:
    return VECTORS[[int(text) for text in contents]].astype(np.float32)


LEARNER = ProbeLearner(embed)


def part(name: str, rows: Sequence[int], labels: Sequence[str] = NAMES) -> Domain:
    return from_columns(name, [str(row) for row in rows], [labels[row] for row in rows])


def target(rows: Sequence[int] = range(200, 240)) -> Target:
    labelled = part("t", rows)
    return Target("t", labelled, labelled.take([]).without_labels(), Sealed(labelled, "test"), labelled.classes)


def reference(source: Domain, model: Domain, weights: NDArray[np.float64] | None = None) -> list[float]:
    """Each example's loss by scikit-learn, one by one."""
    scorer = LEARNER.fit(model, model.classes, weights)
    answers = scorer.predict_proba(source)
    return [
        log_loss([label], answer[None], labels=list(scorer.classes)) for label, answer in zip(source.labels, answers, strict=True)
    ]


@pytest.mark.parametrize("progress", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("irreducible", ["both", "target"])
def test_it_is_the_loss_of_the_source_model_minus_that_of_the_one_that_knows_the_target(irreducible: Any, progress: float) -> None:
    source, ward = part("s", range(100, 200)), target()  # ids of equal length: sorted as they stand
    source = source.take(np.argsort(source.ids))
    scores = ReducibleLoss(LEARNER, irreducible, target_weight=5, progress=progress).fit(source, ward).score(source)
    model, weights = ward.labelled, None
    if irreducible == "both":
        model, weights = concatenate("both", [source, ward.labelled]), np.repeat([1.0, 5.0], [100, 40])
    moment = (1 - progress) * np.log(3) + progress * np.array(reference(source, source))
    np.testing.assert_allclose(scores, moment - reference(source, model, weights), atol=1e-6)


@pytest.mark.parametrize("irreducible", ["both", "target"])
def test_wrong_labels_come_last(irreducible: Any) -> None:
    wrong = RNG.choice(200, 20, replace=False)
    labels = NAMES.copy()
    labels[wrong] = np.array(["b", "c", "a"])[wrong % 3]
    source = part("s", range(200), labels)
    scores = ReducibleLoss(LEARNER, irreducible).fit(source, target()).score(source)
    assert np.isin(np.argsort(scores, kind="stable")[:20], wrong).mean() > 0.7  # chance: 0.1


def test_labels_that_the_target_lacks_come_last_and_the_reason_says_so() -> None:
    source = part("s", range(200))
    ward = target([row for row in range(200, 240) if row % 3 < 2])
    for irreducible in ("both", "target"):
        selector = ReducibleLoss(LEARNER, irreducible).fit(source, ward)
        scores, lacking = selector.score(source), NAMES[:200] == "c"
        assert scores[lacking].max() < scores[~lacking].min()
        assert np.isfinite(scores).all()
        reasons = np.array(selector.reasons(source))
        assert (reasons[lacking] == "the target has no such label").all()
        assert all("knowing the target" in reason for reason in reasons[~lacking])


def test_a_target_class_that_the_source_lacks_and_a_source_of_one_class_do_no_harm() -> None:
    two, one = part("s", [row for row in range(200) if row % 3 < 2]), part("o", [0, 3, 6])
    for source in (two, one):
        for irreducible in ("both", "target"):
            selector = ReducibleLoss(LEARNER, irreducible).fit(source, target())
            assert np.isfinite(selector.score(source)).all()


def test_the_order_of_the_source_does_not_matter() -> None:
    source, order = part("s", range(200)), RNG.permutation(200)
    scores = [ReducibleLoss(LEARNER).fit(rows, target()).score(source) for rows in (source, source.take(order))]
    assert scores[0].tobytes() == scores[1].tobytes()


def test_an_answer_that_is_wholly_wrong_has_a_finite_loss_and_an_unknown_label_the_largest() -> None:
    scorer = LEARNER.fit(part("s", [0, 1, 3, 4]), ("a", "b", "c"))
    losses = own_loss(scorer, part("x", [2, 5]))
    np.testing.assert_allclose(losses, -np.log(1e-12))
    assert own_loss(scorer, from_columns("z", ["0"], ["z"])).tolist() == losses[:1].tolist()


@pytest.mark.parametrize("settings", [{"target_weight": 0.0}, {"progress": 1.5}, {"progress": -0.1}])
def test_settings_that_mean_nothing_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InputError, match="leave the defaults"):
        ReducibleLoss(LEARNER, **settings)  # type: ignore[arg-type]


def test_a_batch_without_labels_is_refused() -> None:
    selector = ReducibleLoss(LEARNER).fit(part("s", range(200)), target())
    with pytest.raises(InputError, match="labelled 'None'"):
        selector.score(part("s", [0]).with_column("label", pa.array([None], pa.string())))


def test_a_target_without_labels_is_told_what_is_lacking() -> None:
    from acclimate.select.base import Toolbox

    ward = target([])
    ward = Target("t", ward.labelled, part("u", [1, 2]).without_labels(), ward.test, ("a", "b"))
    with pytest.raises(InputError, match=r"fewer than two classes of labelled examples.*or use '"):
        select(part("s", range(20)), ward, method="reducible-loss", tools=Toolbox(embed, learner=LEARNER))
