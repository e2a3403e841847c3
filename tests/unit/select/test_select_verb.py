"""The verb: budgets are kept, mistakes are explained, models are loaded only when asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from acclimate.data.domain import from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError, RunError
from acclimate.select.run import select

POOL = from_columns("pool", ["one two", "three", "four five six", "seven"])
WARD = from_columns("ward", ["fever", "cough", "scan", "pulse"], ["a", "b", "a", "b"])
TARGET = Target("ward", WARD.take([0, 1]), WARD.take([2]).without_labels(), Sealed(WARD.take([3]), "test"), ("a", "b"))


def test_a_selection_holds_scores_of_all_and_weights_and_reasons_of_the_kept() -> None:
    picked = select(POOL, TARGET, method="random", budget="2")
    assert picked.scores.shape == (4,)
    assert picked.weights.tolist() == [1.0, 1.0]
    assert len(picked.reasons) == len(picked) == 2
    assert picked.scores[picked.indices].tolist() == sorted(picked.scores, reverse=True)[:2]
    table = picked.to_table()
    assert table.column("rank").to_pylist() == [1, 2]
    assert table.column("position").to_pylist() == picked.indices.tolist()


def test_a_budget_beyond_the_pool_keeps_all_and_says_so() -> None:
    picked = select(POOL, TARGET, method="random", budget=100)
    assert len(picked) == 4
    assert "more than the pool" in picked.notes[0]


def test_a_budget_of_tokens_counts_with_the_given_function() -> None:
    assert len(select(POOL, TARGET, method="random", budget="3 tokens", count_tokens=lambda _: 1)) == 3


def test_the_line_that_describes_a_selection_names_its_settings() -> None:
    assert select(POOL, TARGET, method="dsir", shrink=5, salt=1).method == "dsir(salt=1, shrink=5)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "clasifier"}, "did you mean 'classifier'"),
        ({"method": "dsir", "bucket": 5}, "did you mean 'buckets'"),
        ({"method": "random", "k": 5}, "no setting 'k'"),
        ({"method": "dsir", "buckets": "many"}, "'buckets' of the selector 'dsir' is 'many'"),
        ({"method": "dsir", "preset": "papr"}, "'default' or 'paper'"),
        ({"method": "dsir", "target_share": 0.0}, "target_share"),
        ({"method": "classifier", "C": -1}, "C above 0"),
        ({"method": "knn", "k": 0}, "at least 1 neighbour"),
        ({"method": "random", "budget": "0"}, "budget is '0'"),
    ],
)
def test_a_wrong_name_or_value_is_explained(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match="Fix: ") as error:
        select(POOL, TARGET, **arguments)
    assert message in str(error.value)


def test_an_empty_source_or_target_is_refused() -> None:
    with pytest.raises(InputError, match="source 'pool' is empty"):
        select(POOL.take([]), TARGET)
    bare = Target("bare", WARD.take([]), WARD.take([]).without_labels(), Sealed(WARD, "test"), ("a", "b"))
    with pytest.raises(InputError, match="nothing to compare"):
        select(POOL, bare)


def test_texts_without_any_word_are_refused_where_words_are_needed() -> None:
    marks = from_columns("marks", ["!!", "??"], ["a", "b"])
    target = Target("marks", marks, marks.take([]).without_labels(), Sealed(marks, "test"), ("a", "b"))
    with pytest.raises(InputError, match="has a word in it"):
        select(marks, target, method="classifier")


def test_a_score_that_is_not_a_number_is_an_error_that_names_the_example() -> None:
    def broken(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[np.nan if text == "three" else 1.0] for text in texts], dtype=np.float32)

    with pytest.raises(RunError, match="pool:1"):
        select(POOL, TARGET, method="knn", embed=broken)


def test_settings_from_a_command_line_are_read_as_their_types() -> None:
    from_text = select(POOL, TARGET, method="dsir", buckets="4096", target_share="0.5")
    assert from_text.scores.tolist() == select(POOL, TARGET, method="dsir", buckets=4096, target_share=0.5).scores.tolist()
