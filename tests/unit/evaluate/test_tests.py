import numpy as np
import pytest
from scipy.stats import binom, wilcoxon

from acclimate.evaluate.tests import holm, item_means, mcnemar, wilcoxon_signed_rank


@pytest.mark.parametrize(("wins", "losses"), [(9, 2), (2, 9), (5, 5), (1, 0), (30, 12)])
def test_mcnemar_is_the_two_sided_binomial_tail(wins, losses):
    difference = [1] * wins + [-1] * losses + [0] * 40
    by_hand = min(1.0, 2 * binom.cdf(min(wins, losses), wins + losses, 0.5))
    assert mcnemar(difference) == pytest.approx(by_hand)


def test_wilcoxon_works_on_item_means_whatever_the_order_of_rows():
    rng = np.random.default_rng(0)
    item, difference = np.repeat(np.arange(60), 3), rng.choice([-1, 0, 1], 180, p=[0.1, 0.6, 0.3])
    means = difference.reshape(60, 3).sum(1)
    expected = wilcoxon(means[means != 0]).pvalue
    order = rng.permutation(180)
    assert wilcoxon_signed_rank(item, difference) == pytest.approx(expected)
    assert wilcoxon_signed_rank(item[order], difference[order]) == pytest.approx(expected)


def test_no_difference_anywhere_is_a_p_value_of_one():
    assert mcnemar([0, 0, 0]) == 1
    assert wilcoxon_signed_rank([0, 0, 1, 1], [0, 0, 0, 0]) == 1
    assert wilcoxon_signed_rank([0, 0, 1, 1], [1, -1, -1, 1]) == 1


def test_item_means_take_names_and_uneven_counts():
    assert item_means(["b", "a", "b"], [1, -1, 0]).tolist() == [-1, 0.5]


def test_holm_by_hand():
    # Sorted: .005*4, .01*3, .03*2, .04*1 -> running maximum .02, .03, .06, .06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_holm_keeps_the_family_error_where_uncorrected_tests_do_not():
    p = np.random.default_rng(1).random((2000, 6))
    assert np.mean([min(holm(row)) < 0.05 for row in p.tolist()]) < 0.065
    assert np.mean(p.min(1) < 0.05) > 0.2
