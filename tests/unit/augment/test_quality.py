"""Figures on generated examples, each against a loop that computes it in the plainest way."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest

from acclimate.augment.quality import coverage, distinct, flip_rate, self_bleu


def texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices("abcdefg", k=rng.randint(1, 12))) for _ in range(count)]


def naive_bleu(hypothesis: list[str], references: list[list[str]]) -> float:
    """Papineni 2002 as written: clipped precisions, the closest reference length, a brevity penalty."""
    logs = []
    for n in range(1, 5):
        own = [tuple(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1)]
        if not own:
            continue
        matched = 0
        for gram in set(own):
            most = max(sum(tuple(r[i : i + n]) == gram for i in range(len(r) - n + 1)) for r in references)
            matched += min(own.count(gram), most)
        logs.append(math.log((matched if matched else 0.1) / len(own)))
    lengths = sorted(len(r) for r in references)
    closest = min(lengths, key=lambda length: abs(length - len(hypothesis)))
    penalty = 1.0 if len(hypothesis) >= closest else math.exp(1 - closest / len(hypothesis))
    return penalty * math.exp(sum(logs) / len(logs))


@pytest.mark.parametrize("seed", range(5))
def test_self_bleu_equals_the_plain_loop(seed: int) -> None:
    words = [text.split() for text in texts(12, seed)]
    expected = np.mean([naive_bleu(one, words[:row] + words[row + 1 :]) for row, one in enumerate(words)])
    assert self_bleu([" ".join(one) for one in words]) == pytest.approx(expected, rel=1e-12)


def test_self_bleu_of_copies_is_one_and_of_strangers_is_small() -> None:
    assert self_bleu(["one two three four five"] * 3) == pytest.approx(1.0)
    assert self_bleu(["one two three four five", "six seven eight nine ten"]) < 0.1
    assert math.isnan(self_bleu(["alone"]))
    assert math.isnan(self_bleu([]))


def test_self_bleu_of_many_texts_is_that_of_an_even_spread() -> None:
    many = texts(101, 0)
    assert self_bleu(many, most=51) == self_bleu(many[::2])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_distinct_counts_different_n_grams(n: int) -> None:
    drawn = texts(20, n)
    grams: Counter[str] = Counter()
    for text in drawn:
        words = text.split()
        grams.update(" ".join(words[i : i + n]) for i in range(len(words) - n + 1))
    assert distinct(drawn, n) == len(grams) / sum(grams.values())


def test_distinct_reads_chinese_character_by_character() -> None:
    assert distinct(["很好很好"], 1) == 0.5
    assert math.isnan(distinct(["", "…"], 1))


@pytest.mark.parametrize("k", [1, 3])
def test_coverage_equals_the_plain_loop(k: int) -> None:
    rng = np.random.default_rng(k)
    target, made = rng.normal(size=(40, 5)), rng.normal(size=(7, 5))
    reached = 0
    for row, point in enumerate(target):
        radius = sorted(math.dist(point, other) for at, other in enumerate(target) if at != row)[k - 1]
        reached += min(math.dist(point, other) for other in made) <= radius
    assert coverage(target, made, k) == reached / 40


def test_coverage_does_not_depend_on_how_the_target_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    from acclimate.augment import quality

    rng = np.random.default_rng(0)
    target, made = rng.normal(size=(50, 4)), rng.normal(size=(9, 4))
    whole = coverage(target, made)
    monkeypatch.setattr(quality, "_BLOCK", 7)
    assert coverage(target, made) == whole


def test_coverage_at_the_ends() -> None:
    target = np.random.default_rng(0).normal(size=(20, 3))
    assert coverage(target, target) == 1.0
    assert coverage(target, target[:0]) == 0.0
    assert coverage(target, target + 100) == 0.0
    assert math.isnan(coverage(target[:1], target))


def test_flip_rate_counts_only_what_both_label() -> None:
    assert flip_rate(["a", "b", None, "b"], ["a", "a", "a", None]) == 0.5
    assert math.isnan(flip_rate([None], ["a"]))
