"""Cynical selection against a loop that computes every cross-entropy anew."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from acclimate.data.domain import from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.select.importance.cynical import Cynical, count_words, greedy, pool_shares

WORDS = ["fever", "dose", "ward", "price", "bank", "the", "a", "of"]


def documents(count: int, seed: int, words: list[str]) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [rng.choice(words, rng.integers(0, 9)).tolist() for _ in range(count)]


def target_of(texts: list[str]) -> Target:
    domain = from_columns("t", texts, ["a"] * len(texts))
    return Target("t", domain, domain.take([]).without_labels(), Sealed(domain, "test"), ("a",))


def naive(pool: list[list[str]], target: list[list[str]], start: dict[str, float], length: float) -> tuple[list[int], list[float]]:
    """The next text is the one after which the target's cross-entropy, computed from scratch, is least."""
    wanted = Counter(word for document in target for word in document)

    def cross_entropy(picked: list[int]) -> float:
        counts = Counter(word for row in picked for word in pool[row])
        total = length + counts.total()
        return -sum(n / wanted.total() * math.log((start[word] + counts[word]) / total) for word, n in wanted.items())

    picked: list[int] = []
    changes = []
    before = cross_entropy([])
    while len(picked) < len(pool):
        after = {row: cross_entropy([*picked, row]) for row in range(len(pool)) if row not in picked}
        best = min(after, key=lambda row: (round(after[row], 12), row))
        changes.append(after[best] - before)
        before = after[best]
        picked.append(best)
    return picked, changes


@pytest.mark.parametrize("seed", range(3))
def test_the_lazy_greedy_choice_is_that_of_computing_every_cross_entropy(seed: int) -> None:
    pool, target = documents(40, seed, WORDS), documents(10, seed + 100, WORDS[:3] + WORDS[5:])
    counts = count_words(pool, target)
    start = np.linspace(0.3, 0.7, len(counts.target))
    picks = greedy(counts, start, 5.0, 40)
    vocabulary = sorted({word for document in target for word in document})
    rows, changes = naive(pool, target, dict(zip(vocabulary, start.tolist(), strict=True)), 5.0)
    assert picks.changes == pytest.approx(changes, abs=1e-12)
    assert picks.rows.tolist() == rows


def test_the_tail_stands_by_the_change_that_it_would_bring_next() -> None:
    pool, target = documents(40, 7, WORDS), documents(10, 8, WORDS[:3] + WORDS[5:])
    counts = count_words(pool, target)
    start = pool_shares(counts)
    few, more = greedy(counts, start, 5.0, 10), greedy(counts, start, 5.0, 11)
    assert more.rows[:10].tolist() == few.rows.tolist()
    left = np.setdiff1d(np.arange(40), few.rows)
    assert more.changes[10] == pytest.approx(few.last[left].min(), abs=1e-12)
    source = from_columns("s", [" ".join(document) for document in pool])
    selector = Cynical(greedy=0).fit(source, target_of([" ".join(document) for document in target]))
    changes = [float(line.split()[3]) for line in selector.reasons(source)]
    assert np.array(changes)[np.argsort(-selector.score(source))].tolist() == sorted(changes)


def test_a_text_that_was_picked_is_worth_less_the_second_time() -> None:
    source = from_columns("s", ["fever ward", "fever ward", "dose scan", "bank"])
    selector = Cynical(background=0.1).fit(source, target_of(["fever ward dose scan"]))
    assert np.argsort(-selector.score(source)).tolist() in ([0, 2, 1, 3], [2, 0, 1, 3])


def test_the_order_of_the_source_does_not_matter() -> None:
    source = from_columns("s", [" ".join(document) for document in documents(30, 1, WORDS)])
    order = np.random.default_rng(2).permutation(30)
    target = target_of(["fever dose of the ward", "a ward"])
    first, second = Cynical().fit(source, target), Cynical().fit(source.take(order), target)
    assert first.score(source).tobytes() == second.score(source).tobytes()


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="background=0"):
        Cynical(background=0)
