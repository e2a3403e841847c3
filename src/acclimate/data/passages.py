"""Passages: long runs of words of a sealed text that stand inside another text, found by hashing every run of a fixed length.

A text holds a passage of a sealed one if at least half of the sealed one's words lie in runs of 13 words that both have, word for
word in order, whatever the case, width, spacing, punctuation and quotation marks. A sealed text of 8 to 12 words must be there as a
whole; shorter ones are met by chance, and only the same text counts as a repetition (:mod:`acclimate.data.hygiene`). In texts
mostly of Han characters or kana, two of these count as a word. Runs that more than ten different sealed texts have (a signature, a
legal notice) and runs of fewer than five different words (``ha ha ha``) say nothing.

Thirteen words are the rule of Brown et al. 2020 ("Language models are few-shot learners", appendix C), who take one such run for
contamination. That suits benchmarks, not collections whose texts quote one another: of the 11,293 training documents of 20
Newsgroups, where replies quote what they answer, it would remove 35%. What half of the words removes beyond exact, normalised and
near duplicates: in 20 Newsgroups, train against test, 405 documents, 3.6% (of twelve looked at ten share a quotation that makes up
half of the test document, two a long signature); with 70% of the words it would be 65; of 16,479 tweets and reviews none against
New York Times sentences; of three domains of Amazon reviews none against the fourth, and none in a random split of all 8,000; of
7,473 questions of GSM8K none against its test. In a random split of 82,525 Chinese reviews 120 (four of four looked at repeat most
of the test review); with a character counted as a word it would be 337, by phrases such as "fast delivery, good service".

Cost: 11,293 documents (3 million words) are looked up in an index of 7,528 documents in 3.4 seconds of one core, and in 9 where
other work competes for its cache; the index took 5 to build then.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from acclimate.data.folded import Folded, fold_texts
from acclimate.data.words import folded_words, is_unspaced

#: Words of a run: shorter ones are met by chance (Brown et al. 2020, appendix C, choose 13 as well).
RUN = 13
#: A text stands inside another one if at least this share of its words lies in runs that the other one has, too.
SHARE = 0.5
#: Of a text of fewer than ``RUN`` words but at least this many, all of it must be there, as one run.
SHORTEST = 8
#: In a text mostly of an unspaced script two characters count as a word: runs of 26, texts from 16.
CHARACTERS = 2
#: A run of fewer different words (``ha ha ha``) says nothing.
VARIED = 5
#: Runs that more than this many different sealed texts have are boilerplate, and say nothing (Brown et al. 2020: ten).
COMMON = 10
#: A table of 2**_BITS flags turns away most runs before they are searched for.
_BITS = 24
#: Texts looked up together; bounds the memory for their words.
CHUNK = 1024

Integers = NDArray[np.int64]
Hashes = NDArray[np.uint64]


class PassageIndex:
    """Finds, for any text, the reference of which it holds a passage. Built over the small side (the test), asked by the large one.

    What it answers for a text depends on that text and the references alone; of several references the one that is most
    wholly there is given, and the first one of equals.

    >>> verse = "it was the best of times it was the worst of times it was the age of wisdom"
    >>> index = PassageIndex([verse])
    >>> twins, shares = index.find([f"As Dickens wrote: {verse.upper()}!", "it was the best of times, he said"])
    >>> twins.tolist(), shares.tolist()
    ([0, -1], [1.0, 0.0])
    """

    def __init__(self, references: Sequence[str]) -> None:
        first: dict[tuple[str, ...], int] = {}  # a text that is there many times is no boilerplate
        for position, text in enumerate(references):
            first.setdefault(tuple(folded_words(text)), position)
        self._positions, rows = np.array([*first.values()], dtype=np.int64), [*first]
        folded = fold_texts([references[position] for position in first.values()])
        starts, words = folded.starts, folded.words
        wanted = np.array([_run_length(row) for row in rows], dtype=np.int64)
        self._lengths = np.unique(wanted[wanted > 0])
        runs = [_runs_of(starts, words, np.flatnonzero(wanted == length), length) for length in self._lengths.tolist()]
        self._hashes, self._texts, self._places, self._run_lengths = _without_boilerplate(runs, self._lengths)
        self._flags = np.zeros(1 << _BITS, dtype=np.bool_)
        self._flags[(self._hashes >> np.uint64(64 - _BITS)).astype(np.int64)] = True
        words_each = np.diff(starts)
        self._sizes = np.maximum(_coverable(self._texts, self._places, self._run_lengths, len(rows)), (words_each + 1) // 2)

    def find(self, texts: Sequence[str] | Folded) -> tuple[Integers, NDArray[np.float64]]:
        """For ``n`` texts: the position of a reference, ``(n,)``, -1 for none; and the share of its words there, 0 for none."""
        twins, shares = np.full(len(texts), -1, dtype=np.int64), np.zeros(len(texts))
        if len(self._hashes) == 0:
            return twins, shares
        if isinstance(texts, Folded):
            index = self._hashes, self._texts, self._places, self._run_lengths
            found, shares = _best(texts.starts, texts.words, self._lengths, index, self._flags, self._sizes, SHARE)
            return np.where(found < 0, -1, self._positions[found]), shares
        for start in range(0, len(texts), CHUNK):
            chunk = slice(start, min(start + CHUNK, len(texts)))
            twins[chunk], shares[chunk] = self.find(fold_texts(texts[chunk]))
        return twins, shares


def _run_length(words: Sequence[str]) -> int:
    """By runs of how many words a text is looked for: a fixed number, or all of a short one; 0 for one that is too short."""
    unit = CHARACTERS if 2 * sum(map(is_unspaced, words)) > len(words) else 1
    return min(len(words), RUN * unit) if len(words) >= SHORTEST * unit else 0


def _runs_of(starts: Integers, words: Hashes, rows: Integers, length: int) -> tuple[Hashes, Integers, Integers]:
    """Hash, text and place of every varied run of that length in some of the texts."""
    counts = np.diff(starts)[rows] - length + 1
    texts = np.repeat(rows, counts)
    places = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    at = starts[texts] + places
    varied = _are_varied(words, at, length, VARIED)
    return _rolled(words, length)[at[varied]], texts[varied], places[varied]


def _without_boilerplate(
    runs: Sequence[tuple[Hashes, Integers, Integers]], lengths: Integers
) -> tuple[Hashes, Integers, Integers, Integers]:
    """All runs in order of hash, then text, then place, but for those that too many texts have."""
    if not runs:
        empty = np.zeros(0, dtype=np.int64)
        return np.zeros(0, dtype=np.uint64), empty, empty, empty
    hashes, texts, places = (np.concatenate(parts) for parts in zip(*runs, strict=True))
    sizes = np.repeat(lengths, [len(part[0]) for part in runs])
    order = np.lexsort((places, texts, hashes))
    hashes, texts, places, sizes = hashes[order], texts[order], places[order], sizes[order]
    new_hash = np.ones(len(hashes), dtype=np.bool_)
    new_hash[1:] = hashes[1:] != hashes[:-1]
    new_text = new_hash.copy()
    new_text[1:] |= texts[1:] != texts[:-1]
    group = np.cumsum(new_hash) - 1
    kept = (np.bincount(group, weights=new_text) <= COMMON)[group]
    return hashes[kept], texts[kept], places[kept], sizes[kept]


def _coverable(texts: Integers, places: Integers, lengths: Integers, count: int) -> Integers:
    """How many words of each text lie in a run of the index, ``(count,)``."""
    order = np.lexsort((places, texts))
    texts, places, lengths = texts[order], places[order], lengths[order]
    overlap = np.zeros(len(texts), dtype=np.int64)
    overlap[1:] = np.where(texts[1:] == texts[:-1], np.maximum(lengths[1:] - np.diff(places), 0), 0)
    return np.bincount(texts, weights=lengths - overlap, minlength=count).astype(np.int64)


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _are_varied(words: Hashes, at: Integers, length: int, needed: int) -> NDArray[np.bool_]:  # pragma: no cover - compiled
    """Whether each run that begins at ``at`` has at least ``needed`` different words."""
    varied = np.zeros(len(at), dtype=np.bool_)
    met = np.zeros(needed, dtype=np.uint64)
    for run in range(len(at)):
        count = 0
        for word in words[at[run] : at[run] + length]:
            if not (met[:count] == word).any():
                met[count] = word
                count += 1
            if count == needed:
                varied[run] = True
                break
    return varied


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _rolled(words: Hashes, length: int) -> Hashes:  # pragma: no cover - compiled
    """The hash of the run of ``length`` words that begins at each place (Karp and Rabin 1987, modulo 2**64, then mixed)."""
    base = np.uint64(0x9E3779B97F4A7C15) | np.uint64(1)
    top = np.uint64(1)
    for _ in range(length - 1):
        top *= base
    rolled = np.zeros(max(0, len(words) - length + 1), dtype=np.uint64)
    value = np.uint64(0)
    for place in range(len(words)):
        if place >= length:
            value -= words[place - length] * top
        value = value * base + words[place]
        if place >= length - 1:
            mixed = value ^ (value >> np.uint64(32))
            mixed *= np.uint64(0xBF58476D1CE4E5B9) + np.uint64(2 * length)
            rolled[place - length + 1] = mixed ^ (mixed >> np.uint64(29))
    return rolled


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _best(
    starts: Integers,
    words: Hashes,
    lengths: Integers,
    index: tuple[Hashes, Integers, Integers, Integers],
    flags: NDArray[np.bool_],
    sizes: Integers,
    share: float,
) -> tuple[Integers, NDArray[np.float64]]:  # pragma: no cover - compiled
    """The reference of which most is in each text, and how much of it, where that is at least ``share``."""
    hashes, texts, places, run_lengths = index
    n = len(starts) - 1
    twins, best = np.full(n, -1, dtype=np.int64), np.zeros(n)
    shift = np.uint64(64 - _BITS)
    for row in range(n):
        mine = words[starts[row] : starts[row + 1]]
        hits = []
        for length in lengths:
            for value in _rolled(mine, length):
                if not flags[np.int64(value >> shift)]:
                    continue
                entry = np.searchsorted(hashes, value)
                while entry < len(hashes) and hashes[entry] == value:
                    hits.append((texts[entry], places[entry], run_lengths[entry]))
                    entry += 1
        if len(hits) == 0:
            continue
        hits.sort()
        text, end, covered = np.int64(-1), np.int64(0), np.int64(0)
        for hit in hits:
            if hit[0] != text:
                text, end, covered = hit[0], np.int64(0), np.int64(0)
            covered += max(np.int64(0), hit[1] + hit[2] - max(end, hit[1]))
            end = max(end, hit[1] + hit[2])
            found = covered / sizes[text]
            if found >= share and (found > best[row] or (found == best[row] and text < twins[row])):
                twins[row], best[row] = text, found
    return twins, best
