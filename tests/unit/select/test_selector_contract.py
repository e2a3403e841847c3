"""What every selector keeps to; a new one is tested by being listed in METHODS."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from acclimate.data.domain import Domain, from_columns
from acclimate.data.target import Sealed, Target
from acclimate.engine.build import build
from acclimate.features.ngrams import hash_ngrams
from acclimate.select import METHODS
from acclimate.select.base import Selection, Selector
from acclimate.select.run import select

NAMES = sorted(METHODS)
MEDICAL = ["fever", "ward", "nurse", "dose", "blood", "scan", "pulse", "lung", "heart", "pain", "tablet", "clinic"]
TRADE = ["market", "price", "share", "profit", "bank", "stock", "trade", "buyer", "seller", "invoice", "loan", "rate"]
FILLER = ["the", "a", "of", "and", "to", "in", "it", "was", "that", "for", "on", "with"]


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """A bag of hashed words: a real embedding, small and fast."""
    return hash_ngrams(texts, buckets=256, orders=(1,)).toarray().astype(np.float32)


def sentences(words: list[str], count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join([*rng.choice(words, 5), *rng.choice(FILLER, 5)]) for _ in range(count)]


def make_pool() -> Domain:
    texts = [*sentences(TRADE, 160, 1), *sentences(MEDICAL, 40, 2)]
    order = np.random.default_rng(3).permutation(len(texts))
    return from_columns("pool", [texts[i] for i in order], [("no", "yes")[i % 2] for i in order])


def make_target(flip: str = "", texts: list[str] | None = None) -> Target:
    """A medical target; ``flip`` names the part whose labels are corrupted."""
    texts = texts or sentences(MEDICAL, 40, 4)

    def part(name: str, start: int, stop: int) -> Domain:
        labels = [("a", "b")[(row + (name == flip)) % 2] for row in range(start, stop)]
        return from_columns(name, texts[start:stop], labels)

    fifth = len(texts) // 4
    return Target(
        "ward",
        labelled=part("labelled", 0, fifth),
        unlabelled=part("unlabelled", fifth, 2 * fifth).without_labels(),
        validation=Sealed(part("validation", 2 * fifth, 3 * fifth), "validation"),
        test=Sealed(part("test", 3 * fifth, 4 * fifth), "test"),
        classes=("a", "b"),
    )


def fitted(name: str, pool: Domain, seed: int = 0) -> Selector:
    return build(METHODS, "selector", name, {}, {"embed": embed, "seed": seed}).fit(pool, make_target())


def as_bytes(selection: Selection) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(selection.to_table(), buffer)
    return buffer.getvalue() + selection.scores.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_one_finite_score_and_one_reason_for_each_example(name: str) -> None:
    pool = make_pool()
    selector = fitted(name, pool)
    scores = selector.score(pool)
    assert scores.shape == (len(pool),)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    reasons = selector.reasons(pool)
    assert len(reasons) == len(pool)
    assert all(reason and "\n" not in reason for reason in reasons)


@pytest.mark.parametrize("name", NAMES)
def test_a_score_does_not_depend_on_batch_or_order(name: str) -> None:
    pool = make_pool()
    selector = fitted(name, pool)
    whole = selector.score(pool)
    parts = [selector.score(pool.take(list(range(start, stop)))) for start, stop in ((0, 1), (1, 8), (8, 130), (130, 200))]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    order = np.random.default_rng(5).permutation(len(pool))
    assert selector.score(pool.take(order)).tobytes() == whole[order].tobytes()
    reasons = selector.reasons(pool)
    assert selector.reasons(pool.take(order)) == [reasons[row] for row in order]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    first, second = (select(make_pool(), make_target(), method=name, seed=7, embed=embed) for _ in range(2))
    assert as_bytes(first) == as_bytes(second)


def test_another_hash_seed_does_not_change_a_byte() -> None:
    code = (
        "from test_selector_contract import *\n"
        "picks = [as_bytes(select(make_pool(), make_target(), method=name, embed=embed)) for name in NAMES]\n"
        "print([hashlib.sha256(pick).hexdigest() for pick in picks])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "123", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    picks = [as_bytes(select(make_pool(), make_target(), method=name, embed=embed)) for name in NAMES]
    assert done.stdout.strip() == str([hashlib.sha256(pick).hexdigest() for pick in picks])


def test_another_seed_gives_another_random_pick() -> None:
    first, second = (select(make_pool(), make_target(), method="random", seed=seed) for seed in (0, 1))
    assert first.indices.tolist() != second.indices.tolist()


@pytest.mark.parametrize("part", ["test", "validation", "labelled"])
@pytest.mark.parametrize("name", NAMES)
def test_labels_behind_the_firewall_do_not_move_the_selection(name: str, part: str) -> None:
    if part == "labelled" and METHODS[name].uses_target_labels:
        pytest.skip("this method declares that it reads the labels of labelled examples")
    honest = select(make_pool(), make_target(), method=name, embed=embed)
    corrupted = select(make_pool(), make_target(flip=part), method=name, embed=embed)
    assert as_bytes(honest) == as_bytes(corrupted)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "random"])
def test_a_planted_relevant_part_is_found(name: str) -> None:
    pool = make_pool()
    relevant = [any(word in MEDICAL for word in text.split()) for text in pool.texts]
    picked = select(pool, make_target(), method=name, budget="40", embed=embed)
    assert np.mean([relevant[row] for row in picked.indices]) > 0.8  # chance: 0.2


@pytest.mark.parametrize("name", NAMES)
def test_empty_batches_one_row_and_duplicates(name: str) -> None:
    pool = make_pool()
    selector = fitted(name, pool)
    empty = pool.take([])
    assert selector.score(empty).shape == (0,)
    assert selector.reasons(empty) == []
    one = from_columns("one", ["a single text"], ["yes"])
    assert len(select(one, make_target(), method=name, embed=embed)) == 1
    twins = from_columns("twins", ["the same text"] * 4)
    picked = select(twins, make_target(), method=name, budget="2", embed=embed)
    assert len(picked) == 2
    if name != "random":
        assert len(set(picked.scores.tolist())) == 1


@pytest.mark.parametrize("name", NAMES)
def test_any_unicode_is_scored(name: str) -> None:
    texts = ["", " ", "发烧 三天", "😀👩‍🚀", "e\u0301té", "\u200f\u0627\u0644", "हिन्दी", "a" * 5000, "\x00\x07", "\ufffd"]
    target = make_target(texts=["发烧 病人", "", "咳嗽", "🤒", "fever", "x", "y", "z"])
    picked = select(from_columns("mixed", texts), target, method=name, budget="100%", embed=embed)
    assert sorted(picked.indices.tolist()) == list(range(len(texts)))


@pytest.mark.parametrize("name", NAMES)
def test_every_method_describes_itself(name: str) -> None:
    method = METHODS[name]
    assert method.paper
    assert method.modality
    assert method.summary.isascii()
    assert not method.summary_zh.isascii()
    assert (method.__doc__ or "").find("Use when") > 0
    assert (method.__doc__ or "").find("Avoid when") > 0
