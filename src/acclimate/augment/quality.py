"""How good generated examples are, as numbers: how varied, how new, how much of the target they reach, how often a label flipped.

Pure functions; each is the only place where its formula stands.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.data.words import folded_words

Vectors = NDArray[np.floating]
#: Longest n-gram of BLEU (Papineni 2002).
ORDER = 4
#: Texts whose self-BLEU is taken, spread over all; every pair of them is compared.
BLEU_TEXTS = 200
#: Neighbours that span a neighbourhood (Naeem 2020, section 4.1).
NEIGHBOURS = 5
#: Distances computed at once.
_BLOCK = 1024


def distinct(texts: Sequence[str], n: int) -> float:
    """Different n-grams over all n-grams of a set of texts (Li et al. 2016, section 5); NaN where there are none.

    >>> distinct(["a b a b"], 1), distinct(["a b a b"], 2)
    (0.5, 0.6666666666666666)
    """
    grams = [gram for text in texts for gram in _grams(folded_words(text), n)]
    return len(set(grams)) / len(grams) if grams else math.nan


def self_bleu(texts: Sequence[str], most: int = BLEU_TEXTS) -> float:
    """Mean BLEU-4 of each text against all the others (Zhu et al. 2018, "Texygen", section 3.2); near 1 is repetition.

    Precisions without a match count as ``0.1 / total`` (Chen & Cherry 2014, method 1); n-grams that a text is too short for are
    left out. Of more than ``most`` texts as many are taken, evenly spread. NaN for fewer than two texts with words.

    >>> self_bleu(["the cat sat on the mat", "the cat sat on the mat"])
    1.0
    """
    chosen = [texts[row] for row in np.linspace(0, len(texts) - 1, min(most, len(texts))).round().astype(int)] if texts else []
    words = [found for text in chosen if (found := folded_words(text))]
    if len(words) < 2:
        return math.nan
    counts = [[Counter(_grams(one, n)) for one in words] for n in range(1, ORDER + 1)]
    highest = [_two_highest(by_text) for by_text in counts]
    lengths = np.array([len(one) for one in words])
    return float(np.mean([_bleu(row, counts, highest, lengths) for row in range(len(words))]))


def _two_highest(by_text: Sequence[Counter[tuple[str, ...]]]) -> dict[tuple[str, ...], tuple[int, int, int]]:
    """For each n-gram its highest count in any text, that text, and the highest count in any other text."""
    best: dict[tuple[str, ...], tuple[int, int, int]] = {}
    for row, counts in enumerate(by_text):
        for gram, count in counts.items():
            top, owner, second = best.get(gram, (0, -1, 0))
            best[gram] = (count, row, top) if count > top else (top, owner, max(second, count))
    return best


def _bleu(
    row: int,
    counts: Sequence[Sequence[Counter[tuple[str, ...]]]],
    highest: Sequence[dict[tuple[str, ...], tuple[int, int, int]]],
    lengths: NDArray[np.int64],
) -> float:
    """BLEU of one text against all others: clipped by the highest count in any of them (Papineni 2002, eq. in section 2.1.1)."""
    logs = []
    for by_text, best in zip(counts, highest, strict=True):
        own = by_text[row]
        total = own.total()
        if not total:
            continue
        matched = sum(min(count, best[gram][2] if best[gram][1] == row else best[gram][0]) for gram, count in own.items())
        logs.append(math.log((matched or 0.1) / total))
    others = np.delete(lengths, row)
    closest = int(min(others.tolist(), key=lambda length: (abs(length - lengths[row]), length)))
    brevity = min(0.0, 1 - closest / lengths[row])
    return math.exp(brevity + sum(logs) / len(logs))


def _grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]


def coverage(target: Vectors, made: Vectors, k: int = NEIGHBOURS) -> float:
    """Share of target neighbourhoods that a generated example falls into (Naeem et al. 2020, "coverage", eq. 4).

    The neighbourhood of a target example is the ball that reaches to its ``k``-th nearest other target example.

    Args:
        target: ``(n, d)``, with n > 1.
        made: ``(m, d)``; none reach nothing.
    """
    if len(target) < 2:
        return math.nan
    if not len(made):
        return 0.0
    k = min(k, len(target) - 1)
    reached = 0
    for start in range(0, len(target), _BLOCK):
        part = target[start : start + _BLOCK]
        among = _squared(part, target)
        among[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf  # itself is no neighbour
        radius = np.partition(among, k - 1, axis=1)[:, k - 1]
        reached += int((_squared(part, made).min(axis=1) <= radius).sum())
    return reached / len(target)


def _squared(a: Vectors, b: Vectors) -> NDArray[np.float64]:
    """Squared distances ``(n, m)``, not below 0."""
    wide, other = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    found = (wide**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * wide @ other.T
    return np.asarray(np.maximum(found, 0.0), dtype=np.float64)


def flip_rate(labels: Sequence[str | None], judged: Sequence[str | None]) -> float:
    """Share of examples that somebody (a teacher, a person) labels otherwise than they are labelled; of those that both label.

    >>> flip_rate(["a", "a", "b", None], ["a", "b", None, "a"])
    0.5
    """
    pairs = [(own, other) for own, other in zip(labels, judged, strict=True) if own is not None and other is not None]
    return sum(own != other for own, other in pairs) / len(pairs) if pairs else math.nan
