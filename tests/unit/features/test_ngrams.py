"""Hashed n-grams against a slow reference, and what callers rely on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.errors import InputError
from acclimate.features.ngrams import hash_ngrams
from acclimate.features.tokenize import words

M = 2**64


def reference_mix(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % M
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % M
    return z ^ (z >> 31)


def reference_counts(text: str, buckets: int, orders: tuple[int, ...], salt: int) -> dict[int, int]:
    found = words(text)
    counts: Counter[int] = Counter()
    for n in orders:
        for start in range(len(found) - n + 1):
            state = reference_mix(salt % M)
            for word in found[start : start + n]:
                data, digest = word.encode(), 0x9E3779B97F4A7C15
                for place in range(0, len(data), 8):
                    digest = reference_mix(digest ^ int.from_bytes(data[place : place + 8], "little"))
                state = reference_mix((state + digest) % M)
            counts[state % buckets] += 1
    return dict(counts)


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.text(), max_size=4),
    st.integers(1, 200),
    st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True),
    st.integers(-5, 2**70),
)
def test_counts_equal_the_reference(texts: list[str], buckets: int, orders: list[int], salt: int) -> None:
    counts = hash_ngrams(texts, buckets=buckets, orders=orders, salt=salt)
    assert counts.shape == (len(texts), buckets)
    for row, text in enumerate(texts):
        got = {int(column): int(value) for column, value in zip(counts[row].indices, counts[row].data, strict=True)}
        assert got == reference_counts(text, buckets, tuple(orders), salt)


def test_the_hash_never_changes() -> None:
    counts = hash_ngrams(["a rose 是 a rose"], salt=7)
    assert counts.indices.tolist() == sorted(reference_counts("a rose 是 a rose", 2**20, (1, 2), 7))
    assert hash_ngrams(["a"]).indices.tolist() == [reference_mix(reference_mix(0x9E3779B97F4A7C15 ^ ord("a"))) % 2**20]


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    texts = ["one two three", "", "two three", "三四"]
    together = hash_ngrams(texts, buckets=512)
    for row, text in enumerate(texts):
        assert np.array_equal(together[row].toarray(), hash_ngrams([text], buckets=512).toarray())


def test_another_process_with_another_hash_seed_agrees() -> None:
    code = "from acclimate.features.ngrams import hash_ngrams; print(hash_ngrams(['so it 开始 goes']).indices.tolist())"
    environment = {**os.environ, "PYTHONHASHSEED": "99"}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str(hash_ngrams(["so it 开始 goes"]).indices.tolist())


def test_twenty_thousand_short_texts_take_less_than_three_seconds() -> None:
    rng = np.random.default_rng(0)
    vocabulary = [f"word{i}" for i in range(30_000)]
    texts = [" ".join(vocabulary[i] for i in rng.integers(0, 30_000, 20)) for _ in range(20_000)]
    start = time.process_time()
    counts = hash_ngrams(texts)
    assert time.process_time() - start < 3
    assert counts.sum() == 20_000 * 39


@pytest.mark.parametrize("settings", [{"buckets": 0}, {"orders": ()}, {"orders": (0, 1)}])
def test_senseless_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InputError):
        hash_ngrams(["a"], **settings)
