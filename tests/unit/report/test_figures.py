import math

import numpy as np
import pytest

from acclimate.report.figures import Scale, dots_path, extent, histogram, log_ticks, place_labels, ticks


def test_a_scale_maps_its_ends_and_logarithms_evenly():
    assert [Scale(-2, 2, 0, 100)(value) for value in (-2, 0, 2)] == [0, 50, 100]
    assert [Scale(0.1, 10, 0, 100, log=True)(value) for value in (0.1, 1, 10)] == [0, 50, 100]


@pytest.mark.parametrize(("low", "high"), [(-6.1, 4.0), (-0.2, 3.3), (0.0, 0.01), (-50, 70)])
def test_ticks_are_round_inside_the_range_and_hold_zero(low, high):
    found = ticks(low, high, 5)
    assert 2 <= len(found) <= 6
    assert 0 in found
    assert low <= found[0] <= found[-1] <= high


@pytest.mark.parametrize(("low", "high"), [(0.15, 7), (80, 190), (0.001, 4000), (1, 1.2)])
def test_logarithmic_ticks_are_few_and_inside_the_range(low, high):
    found = log_ticks(low, high)
    assert 2 <= len(found) <= 7
    assert all(low <= value <= high for value in found)


def test_an_extent_holds_zero_and_is_never_empty():
    assert extent([]) == (-0.06, 0.06)
    low, high = extent([1.0, 3.0])
    assert low < 0 < 3 < high


def test_labels_of_near_points_stand_apart():
    placed = place_labels([(100, 100), (103, 101), (101, 97)])
    assert min(math.dist(a, b) for k, a in enumerate(placed) for b in placed[:k]) > 7


def test_a_histogram_counts_everything_once():
    values, kept = np.array([0.0, 0.1, 0.5, 1.0]), np.array([False, False, True, True])
    bars = histogram(values, kept, bins=4)
    assert [sum(counts) for counts in zip(*bars, strict=True)] == [4, 2]
    assert histogram(np.ones(3), np.array([True, False, False])) == [(3, 1)]


def test_dots_are_strokes_of_no_length():
    assert dots_path(np.array([[1.25, 2], [3, 4]])) == "M1.2 2.0h0M3.0 4.0h0"
