"""Divergences against scipy and plain loops; counting against the words themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from acclimate.data.domain import from_columns
from acclimate.gap import divergence
from acclimate.gap.base import Sample

P, Q = np.array([0.5, 0.3, 0.2, 0.0]), np.array([0.1, 0.3, 0.0, 0.6])
APART = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def test_jensen_shannon_equals_scipy_and_spans_zero_to_one() -> None:
    assert divergence.jensen_shannon(P, Q) == pytest.approx(jensenshannon(P, Q, base=2) ** 2, rel=1e-12)
    assert divergence.jensen_shannon(*APART) == pytest.approx(1)
    assert divergence.jensen_shannon(P, P) == 0


def test_renyi_equals_a_loop() -> None:
    mass = sum(p**0.99 * q**0.01 for p, q in zip(P, Q, strict=True) if p > 0 and q > 0)
    assert divergence.renyi(P, Q) == pytest.approx(math.log(mass) / (0.99 - 1))
    assert divergence.renyi(P, P) == pytest.approx(0, abs=1e-9)
    assert divergence.renyi(*APART) == math.inf


def test_renyi_tends_to_kullback_leibler() -> None:
    p, q = np.array([0.7, 0.3]), np.array([0.4, 0.6])
    kl = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert divergence.renyi(p, q, alpha=1 - 1e-6) == pytest.approx(kl, rel=1e-4)


def test_bhattacharyya_equals_a_loop() -> None:
    expected = -math.log(sum(math.sqrt(p * q) for p, q in zip(P, Q, strict=True)))
    assert divergence.bhattacharyya(P, Q) == pytest.approx(expected)
    assert divergence.bhattacharyya(*APART) == math.inf


def test_vocabulary_overlap_compares_equally_many_of_the_most_frequent_words() -> None:
    assert divergence.vocabulary_overlap(P, Q) == pytest.approx(2 / 3)
    assert divergence.vocabulary_overlap(P, Q, top=1) == 0
    assert divergence.vocabulary_overlap(*APART) == 0


def test_words_are_counted_in_every_script() -> None:
    counts, vocabulary = divergence.count_words(["Dog dog köln", "今天 dog", ""])
    assert vocabulary == ["dog", "köln", "今", "天"]
    np.testing.assert_array_equal(counts.toarray(), [[2, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0]])


def test_the_measure_says_which_words_make_the_gap() -> None:
    here = Sample(from_columns("here", ["the film the end", "a film a day"] * 5))
    there = Sample(from_columns("there", ["the phone the end", "a phone a day"] * 5))
    result = divergence.Divergence().measure(here, there)
    counts = {"the": 10, "film": 10, "end": 5, "a": 10, "day": 5, "phone": 0}
    p = np.array(list(counts.values())) / 40
    q = np.array([*list(counts.values())[:1], 0, *list(counts.values())[2:5], 10]) / 40
    assert result.value == pytest.approx(jensenshannon(p, q, base=2) ** 2)
    assert (result.details["more_in_source"], result.details["more_in_target"]) == (["film"], ["phone"])
    assert result.p_value is not None
    assert result.p_value < 0.05
    assert result.details["by_chance"] < result.value


def test_an_infinite_divergence_is_none_in_details() -> None:
    result = divergence.Divergence().measure(
        Sample(from_columns("here", ["one", "two"])), Sample(from_columns("there", ["three", "four"]))
    )
    assert result.value == pytest.approx(1)
    assert result.details["renyi"] is None
    assert result.details["bhattacharyya"] is None
