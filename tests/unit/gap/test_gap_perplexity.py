"""Perplexity is the ratio of sums, its interval covers, and no language model is loaded that was not asked for."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from acclimate.data.domain import Domain, from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.gap.base import Sample
from acclimate.gap.measure import gap
from acclimate.gap.perplexity import Perplexity, difference_interval, rate
from acclimate.models.causal import CausalModel
from tests.causal import make_causal


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    return CausalModel(str(make_causal(tmp_path_factory.mktemp("causal"))), device="cpu")


def domain(name: str, letters: str, rows: int, seed: int) -> Domain:
    rng = np.random.default_rng(seed)
    return from_columns(name, ["".join(rng.choice(list(letters), rng.integers(2, 20))) for _ in range(rows)])


HERE, THERE = domain("here", "abcd", 60, 0), domain("there", "wxyz", 55, 1)


def test_figures_are_ratios_of_sums(model: CausalModel) -> None:
    result = Perplexity(model).measure(Sample(HERE), Sample(THERE))
    for name, side in (("source", HERE), ("target", THERE)):
        nats, tokens = model.losses(side)
        figures = result.details[name]
        assert figures["nats_per_token"] == pytest.approx(nats.sum() / tokens.sum())
        assert figures["perplexity"] == pytest.approx(math.exp(nats.sum() / tokens.sum()))
        assert figures["bits_per_byte"] == pytest.approx(nats.sum() / tokens.sum() / math.log(2))  # a byte a token here
    assert result.value == pytest.approx(abs(result.details["difference"]))
    assert result.details["low"] < result.details["difference"] < result.details["high"]


def test_the_sign_says_which_side_is_harder(model: CausalModel) -> None:
    there, back = (Perplexity(model).measure(Sample(a), Sample(b)) for a, b in ((HERE, THERE), (THERE, HERE)))
    assert there.value == pytest.approx(back.value)
    assert there.details["difference"] == pytest.approx(-back.details["difference"])


def test_the_interval_covers_the_true_difference() -> None:
    """In 200 draws of two populations whose rates differ by 0.5, a 95% interval misses it in 2 to 10%."""
    rng = np.random.default_rng(0)
    missed = 0
    for seed in range(200):
        tokens = rng.integers(1, 30, (2, 80)).astype(float)
        nats = tokens * rng.gamma(4, [[0.25], [0.375]], (2, 80))
        sides = [np.stack([nats[side], tokens[side]], axis=1) for side in range(2)]
        low, high = difference_interval(*sides, resamples=400, seed=seed)
        missed += not low <= 0.5 <= high
    assert 0.02 <= missed / 200 <= 0.1


def test_rates_count_what_is_weighted() -> None:
    costs = np.array([[2.0, 1.0], [1.0, 4.0]])
    assert rate(costs, np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])).tolist() == [2.0, 0.6, 0.0]


def test_conversations_are_scored_on_their_answers(model: CausalModel) -> None:
    def chats(name: str, answer: str) -> Domain:
        turns = f'[{{"role":"user","content":"why?"}},{{"role":"assistant","content":"{answer}"}}]'
        texts = from_columns(name, ["why?"] * 3)
        return texts.with_column("messages", pa.array([turns] * 3, pa.string()))

    result = Perplexity(model).measure(Sample(chats("a", "so")), Sample(chats("b", "because")))
    assert result.details["source"]["tokens"] == 3 * 3  # two letters and the mark that ends the answer
    assert result.details["target"]["tokens"] == 3 * 8


def test_texts_that_cannot_be_scored_are_an_input_error(model: CausalModel) -> None:
    with pytest.raises(InputError, match="hold nothing that a language model can be scored on"):
        Perplexity(model).measure(Sample(HERE), Sample(from_columns("short", ["a", "", "b"])))


def test_a_language_model_is_used_only_where_one_is_given_or_asked_for(model: CausalModel, tmp_path: Path) -> None:
    target = Target("there", THERE.take([]), THERE.without_labels(), Sealed(THERE.take([]), "test"), ())

    def embed(contents: object) -> np.ndarray:
        return np.array([[len(text), text.count("a")] for text in contents], dtype=np.float32)  # type: ignore[attr-defined]

    assert "perplexity" not in gap(HERE, target, embed=embed).results
    assert "perplexity" in gap(HERE, target, embed=embed, language_model=model).results
    by_name = gap(HERE, target, methods=["perplexity"], language_model=model)
    assert list(by_name.results) == ["perplexity"]
    with pytest.raises(InputError, match="There is no model"):
        gap(HERE, target, methods=["perplexity"], language_model=CausalModel(str(tmp_path / "absent")))


def test_every_distinct_example_is_read_once(model: CausalModel) -> None:
    method = Perplexity(model)
    first = method.measure(Sample(HERE), Sample(THERE))
    method.language_model = CausalModel("no such model")
    again = method.measure(Sample(HERE.take(range(60))), Sample(THERE))
    assert (again.value, again.low, again.p_value) == (first.value, first.low, first.p_value)
