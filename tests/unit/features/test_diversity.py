"""Similarity and diversity features of texts against scipy and against loops over dictionaries of words."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.spatial import distance

from acclimate.features.diversity import (
    DIVERSITIES,
    LEAST_MASS,
    SIMILARITIES,
    distribution,
    proportions,
    similarity_and_diversity,
)
from acclimate.features.ngrams import hash_ngrams

TEXTS = ["a b b c", "c c c", "d e f a", "zebra", ""]
TARGET = ["a a b", "c d"]
DENSE_TARGET = np.array([0.4, 0.3, 0.2, 0.1, 0.0, 0.0])
DENSE = np.array([[0.1, 0.2, 0.0, 0.3, 0.4, 0.0], [0.0, 0.0, 0.0, 0.5, 0.0, 0.5], [0.4, 0.3, 0.2, 0.1, 0.0, 0.0]])
ROWS = csr_matrix(DENSE)


def counts(texts: list[str]) -> csr_matrix:
    return hash_ngrams(texts, buckets=2**16, orders=(1,))


def test_jensen_shannon_is_that_of_scipy() -> None:
    expected = [1 - distance.jensenshannon(row, DENSE_TARGET, base=2) ** 2 for row in DENSE]
    assert SIMILARITIES["jensen-shannon"](ROWS, DENSE_TARGET) == pytest.approx(expected, abs=1e-12)


def test_distances_are_those_of_scipy() -> None:
    for name, function in (("euclidean", distance.euclidean), ("variational", distance.cityblock)):
        assert SIMILARITIES[name](ROWS, DENSE_TARGET) == pytest.approx([-function(row, DENSE_TARGET) for row in DENSE], abs=1e-12)
    expected = [1 - distance.cosine(row, DENSE_TARGET) for row in DENSE]
    assert SIMILARITIES["cosine"](ROWS, DENSE_TARGET) == pytest.approx(expected, abs=1e-12)


def test_renyi_and_bhattacharyya_are_their_formulas() -> None:
    for row, renyi, overlap in zip(
        DENSE, SIMILARITIES["renyi"](ROWS, DENSE_TARGET), SIMILARITIES["bhattacharyya"](ROWS, DENSE_TARGET), strict=True
    ):
        pairs = [(p, q) for p, q in zip(row, DENSE_TARGET, strict=True) if p > 0 and q > 0]
        assert renyi == pytest.approx(math.log(sum(p**0.99 * q**0.01 for p, q in pairs)) / 0.01, abs=1e-9)
        assert overlap == pytest.approx(sum(math.sqrt(p * q) for p, q in pairs))


def test_the_target_itself_is_most_similar_by_every_measure() -> None:
    for name, function in SIMILARITIES.items():
        values = function(ROWS, DENSE_TARGET)
        assert values.argmax() == 2, name
        assert values[2] == pytest.approx(0 if name in ("renyi", "euclidean", "variational") else 1, abs=1e-12)


def test_diversities_are_sums_over_the_words_of_a_text_with_their_proportions_in_the_pool() -> None:
    pool = Counter(" ".join(TEXTS).split())
    matrix = counts(TEXTS)
    found = {name: function(matrix, distribution(matrix)) for name, function in DIVERSITIES.items()}
    for row, text in enumerate(TEXTS):
        words = text.split()
        shares = [pool[word] / pool.total() for word in sorted(set(words))]
        assert found["types"][row] == len(set(words))
        assert found["type-token-ratio"][row] == pytest.approx(len(set(words)) / max(len(words), 1))
        assert found["entropy"][row] == pytest.approx(-sum(p * math.log(p) for p in shares))
        assert found["simpson"][row] == pytest.approx(-sum(p * p for p in shares))
        assert found["renyi-entropy"][row] == pytest.approx(math.log(max(sum(p**0.99 for p in shares), LEAST_MASS)) / 0.01)


def test_every_feature_is_finite_for_texts_without_words_and_without_common_words() -> None:
    matrix = counts(TEXTS)
    features = similarity_and_diversity(matrix, distribution(counts(TARGET)), distribution(matrix))
    assert features.shape == (len(TEXTS), len(SIMILARITIES) + len(DIVERSITIES))
    assert np.isfinite(features).all()
    nothing = similarity_and_diversity(counts([""]), distribution(counts([""])), distribution(counts([""])))
    assert np.isfinite(nothing).all()


def test_a_row_has_the_same_bits_whatever_stands_beside_it() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{i}" for i in rng.integers(0, 500, rng.integers(1, 200))) for _ in range(60)]
    target, matrix = distribution(counts(texts[:9])), counts(texts)
    pool = distribution(matrix)
    whole = similarity_and_diversity(matrix, target, pool)
    alone = np.vstack([similarity_and_diversity(counts([text]), target, pool) for text in texts])
    assert alone.tobytes() == whole.tobytes()


def test_proportions_sum_to_one_where_there_are_words() -> None:
    assert np.asarray(proportions(counts(TEXTS)).sum(axis=1)).ravel() == pytest.approx([1, 1, 1, 1, 0])
