"""What every selector keeps to; a new one is tested by being listed in METHODS."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from acclimate.data.domain import Domain, from_columns
from acclimate.data.target import Sealed, Target
from acclimate.engine.build import build
from acclimate.errors import InputError
from acclimate.features.ngrams import hash_ngrams
from acclimate.select import METHODS
from acclimate.select.base import Selection, Selector, Toolbox
from acclimate.select.run import select
from acclimate.tune.learner import ProbeLearner

NAMES = sorted(METHODS)
MEDICAL = ["fever", "ward", "nurse", "dose", "blood", "scan", "pulse", "lung", "heart", "pain", "tablet", "clinic"]
TRADE = ["market", "price", "share", "profit", "bank", "stock", "trade", "buyer", "seller", "invoice", "loan", "rate"]
FILLER = ["the", "a", "of", "and", "to", "in", "it", "was", "that", "for", "on", "with"]


def embed(contents: Sequence[str]) -> NDArray[np.float32]:
    """A bag of hashed words: a real embedding, small and fast."""
    return hash_ngrams(contents, buckets=256, orders=(1,)).toarray().astype(np.float32)


def sentences(words: list[str], count: int, seed: int) -> list[str]:
    """Every second sentence uses the first half of the words, the others the second half."""
    rng = np.random.default_rng(seed)
    half = len(words) // 2
    own = (words[:half], words[half:])
    return [" ".join([*rng.choice(own[row % 2], 5), *rng.choice(FILLER, 5)]) for row in range(count)]


def make_pool() -> Domain:
    """Forty medical sentences labelled as the target labels them, among 160 of trade with labels that mean nothing."""
    texts = [*sentences(TRADE, 160, 1), *sentences(MEDICAL, 40, 2)]
    noise = np.random.default_rng(6).permutation(np.tile(["a", "b"], 80))
    labels = [*noise.tolist(), *["a", "b"] * 20]
    domains = ["market"] * 80 + ["bank"] * 80 + ["hospital"] * 40
    order = np.random.default_rng(3).permutation(len(texts))
    return from_columns("pool", [texts[i] for i in order], [labels[i] for i in order], domains=[domains[i] for i in order])


def make_target(flip: str = "", texts: list[str] | None = None) -> Target:
    """A medical target; ``flip`` names the part whose labels are corrupted."""
    texts = texts or sentences(MEDICAL, 80, 4)

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


def tools(seed: int = 0) -> Toolbox:
    return Toolbox(embed, seed, ProbeLearner(embed))


def fitted(name: str, pool: Domain, seed: int = 0) -> Selector:
    return build(METHODS, "selector", name, {}, tools(seed).provided).fit(pool, make_target())


def picked_by(name: str, pool: Domain, target: Target, budget: str = "20%", seed: int = 0) -> Selection:
    return select(pool, target, method=name, budget=budget, seed=seed, tools=tools())


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
    first, second = (picked_by(name, make_pool(), make_target(), seed=7) for _ in range(2))
    assert as_bytes(first) == as_bytes(second)


def test_another_hash_seed_does_not_change_a_byte() -> None:
    code = (
        "from test_selector_contract import *\n"
        "picks = [as_bytes(picked_by(name, make_pool(), make_target())) for name in NAMES]\n"
        "print([hashlib.sha256(pick).hexdigest() for pick in picks])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "123", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    picks = [as_bytes(picked_by(name, make_pool(), make_target())) for name in NAMES]
    assert done.stdout.strip() == str([hashlib.sha256(pick).hexdigest() for pick in picks])


def test_another_seed_gives_another_random_pick() -> None:
    first, second = (select(make_pool(), make_target(), method="random", seed=seed) for seed in (0, 1))
    assert first.indices.tolist() != second.indices.tolist()


@pytest.mark.parametrize("part", ["test", "validation", "labelled"])
@pytest.mark.parametrize("name", NAMES)
def test_labels_behind_the_firewall_do_not_move_the_selection(name: str, part: str) -> None:
    if part == "labelled" and "target labels" in METHODS[name].needs:
        pytest.skip("this method declares that it reads the labels of labelled examples")
    honest = picked_by(name, make_pool(), make_target())
    corrupted = picked_by(name, make_pool(), make_target(flip=part))
    assert as_bytes(honest) == as_bytes(corrupted)


@pytest.mark.parametrize("name", [name for name in NAMES if "source labels" not in METHODS[name].needs])
def test_a_method_that_declares_no_need_of_source_labels_does_not_read_them(name: str) -> None:
    labelled, pool = make_pool(), make_pool().without_labels()
    assert picked_by(name, labelled, make_target()).scores.tobytes() == picked_by(name, pool, make_target()).scores.tobytes()


@pytest.mark.parametrize("name", [name for name in NAMES if "random" not in METHODS[name].traits])
def test_a_planted_part_is_found(name: str) -> None:
    """What is like the target and labelled as there; for those that seek hard examples, the others, whose labels mean nothing."""
    pool = make_pool()
    hard = "hard" in METHODS[name].traits
    planted = [(domain == "hospital") is not hard for domain in pool.domains]
    picked = picked_by(name, pool, make_target(), budget="40")
    # Chance is 0.8 for hard ones and 0.2 for the others. Influence seeks what lowers the loss: mostly, not only, the planted part.
    least = 0.95 if hard else 0.7 if name == "influence" else 0.8
    assert np.mean([planted[row] for row in picked.indices]) > least


@pytest.mark.parametrize("name", [name for name in NAMES if "weighs" in METHODS[name].traits])
def test_weights_are_finite_not_negative_and_larger_where_relevant(name: str) -> None:
    pool = make_pool()
    weights = fitted(name, pool).weights(pool)
    relevant = np.array([domain == "hospital" for domain in pool.domains])
    assert weights.shape == (len(pool),)
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    assert weights[relevant].mean() > weights[~relevant].mean()


@pytest.mark.parametrize("name", NAMES)
def test_empty_batches_one_row_and_duplicates(name: str) -> None:
    pool = make_pool()
    selector = fitted(name, pool)
    empty = pool.take([])
    assert selector.score(empty).shape == (0,)
    assert selector.reasons(empty) == []
    one = from_columns("one", ["a single text"], ["a"])
    if "source domains" in METHODS[name].needs:
        with pytest.raises(InputError, match=f"'{name}' cannot serve here.*or use '"):
            picked_by(name, one, make_target())
        return
    assert len(picked_by(name, one, make_target())) == 1
    twins = from_columns("twins", ["the same text"] * 4, ["a"] * 4)
    picked = picked_by(name, twins, make_target(), budget="2")
    assert len(picked) == 2
    if not {"random", "ranks"} & set(METHODS[name].traits):
        assert len(set(picked.scores.tolist())) == 1


@pytest.mark.parametrize("name", NAMES)
def test_any_unicode_is_scored(name: str) -> None:
    texts = ["", " ", "发烧 三天", "😀👩‍🚀", "e\u0301té", "\u200f\u0627\u0644", "हिन्दी", "a" * 5000, "\x00\x07", "\ufffd"]
    target = make_target(texts=["发烧 病人", "", "咳嗽", "🤒", "fever", "x", "y", "z"])
    source = from_columns("mixed", texts, ["a", "b"] * 5, domains=["odd"] * 5 + ["even"] * 5)
    picked = picked_by(name, source, target, budget="100%")
    assert sorted(picked.indices.tolist()) == list(range(len(texts)))


@pytest.mark.parametrize("name", [name for name in NAMES if METHODS[name].needs])
def test_a_method_that_cannot_serve_says_what_it_needs_and_names_one_that_can(name: str) -> None:
    bare = make_pool().take(range(20)).without_labels().with_column("domain", pa.array(["one"] * 20, pa.string()))
    target = make_target()
    target = dataclasses.replace(target, labelled=target.labelled.take([]))
    with pytest.raises(InputError, match=f"'{name}' cannot serve here.*Fix: .*or use '"):
        select(bare, target, method=name)


@pytest.mark.parametrize("name", NAMES)
def test_every_method_describes_itself(name: str) -> None:
    method = METHODS[name]
    assert method.paper
    assert method.modality
    assert method.summary.isascii()
    assert not method.summary_zh.isascii()
    assert (method.__doc__ or "").find("Use when") > 0
    assert (method.__doc__ or "").find("Avoid when") > 0
