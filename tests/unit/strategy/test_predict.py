"""The current model's labels: each example judged by a model that did not learn from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from acclimate.data.domain import Domain, from_columns
from acclimate.errors import InputError
from acclimate.strategy.predict import out_of_fold, predictor


@dataclasses.dataclass
class ByHeart:
    """A learner that knows the examples it learned by heart, and says the first class of all others."""

    seen: list[str] = dataclasses.field(default_factory=list)
    classes: tuple[str, ...] = ()

    def fit(self, examples: Domain, classes: Sequence[str], weights: object = None) -> ByHeart:  # noqa: ARG002
        return ByHeart(examples.texts, tuple(classes))

    def predict_proba(self, batch: Domain) -> np.ndarray:
        assert not set(batch.texts) & set(self.seen)
        return np.eye(len(self.classes))[[0] * len(batch)]


def test_no_example_is_judged_by_a_model_that_learned_from_it() -> None:
    examples = from_columns("p", [f"text {row}" for row in range(40)], ["a", "b"] * 20)
    predicted = out_of_fold(ByHeart())(examples)  # type: ignore[arg-type]
    assert predicted == ["a"] * 40
    backwards = out_of_fold(ByHeart())(examples.take(list(reversed(range(40)))))  # type: ignore[arg-type]
    assert backwards == predicted


def test_one_class_cannot_be_mistaken() -> None:
    with pytest.raises(InputError, match="have 1 classes"):
        out_of_fold(ByHeart())(from_columns("p", ["one", "two"], ["a", "a"]))  # type: ignore[arg-type]


def test_nothing_is_loaded_before_it_is_asked() -> None:
    assert callable(predictor("/no/such/folder", "no-such-model"))
