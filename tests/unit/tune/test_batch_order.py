"""The order of training: whole epochs, shuffled, alike in length where asked, and decided by the generator alone."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.tune.order import batch_order


@pytest.mark.parametrize("lengths", [None, np.arange(64) % 9])
def test_after_every_epoch_each_row_was_seen_equally_often(lengths: np.ndarray | None) -> None:
    order = batch_order(64, 4, 48, np.random.default_rng(0), lengths)  # three epochs
    assert np.bincount(order.ravel()).tolist() == [3] * 64


def test_fewer_rows_than_a_batch_still_fill_it() -> None:
    order = batch_order(3, 8, 2, np.random.default_rng(0))
    assert order.shape == (2, 8)
    assert set(order.ravel().tolist()) == {0, 1, 2}


def test_grouping_by_length_pads_less_and_keeps_batches_in_random_order() -> None:
    lengths = np.random.default_rng(1).integers(1, 100, 640)
    plain = batch_order(640, 16, 40, np.random.default_rng(0))
    grouped = batch_order(640, 16, 40, np.random.default_rng(0), lengths)
    assert lengths[grouped].max(1).mean() < 0.75 * lengths[plain].max(1).mean()
    longest = lengths[grouped].max(1)[:8]
    assert longest.tolist() != sorted(longest.tolist())


def test_a_small_set_is_not_cut_into_the_same_batches_every_epoch() -> None:
    order = batch_order(32, 8, 8, np.random.default_rng(0), np.arange(32))
    first, second = ({frozenset(batch) for batch in epoch.tolist()} for epoch in (order[:4], order[4:]))
    assert first != second


def test_the_generator_decides() -> None:
    orders = [batch_order(50, 4, 30, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()
