import numpy as np
import pytest

from acclimate.errors import InputError
from acclimate.evaluate.intervals import difference_interval, difference_p_value
from acclimate.evaluate.tests import holm, wilcoxon_signed_rank
from acclimate.evaluate.verdict import compare_paired, verdicts

ITEMS = np.tile(np.arange(200), 5)
SEEDS = np.repeat(np.arange(5), 200)


def differences(gain: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.choice([-1, 0, 1], 1000, p=[0.1 - gain / 2, 0.8, 0.1 + gain / 2])


def test_a_clear_gain_helped_a_clear_loss_hurt_and_noise_is_no_evidence():
    words = [compare_paired("a", "c", ITEMS, SEEDS, differences(gain, 1)).verdict for gain in (0.12, -0.12, 0.0)]
    assert words == ["helped", "hurt", "no evidence"]


def test_comparisons_keep_the_order_of_the_arms_and_are_corrected_together():
    pairs = {f"arm {n}": (ITEMS, SEEDS, differences(gain, n)) for n, gain in enumerate([0.0, 0.05, 0.12])}
    found = verdicts(pairs, "target-only")
    assert [c.arm for c in found] == list(pairs)
    assert [c.p_value for c in found] == pytest.approx(
        [max(wilcoxon_signed_rank(i, d), difference_p_value(i, s, d)) for i, s, d in pairs.values()]
    )
    assert [c.p_corrected for c in found] == pytest.approx(holm([c.p_value for c in found]))
    interval = difference_interval(*pairs["arm 2"])
    assert (found[2].difference, found[2].low, found[2].high) == (interval.mean, interval.low, interval.high)
    assert (found[2].items, found[2].seeds, found[2].test, found[2].control) == (200, 5, "wilcoxon", "target-only")


def test_a_finding_that_only_one_of_many_arms_shows_is_no_evidence():
    modest = (ITEMS, SEEDS, differences(0.04, 1))
    alone = verdicts({"a": modest}, "c")[0]
    among_many = verdicts({"a": modest} | {f"noise {n}": (ITEMS, SEEDS, differences(0, 10 + n)) for n in range(40)}, "c")[0]
    assert (alone.verdict, among_many.verdict) == ("helped", "no evidence")
    assert among_many.low == alone.low > 0


def test_one_seed_uses_mcnemar():
    one = compare_paired("a", "c", [f"id {n}" for n in range(40)], [7] * 40, [1] * 12 + [0] * 28)
    assert (one.test, one.seeds, one.items, one.verdict) == ("mcnemar", 1, 40, "helped")


def test_equal_predictions_are_no_evidence_with_p_one():
    same = compare_paired("a", "c", ITEMS, SEEDS, np.zeros(1000))
    assert (same.difference, same.p_value, same.verdict) == (0, 1, "no evidence")
    assert same.low < 0 < same.high


def test_no_arms_give_no_verdicts():
    assert verdicts({}, "target-only") == []


@pytest.mark.parametrize(
    ("items", "seeds", "difference"),
    [([], [], []), ([1, 2], [0], [0, 1]), ([1, 2], [0, 0], [0, np.nan]), ([1, 1], [0, 0], [0, 1])],
    ids=["no rows", "unequal", "nan", "twice"],
)
def test_unsound_rows_are_an_input_error(items, seeds, difference):
    with pytest.raises(InputError, match="Fix"):
        compare_paired("a", "c", items, seeds, difference)
