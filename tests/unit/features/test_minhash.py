"""Signatures against the definition, one hash at a time in plain Python; and what bands and estimates promise."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from acclimate.data.words import normalised
from acclimate.engine.storage import content_hash
from acclimate.features.minhash import MinHash, bands, functions, least_agreeing, similarity, undecided
from acclimate.features.tokenize import fold, is_cjk, words
from acclimate.features.word_kernels import encode, word_hashes
from tests.unit.features.test_word_kernels import TEXTS, M, hashed, mixed

GOLDEN = 0x9E3779B97F4A7C15


def elements(text: str, order: int) -> list[int]:
    """The 64-bit elements of a text: its n-grams, each occurrence by itself."""
    found, counts = [], Counter[int]()
    document = words(text)
    for start in range(len(document) - order + 1):
        state = mixed(order)
        for word in document[start : start + order]:
            state = mixed((state + hashed(word)) % M)
        found.append(mixed((state + counts[state] * GOLDEN) % M))
        counts[state] += 1
    return found


def signature(text: str, minhash: MinHash) -> list[int]:
    document = words(text)
    evidence = sum(1 if is_cjk(word) else 2 for word in document) - 2 * (minhash.words - 1)
    if evidence < 10:
        whole = int(content_hash(normalised(fold(text)).encode("utf-8", "surrogatepass"))[:16], 16)
        return [mixed((whole + k * GOLDEN) % M) >> 32 for k in range(minhash.permutations)]
    multipliers, summands = (array.tolist() for array in functions(minhash.permutations, minhash.seed))
    mine = [element >> 32 for element in elements(text, minhash.words)]
    return [min((a * x + b) % 2**32 for x in mine) for a, b in zip(multipliers, summands, strict=True)]


@settings(deadline=None)  # the first call compiles
@given(TEXTS, st.integers(1, 4), st.integers(16, 40), st.integers(0, 3))
def test_signatures_are_those_of_the_definition(texts: list[str], order: int, permutations: int, seed: int) -> None:
    texts = [*texts, "a b a b a b c", "天地玄黄宇宙洪荒日月 盈昃", "ten " * 10]
    minhash = MinHash(order, permutations, 0.8, seed)
    signed = minhash.sign(encode(texts))
    expected = np.array([signature(text, minhash) for text in texts])
    assert np.array_equal(signed.values, expected)
    assert np.array_equal(signed.bytes, expected & 0xFF)


@settings(deadline=None)
@given(TEXTS)
def test_word_hashes_are_those_of_the_plain_rule(texts: list[str]) -> None:
    starts, hashes, characters = word_hashes(encode(texts))
    split = [words(text) for text in texts]
    assert [hashes[a:b].tolist() for a, b in itertools.pairwise(starts)] == [[*map(hashed, one)] for one in split]
    assert characters.tolist() == [sum(map(is_cjk, one)) for one in split]


@settings(deadline=None)
@given(TEXTS.filter(bool), st.integers(1, 3))
def test_exact_similarities_are_those_of_the_multisets(texts: list[str], order: int) -> None:
    texts = [*texts, "a b a c a b", "b a a d"]
    bags = [Counter(element >> 32 for element in elements(text, order)) for text in texts]
    pairs = np.array([(a, b) for a in range(len(texts)) for b in range(len(texts))])
    starts, values = MinHash(order).elements(encode(texts))
    assert [Counter(values[a:b].tolist()) for a, b in itertools.pairwise(starts)] == bags
    exact = np.array([(bags[a] & bags[b]).total() / max(1, (bags[a] | bags[b]).total()) for a, b in pairs])
    for threshold in {0.5, *exact[exact > 0]}:
        assert MinHash(order, threshold=threshold).alike(starts, values, pairs).tolist() == (exact >= threshold).tolist()


@pytest.mark.parametrize("threshold", [0.3, 0.8, 0.99, 1.0])
@pytest.mark.parametrize("permutations", [16, 128, 1024])
def test_signatures_decide_only_where_they_rarely_err(permutations: int, threshold: float) -> None:
    low, high = undecided(permutations, threshold)
    same = threshold + (1 - threshold) / 256
    assert binom.cdf(low - 1, permutations, same) < 0.012  # taken for different at the threshold
    assert high == permutations or binom.sf(high - 1, permutations, same) < 0.012  # taken for alike
    assert low <= least_agreeing(permutations, threshold)


@pytest.mark.parametrize("order", [1, 3])
def test_the_estimate_is_the_jaccard_similarity_of_multisets(order: int) -> None:
    rng = np.random.default_rng(0)
    minhash = MinHash(order, 4096)
    base = [f"w{n}" for n in rng.integers(0, 60, 200)]  # words recur
    other = [word if rng.random() > 0.15 else "new" for word in base]
    left, right = (Counter(elements(" ".join(one), order)) for one in (base, other))
    exact = (left & right).total() / (left | right).total()
    signed = minhash.sign(encode([" ".join(base), " ".join(other)]))
    assert 0.3 < exact < 0.9
    assert similarity(signed.bytes[:1], signed.bytes[1:])[0] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4096))


def test_unrelated_texts_are_estimated_at_nothing() -> None:
    minhash = MinHash(permutations=4096)
    signed = minhash.sign(encode([" ".join(f"a{n}" for n in range(100)), " ".join(f"b{n}" for n in range(100))]))
    assert similarity(signed.bytes[:1], signed.bytes[1:])[0] < 0.01


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("permutations", [16, 128, 256])
def test_bands_miss_a_pair_at_the_threshold_rarely_and_cannot_be_longer(permutations: int, threshold: float) -> None:
    number, size = bands(permutations, threshold)
    assert number * size <= permutations
    assert (1 - threshold**size) ** number <= 0.01 or size == 1
    assert (1 - threshold ** (size + 1)) ** (permutations // (size + 1)) > 0.01 or size == permutations


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9, 1.0])
def test_the_count_of_agreeing_bytes_is_that_of_the_threshold(threshold: float) -> None:
    for agreeing in range(129):
        left, right = np.zeros((1, 128), np.uint8), (np.arange(128) >= agreeing).astype(np.uint8)[None]
        assert (similarity(left, right)[0] >= threshold - 1e-9) == (agreeing >= least_agreeing(128, threshold))
