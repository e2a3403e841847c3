"""The intervals hold the truth as often as they claim, which the usual variants do not: a small simulation with a known effect."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from acclimate.evaluate.intervals import accuracy_interval, difference_interval, difference_p_value
from acclimate.evaluate.tests import holm, wilcoxon_signed_rank
from acclimate.evaluate.verdict import paired_p_value, verdict

REPETITIONS = 250
#: 95% coverage misses 5%; with 250 repetitions, 90.5% is 3.3 standard errors below.
LEAST_COVERAGE = 0.905
ACCURACY = 0.75

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def simulate(rng: np.random.Generator, n: int, seeds: int, seed_sd: float, *, pool: int = 0, gain: float = 0.0) -> Rows:
    """Item, seed, correctness ``(2, n * seeds)`` of control and arm, from a threshold model with item and seed effects.

    ``pool``: each seed measures ``n`` of so many items (validation folds); 0: every seed measures the same ones (a test).
    """
    size = pool or n
    item = np.concatenate([rng.choice(size, n, replace=False) if pool else np.arange(n) for _ in range(seeds)])
    seed = np.repeat(np.arange(seeds), n)
    spread = np.sqrt(1 + 0.4**2 + seed_sd**2 + 0.7**2)
    ease = norm.ppf([ACCURACY, ACCURACY + gain])[:, None] * spread
    shared, own = rng.normal(size=size), rng.normal(0, 0.4, (2, size))
    luck = rng.normal(0, seed_sd, (2, seeds))
    correct = ease + shared[item] + own[:, item] + luck[:, seed] + rng.normal(0, 0.7, (2, n * seeds)) > 0
    return item, seed, correct.astype(np.float64)


def share(rng_seed: int, holds: Callable[[Rows, np.random.Generator], bool], **design: float) -> float:
    rng = np.random.default_rng(rng_seed)
    return float(np.mean([holds(simulate(rng, **design), rng) for _ in range(REPETITIONS)]))


def percentile_pigeonhole(rows: Rows, rng: np.random.Generator) -> tuple[float, float]:
    seeds = int(rows[1].max()) + 1
    table = (rows[2][1] - rows[2][0]).reshape(seeds, -1)
    n = table.shape[1]
    items = rng.multinomial(n, np.full(n, 1 / n), 200) / n
    weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), 200) / seeds
    return tuple(np.quantile(((items @ table.T) * weights).sum(1), [0.025, 0.975]))


def t_over_seed_means(rows: Rows, _: np.random.Generator) -> tuple[float, float]:
    seeds = int(rows[1].max()) + 1
    means = (rows[2][1] - rows[2][0]).reshape(seeds, -1).mean(1)
    half = student.ppf(0.975, seeds - 1) * means.std(ddof=1) / np.sqrt(seeds)
    return means.mean() - half, means.mean() + half


def ours(rows: Rows, _: np.random.Generator) -> tuple[float, float]:
    interval = difference_interval(rows[0], rows[1], rows[2][1] - rows[2][0])
    return interval.low, interval.high


def holds_zero(variant: Callable) -> Callable[[Rows, np.random.Generator], bool]:
    def inside(rows: Rows, rng: np.random.Generator) -> bool:
        low, high = variant(rows, rng)
        return bool(low <= 0 <= high)

    return inside


DESIGNS = [
    {"n": 100, "seeds": 3, "seed_sd": 0.0},
    {"n": 300, "seeds": 3, "seed_sd": 0.4},
    {"n": 100, "seeds": 5, "seed_sd": 0.1},
    {"n": 300, "seeds": 5, "seed_sd": 0.0},
    {"n": 300, "seeds": 5, "seed_sd": 0.4},
    {"n": 300, "seeds": 1, "seed_sd": 0.0},
    {"n": 100, "seeds": 5, "seed_sd": 0.1, "pool": 1500},
]


@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_intervals_hold_the_true_difference(design):
    assert share(1, holds_zero(ours), **design) >= LEAST_COVERAGE


def test_the_percentile_bootstrap_does_not_hold_it_where_seeds_differ():
    assert share(1, holds_zero(percentile_pigeonhole), **DESIGNS[1]) < LEAST_COVERAGE


def test_t_over_seed_means_does_not_hold_it_where_the_test_items_are_shared():
    assert share(1, holds_zero(t_over_seed_means), **DESIGNS[3]) < LEAST_COVERAGE


@pytest.mark.parametrize("design", [DESIGNS[0], DESIGNS[4]], ids=str)
def test_no_effect_is_rarely_above_zero(design):
    assert share(2, lambda rows, rng: ours(rows, rng)[0] > 0, **design) <= 0.05


def test_intervals_hold_a_true_gain_and_see_a_large_one():
    design = {"n": 300, "seeds": 5, "seed_sd": 0.05, "gain": 0.06}
    assert share(3, lambda rows, rng: ours(rows, rng)[0] <= 0.06 <= ours(rows, rng)[1], **design) >= LEAST_COVERAGE
    assert share(3, lambda rows, rng: ours(rows, rng)[0] > 0, **design) > 0.5


def test_accuracy_intervals_hold_the_true_accuracy():
    def inside(rows: Rows, _: np.random.Generator) -> bool:
        interval = accuracy_interval(rows[0], rows[1], rows[2][0])
        return interval.low <= ACCURACY <= interval.high

    assert share(4, inside, **DESIGNS[2]) >= LEAST_COVERAGE


def test_a_perfect_score_on_few_items_is_not_certain():
    interval = accuracy_interval(np.arange(20), np.zeros(20), np.ones(20))
    assert interval.mean == interval.high == 1
    assert 0.75 < interval.low < 0.9


def test_balanced_data_give_the_mean_squares_of_the_two_way_layout():
    rng = np.random.default_rng(0)
    n, seeds = 40, 4
    table = np.clip(0.1 + rng.normal(0, 0.2, (n, 1)) + rng.normal(0, 0.15, (1, seeds)) + rng.normal(0, 0.2, (n, seeds)), -1, 1)
    mean, rows, columns = table.mean(), table.mean(1, keepdims=True), table.mean(0, keepdims=True)
    ms_item = seeds * ((rows - mean) ** 2).sum() / (n - 1)
    ms_seed = n * ((columns - mean) ** 2).sum() / (seeds - 1)
    ms_noise = ((table - rows - columns + mean) ** 2).sum() / ((n - 1) * (seeds - 1))
    assert ms_seed > ms_noise
    assert ms_item > ms_noise
    total = ms_seed + ms_item - ms_noise
    freedom = total**2 / (ms_seed**2 / (seeds - 1) + (ms_item - ms_noise) ** 2 / (n - 1))
    half = student.ppf(0.975, freedom) * np.sqrt(total / (n * seeds))
    found = difference_interval(np.repeat(np.arange(n), seeds), np.tile(np.arange(seeds), n), table.ravel())
    assert (found.low, found.mean, found.high) == pytest.approx((mean - half, mean, mean + half))


def test_row_order_and_names_do_not_matter():
    item, seed, correct = simulate(np.random.default_rng(5), 50, 3, 0.1)
    difference = correct[1] - correct[0]
    order = np.random.default_rng(6).permutation(150)
    named = difference_interval([f"id {i}" for i in item[order]], [f"s{s}" for s in seed[order]], difference[order])
    plain = difference_interval(item, seed, difference)
    assert (named.low, named.high) == pytest.approx((plain.low, plain.high))


def test_equal_predictions_leave_room_for_items_not_seen():
    interval = difference_interval(np.arange(100), np.zeros(100), np.zeros(100))
    assert (interval.mean, interval.low, interval.high) == (0, -0.03, 0.03)


def test_one_item_says_nothing():
    interval = difference_interval([0, 0], [0, 1], [1, 0])
    assert (interval.low, interval.high) == (-1, 1)


def test_a_full_comparison_is_fast():
    item, seed, correct = simulate(np.random.default_rng(7), 2000, 5, 0.1)
    started = time.perf_counter()
    difference_interval(item, seed, correct[1] - correct[0])
    assert time.perf_counter() - started < 0.3


@pytest.mark.parametrize("design", [d for d in DESIGNS if not d.get("pool")], ids=str)
def test_the_p_value_is_below_five_percent_where_the_interval_leaves_out_nothing(design: dict) -> None:
    rng = np.random.default_rng(5)
    for gain in (0.0, 0.03, 0.08, 0.15):
        item, seed, right = simulate(rng, gain=gain, **design)
        interval = difference_interval(item, seed, right[1] - right[0])
        assert (difference_p_value(item, seed, right[1] - right[0]) < 0.05) == (interval.low > 0 or interval.high < 0)


def test_the_p_value_of_one_seed_is_that_of_the_t_test_over_items() -> None:
    from scipy.stats import ttest_1samp

    difference = np.array([1, 1, 0, -1, 1, 0, 0, 1, 1, 0], dtype=float)
    expected = ttest_1samp(difference, 0).pvalue
    assert difference_p_value(np.arange(10), np.zeros(10), difference) == pytest.approx(expected)


def test_among_several_arms_without_effect_none_is_said_to_help_more_often_than_asked() -> None:
    """Where luck moves whole seeds, a test over the items at hand is nearly always significant; corrected, it must not decide."""
    rng = np.random.default_rng(6)
    by_items_alone, ours_alone = 0, 0
    for _ in range(150):
        arms = [simulate(rng, n=100, seeds=3, seed_sd=0.4) for _ in range(5)]
        base = arms[0][2][0]  # one control for all, so that its luck is shared
        rows = [(item, seed, right[1] - base) for item, seed, right in arms]
        bounds = [difference_interval(*row) for row in rows]
        for kind, p in (("items", [wilcoxon_signed_rank(i, d) for i, _, d in rows]), ("both", [paired_p_value(*r) for r in rows])):
            found = any(verdict(b.low, b.high, q) == "helped" for b, q in zip(bounds, holm(p), strict=True))
            by_items_alone += found and kind == "items"
            ours_alone += found and kind == "both"
    assert ours_alone / 150 < 0.075
    assert ours_alone < by_items_alone
