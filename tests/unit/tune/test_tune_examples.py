"""What training is handed: numbers, weights and flags in the right rows, and clear refusals."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from acclimate.data.domain import Domain, from_columns
from acclimate.errors import InputError
from acclimate.tune.examples import class_numbers, gather

SOURCE = from_columns("source", ["s1", "s2"], ["b", "a"])
TARGET = from_columns("target", ["t1", "t2"], ["a", "b"])
NEW = from_columns("new", ["n1"], ["a"])


def weighted(domain: Domain, weights: list[float]) -> Domain:
    return domain.with_column("weight", pa.array(weights, pa.float64()))


def test_parts_stand_in_order_and_augmented_ones_count_as_the_targets() -> None:
    examples = gather(("a", "b"), source=SOURCE, target=TARGET, augmented=NEW, unlabelled=["u"])
    assert list(examples.contents) == ["s1", "s2", "t1", "t2", "n1"]
    assert examples.labels.tolist() == [1, 0, 0, 1, 0]
    assert examples.from_target.tolist() == [False, False, True, True, True]
    assert list(examples.unlabelled) == ["u"]


def test_weights_multiply_and_average_to_one() -> None:
    examples = gather(("a", "b"), source=weighted(SOURCE, [1.0, 3.0]), target=TARGET, target_weight=10)
    np.testing.assert_allclose(examples.weights / examples.weights[0], [1, 3, 10, 10])
    assert examples.weights.mean() == pytest.approx(1)


@pytest.mark.parametrize("weights", [[-1.0, 1.0], [float("nan"), 1.0], [float("inf"), 1.0], [0.0, 0.0]])
def test_weights_that_cannot_be_averaged_with_are_refused(weights: list[float]) -> None:
    with pytest.raises(InputError, match="weights"):
        gather(("a", "b"), target=weighted(TARGET, weights))


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(InputError, match="no labelled example"):
        gather(("a", "b"), target=TARGET.take([]))


def test_a_label_outside_the_classes_is_named() -> None:
    with pytest.raises(InputError, match="outside the classes: c"):
        class_numbers(["a", "c"], ["a", "b"])


def test_a_missing_label_is_refused() -> None:
    with pytest.raises(InputError, match="None"):
        class_numbers(["a", None, "b"], ["a", "b"])


def test_one_class_only_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="class 'a'"):
        class_numbers(["a", "a"], ["a", "b"])
