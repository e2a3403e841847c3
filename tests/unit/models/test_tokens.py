"""Tokens are counted as the model's tokenizer cuts them, without special tokens and without a limit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acclimate.errors import InputError
from acclimate.models.tokens import token_counter
from acclimate.select.budget import Budget


def test_tokens_are_those_of_the_models_tokenizer(tiny_encoder: Path) -> None:
    count = token_counter(str(tiny_encoder))  # one token for each letter
    assert count("two words") == 8
    assert count.many(["", "abc", "a b c d", "é"]).tolist() == [0, 3, 4, 1]
    assert count("word " * 100) == 400  # more than the model reads


def test_many_texts_are_counted_as_each_alone(tiny_encoder: Path) -> None:
    count = token_counter(str(tiny_encoder))
    texts = [f"text {'a' * (number % 7)} {number}" for number in range(1500)]
    assert count.many(texts).tolist() == [len(text.replace(" ", "")) for text in texts]
    assert count.many([]).shape == (0,)


def test_a_budget_of_tokens_is_spent_in_the_models_tokens(tiny_encoder: Path) -> None:
    budget, texts = Budget.parse("10 tokens"), ["four by four", "ab", "abcdefghij"]
    assert budget.take(np.array([3.0, 2.0, 1.0]), texts)[0].tolist() == [0, 1, 2]
    assert budget.take(np.array([3.0, 2.0, 1.0]), texts, count_tokens=token_counter(str(tiny_encoder)))[0].tolist() == [0]


def test_a_model_that_is_not_there_is_an_error_when_the_first_text_is_counted() -> None:
    count = token_counter("asset:no-such-model")
    with pytest.raises(InputError, match="no-such-model"):
        count("text")
