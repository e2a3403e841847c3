from collections.abc import Sequence

import numpy as np
import pytest

from acclimate.data.domain import from_columns
from acclimate.data.target import Ledger, Sealed, Target
from acclimate.errors import InputError
from acclimate.evaluate.measure import evaluate, label_codes, pool_scores, validate


class Keyword:
    """Says 'pos' where the text holds 'good'."""

    def __init__(self, classes: Sequence[str] = ("pos", "neg")) -> None:
        self.classes = tuple(classes)

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        is_good = np.array(["good" in text for text in texts])
        other = np.full(len(texts), 0.2 / max(len(self.classes) - 2, 1))
        columns = [np.where(is_good, 0.8, 0.0), np.where(is_good, 0.0, 0.8)]
        rest = [other] * (len(self.classes) - 2) if len(self.classes) > 2 else []
        table = np.stack(columns + rest, axis=1)
        return table / table.sum(1, keepdims=True)


class Broken(Keyword):
    def __init__(self, output: np.ndarray) -> None:
        super().__init__()
        self._output = output

    def predict_proba(self, _: Sequence[str]) -> np.ndarray:
        return self._output


def make(test_labels: Sequence[str] = ("pos", "neg", "pos"), validation: bool = False) -> Target:
    labelled = from_columns("shop", ["good", "bad"] * 6, ["pos", "neg"] * 6)
    test = Sealed(from_columns("shop-test", ["good one", "bad one", "bad two"], list(test_labels)), "test")
    held_out = Sealed(labelled, "validation") if validation else None
    return Target("shop", labelled, labelled.take([]).without_labels(), test, ("neg", "pos"), held_out)


def test_scores_hold_every_example_in_the_order_of_the_models_classes():
    scores = evaluate(Keyword(), make())
    assert scores.ids == ["shop-test:0", "shop-test:1", "shop-test:2"]
    assert scores.classes == ("pos", "neg")
    assert scores.labels.tolist() == [0, 1, 0]
    assert scores.correct.tolist() == [True, True, False]
    assert scores.probabilities.shape == (3, 2)
    assert scores.metrics["accuracy"] == pytest.approx(2 / 3)


def test_every_opening_leaves_one_line_in_the_ledger():
    ledger = Ledger()
    target = make(validation=True)
    evaluate(Keyword(), target, ledger=ledger)
    validate(Keyword(), target, ledger=ledger)
    assert ledger.openings == [
        {"purpose": "test", "reader": "evaluate", "count": 3},
        {"purpose": "validation", "reader": "evaluate", "count": 12},
    ]


def test_a_model_that_fails_to_predict_leaves_the_test_sealed():
    ledger = Ledger()
    with pytest.raises(InputError):
        evaluate(Broken(np.full((3, 2), np.nan)), make(), ledger=ledger)
    assert ledger.openings == []


def test_folds_pool_to_the_scores_of_all_examples_at_once():
    target = make()
    pooled = pool_scores([validate(Keyword(), fold) for fold in target.folds(3, seed=0)])
    assert sorted(pooled.ids) == sorted(target.labelled.ids)
    assert (pooled.purpose, len(pooled), pooled.metrics["accuracy"]) == ("validation", 12, 1.0)


def test_scores_over_different_classes_do_not_pool():
    target = make()
    with pytest.raises(InputError, match="cannot be pooled"):
        pool_scores([evaluate(Keyword(), target), evaluate(Keyword(("pos", "neg", "other")), target)])


def test_a_test_label_the_model_does_not_know_is_an_input_error():
    with pytest.raises(InputError, match="mixed"):
        evaluate(Keyword(), make(["pos", "mixed", "neg"]))


def test_a_class_only_the_model_knows_is_harmless():
    assert evaluate(Keyword(("pos", "neg", "mixed")), make()).metrics["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "output",
    [np.ones((2, 2)) / 2, np.ones((3, 3)) / 3, np.full((3, 2), np.nan), np.array([[2.0, -1.0]] * 3), np.ones((3, 2))],
    ids=["rows", "columns", "nan", "negative", "logits"],
)
def test_unsound_probabilities_are_an_input_error(output):
    with pytest.raises(InputError, match="not probabilities"):
        evaluate(Broken(output), make())


def test_an_empty_test_and_a_missing_validation_are_input_errors():
    target = make()
    empty = Target("shop", target.labelled, target.unlabelled, target.test.keep(np.array([], dtype=np.int64)), target.classes)
    with pytest.raises(InputError, match="empty"):
        evaluate(Keyword(), empty)
    with pytest.raises(InputError, match="no validation part"):
        validate(Keyword(), target)


def test_an_unlabelled_example_has_no_code():
    with pytest.raises(InputError, match="None"):
        label_codes(from_columns("d", ["a"], [None]), ["x"])
