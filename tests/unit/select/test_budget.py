"""Budgets as people write them, and what they take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.errors import InputError
from acclimate.select.budget import Budget


@pytest.mark.parametrize(
    ("written", "kind", "amount"),
    [
        ("20%", "share", 0.2),
        (" 12.5 % ", "share", 0.125),
        ("100%", "share", 1.0),
        ("0.2", "share", 0.2),
        (0.2, "share", 0.2),
        ("5000", "count", 5000),
        (5000, "count", 5000),
        ("5,000", "count", 5000),
        ("5_000 examples", "count", 5000),
        ("5k", "count", 5000),
        ("1.5k rows", "count", 1500),
        ("2M tokens", "tokens", 2_000_000),
        ("50k tokens", "tokens", 50_000),
        ("1 token", "tokens", 1),
        ("0.5b tokens", "tokens", 500_000_000),
    ],
)
def test_every_written_form_is_read(written: str | float, kind: str, amount: float) -> None:
    budget = Budget.parse(written)
    assert (budget.kind, budget.amount) == (kind, amount)
    assert Budget.parse(str(budget)) == budget


@pytest.mark.parametrize(
    "written",
    [
        "",
        "0",
        0,
        "0%",
        "-5",
        -0.2,
        "101%",
        "1.0",
        1.5,
        "nan",
        "inf",
        "many",
        "20 %%",
        "5 k%",
        "0 tokens",
        "0.3 tokens",
        "1,2",
        True,
    ],
)
def test_a_budget_that_means_nothing_is_refused_with_the_valid_forms(written: str | float) -> None:
    with pytest.raises(InputError, match="a share \\(20%\\)"):
        Budget.parse(written)


def test_ties_are_taken_in_order_of_position() -> None:
    indices, note = Budget.parse("3").take(np.array([1.0, 2.0, 1.0, 2.0, 1.0]))
    assert indices.tolist() == [1, 3, 0]
    assert note == ""


@given(st.lists(st.sampled_from([-1.0, 0.0, 0.5, np.inf, -np.inf]), min_size=1), st.integers(1, 40))
def test_taken_rows_are_never_worse_than_the_left_ones(scores: list[float], count: int) -> None:
    indices, note = Budget.parse(count).take(np.array(scores))
    assert len(set(indices.tolist())) == len(indices) == min(count, len(scores))
    assert sorted((scores[i] for i in indices), reverse=True) == sorted(scores, reverse=True)[: len(indices)]
    assert bool(note) == (count > len(scores))


@pytest.mark.parametrize(("share", "pool", "kept"), [("20%", 10, 2), ("25%", 10, 3), ("1%", 10, 1), ("100%", 7, 7)])
def test_a_share_is_rounded_and_never_zero(share: str, pool: int, kept: int) -> None:
    assert len(Budget.parse(share).take(np.zeros(pool))[0]) == kept


def test_tokens_take_the_best_rows_that_fit() -> None:
    texts = ["five words are in here", "one", "two words", "three words here"]
    scores = np.array([1.0, 4.0, 3.0, 2.0])
    assert Budget.parse("6 tokens").take(scores, texts)[0].tolist() == [1, 2, 3]
    assert Budget.parse("5 tokens").take(scores, texts)[0].tolist() == [1, 2]
    assert Budget.parse("11 tokens").take(scores, texts)[1] == ""
    everything, note = Budget.parse("12 tokens").take(scores, texts)
    assert everything.tolist() == [1, 2, 3, 0]
    assert "more than the pool's 11" in note


def test_one_text_longer_than_the_budget_is_kept_with_a_note() -> None:
    indices, note = Budget.parse("2 tokens").take(np.array([1.0, 0.0]), ["three words here", "one"])
    assert indices.tolist() == [0]
    assert "3 tokens" in note
