"""The bootstrap agrees with theory where theory is simple, and copes with items that differ between seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from acclimate.evaluate.bootstrap import bootstrap_interval


def test_with_one_seed_it_is_the_ordinary_bootstrap_of_a_mean() -> None:
    values = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], size=300, p=[0.1, 0.6, 0.3])
    ours = bootstrap_interval(np.arange(300), np.zeros(300), values)
    scipys = bootstrap((values,), np.mean, method="percentile", n_resamples=5000, rng=np.random.default_rng(2)).confidence_interval
    assert ours.low == pytest.approx(scipys.low, abs=0.01)
    assert ours.high == pytest.approx(scipys.high, abs=0.01)


def test_seeds_that_disagree_widen_it() -> None:
    item, seed = np.tile(np.arange(200), 4), np.repeat(np.arange(4), 200)
    agreeing = np.tile(np.random.default_rng(0).choice([0.0, 1.0], size=200), 4)
    disagreeing = np.repeat([0.0, 0.2, 0.8, 1.0], 200)
    narrow, wide = bootstrap_interval(item, seed, agreeing), bootstrap_interval(item, seed, disagreeing)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_order_of_rows_and_names_of_items_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    item, seed, value = np.arange(60) % 20, np.arange(60) // 20, rng.choice([-1.0, 0.0, 1.0], size=60)
    order = rng.permutation(60)
    names = np.array([f"item {number:02d}" for number in item])
    assert bootstrap_interval(item, seed, value) == bootstrap_interval(names[order], seed[order], value[order])


def test_items_that_differ_between_seeds_are_resampled_too() -> None:
    values = np.random.default_rng(4).choice([0.0, 1.0], size=300)
    interval = bootstrap_interval(np.arange(300), np.repeat(np.arange(3), 100), values)
    assert interval.low < interval.mean < interval.high
