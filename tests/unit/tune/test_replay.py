"""Replayed examples fill their share of every batch, whatever there is of the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.domain import from_columns
from acclimate.errors import InputError
from acclimate.tune.examples import gather
from acclimate.tune.feed import Draws
from acclimate.tune.order import batch_order, visits
from acclimate.tune.settings import TuneSettings
from acclimate.tune.trainer import fine_tune
from tests.causal import make_causal
from tests.shift import sentences


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 9), st.integers(1, 12), st.floats(0.01, 0.9), st.booleans())
def test_every_run_of_batches_holds_the_share(
    mine: int, general: int, size: int, steps: int, share: float, by_length: bool
) -> None:
    beside = np.arange(mine + general) >= mine
    lengths = np.arange(mine + general) % 7 if by_length else None
    order = batch_order(len(beside), size, steps, np.random.default_rng(0), lengths, beside, share)
    taken = beside[order].sum(1)
    assert order.shape == (steps, size)
    assert abs(taken.sum() - share * size * steps) < 1 + 1e-6
    if not by_length:  # the batches of a window are shuffled
        assert np.abs(np.cumsum(taken) - share * size * np.arange(1, steps + 1)).max() < 1 + 1e-6
    for stream in (False, True):
        counts = np.bincount(order[beside[order] == stream], minlength=len(beside))[beside == stream]
        assert counts.max() - counts.min() <= 1  # epochs of its own


@given(st.lists(st.integers(0, 5), max_size=30))
def test_visits_count_earlier_draws(rows: list[int]) -> None:
    assert visits(np.asarray(rows, dtype=np.int64)).tolist() == [rows[:place].count(row) for place, row in enumerate(rows)]


def test_without_replay_the_order_is_what_it_was() -> None:
    lengths = np.arange(40)[::-1].copy()
    known = batch_order(40, 4, 20, np.random.default_rng(5), lengths)
    rows = np.concatenate([np.random.default_rng(5).permutation(40)])
    assert set(known[:10].ravel().tolist()) == set(rows.tolist())


def test_packed_rows_are_of_one_stream_and_keep_the_share(tmp_path: Path) -> None:
    causal = make_causal(tmp_path)
    general = from_columns("general", [f"general text number {n}" for n in range(9)], None)
    examples = gather(None, target=sentences("clinic", 30, seed=1), replay=general)
    assert examples.replays
    assert examples.replayed is not None
    assert examples.replayed.sum() == 9
    settings = TuneSettings(steps=10, batch_size=4, max_length=64, packing=True, replay=0.25, lr=1e-3)
    draws = Draws(examples, settings, 0, with_unlabelled=False)
    assert sum(bool(examples.replayed[draws[place].row]) for place in range(len(draws))) == 10
    adapted = fine_tune(str(causal), examples, (), settings, task="causal-lm")
    assert adapted.history[-1]["loss"] < adapted.history[0]["loss"]


def test_replay_alone_is_refused() -> None:
    with pytest.raises(InputError, match="only examples to replay"):
        gather(None, replay=from_columns("general", ["a text"], None))
    with pytest.raises(InputError, match="tune setting replay"):
        TuneSettings(replay=0.0)
