"""The compiled kernels against the plain rule and hash, on random unicode."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.features.tokenize import words
from acclimate.features.word_kernels import Encoded, Hashing, Rule, encode

#: Characters at which the rule of words turns: digits, what joins, marks, scripts without spaces, case that changes length.
TURNS = "aZ09'.,_- \u2019\u200d\u0301\u0345é中カ\u3099가ßİΣσς\u0130\u0661٣\U0001f600\U00020000"
TEXTS = st.lists(st.one_of(st.text(max_size=40), st.text(TURNS, max_size=40), st.text("aB1'., ", max_size=60)), max_size=5)
ORDERS = st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True)
BUCKETS = st.one_of(st.integers(1, 5000), st.sampled_from([2**20, 2**22, 2**31 - 1, 10_000]))
M = 2**64


def mixed(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % M
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % M
    return z ^ (z >> 31)


def hashed(word: str) -> int:
    data, state = word.encode("utf-8", "surrogatepass"), 0x9E3779B97F4A7C15
    for place in range(0, len(data), 8):
        state = mixed(state ^ int.from_bytes(data[place : place + 8], "little"))
    return state


def split(text: str, rule: Rule) -> list[str]:
    return words(text) if rule == "words" else re.findall(r"\w+|[^\w\s]+", text.lower())


def buckets_of(text: str, hashing: Hashing) -> list[int]:
    """By the definition in :mod:`acclimate.features.ngrams`, one n-gram at a time."""
    document = split(text, hashing.rule)
    found = []
    for order in sorted(set(hashing.orders)):
        for start in range(len(document) - order + 1):
            state = mixed(hashing.salt % M)
            for word in document[start : start + order]:
                state = mixed((state + hashed(word)) % M)
            found.append(state % hashing.buckets)
    return found


@settings(deadline=None)  # the first call compiles
@given(TEXTS, BUCKETS, ORDERS, st.integers(-5, 2**70), st.sampled_from(["words", "runs"]))
def test_kernels_give_what_the_plain_rule_and_hash_give(
    texts: list[str], buckets: int, orders: list[int], salt: int, rule: Rule
) -> None:
    hashing = Hashing(buckets, tuple(orders), salt, rule)
    encoded = encode(texts, rule)
    expected = [buckets_of(text, hashing) for text in texts]
    starts, found = hashing.rows(encoded)
    assert [found[starts[row] : starts[row + 1]].tolist() for row in range(len(texts))] == expected
    if buckets < 2**22:
        flat = [bucket for row in expected for bucket in row]
        assert np.array_equal(hashing.count(encoded), np.bincount(np.array(flat, np.int64), minlength=buckets))
        values = np.random.default_rng(0).normal(size=buckets).astype(np.float32)
        sums, sizes = hashing.sum(encoded, values)
        assert sizes.tolist() == [len(row) for row in expected]
        assert sums == pytest.approx([values[row].sum(dtype=np.float64) if row else 0.0 for row in expected], abs=1e-6)


@settings(deadline=None)  # the first call compiles
@given(TEXTS, st.integers(1, 4))
def test_the_best_ngrams_are_those_with_the_largest_values(texts: list[str], shown: int) -> None:
    hashing = Hashing(1000)
    values = np.random.default_rng(1).permutation(1000).astype(np.float32)
    for text, best in zip(texts, hashing.best(encode(texts), values, shown), strict=True):
        expected = sorted({float(values[bucket]) for bucket in buckets_of(text, hashing)}, reverse=True)[:shown]
        assert [value for _, value in best] == expected
        for ngram, value in best:
            assert value in {float(values[bucket]) for bucket in buckets_of(ngram, hashing)}


def test_a_text_scores_the_same_bits_in_every_array_and_buffer() -> None:
    texts = ["A rose, by any other name", "ein Köter", "", "3.14 don't"]
    hashing, values = Hashing(512), np.linspace(-1, 1, 512).astype(np.float32)
    alone = [hashing.sum(encode([text]), values)[0][0] for text in texts]
    sliced = pa.array(["padding", *texts], pa.string())[1:]
    buffer = np.frombuffer("".join(texts).encode(), np.uint8)
    ends = np.cumsum([len(text.encode()) for text in texts])
    in_place = Encoded.of(buffer, np.array([0, *ends[:-1]]), ends)
    for encoded in (encode(texts), encode(sliced), encode(pa.chunked_array([sliced])), in_place):
        assert hashing.sum(encoded, values)[0].tolist() == alone
