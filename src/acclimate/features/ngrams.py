"""Counts of hashed word n-grams: any text as a sparse vector, with no vocabulary to learn or keep.

The hash is public and fixed, so that the same text gives the same columns on every machine, in every process and release:

- a word is hashed by FNV-1a, 64 bits, over its UTF-8 bytes (Fowler, Noll & Vo, http://www.isthe.com/chongo/tech/comp/fnv/);
- an n-gram ``w1 ... wn`` by ``state = mix(salt)``, then ``state = mix(state + fnv1a(w))`` for each word in order, where ``mix``
  is the finaliser of SplitMix64 (Steele, Lea & Flood 2014) and sums wrap at 64 bits;
- its bucket is ``state mod buckets``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from acclimate.errors import InputError
from acclimate.features.tokenize import words

Hashes = NDArray[np.uint64]

_MASK = (1 << 64) - 1
_FNV_OFFSET, _FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3


def hash_ngrams(
    texts: Sequence[str],
    *,
    buckets: int = 2**20,
    orders: Sequence[int] = (1, 2),
    salt: int = 0,
    split: Callable[[str], list[str]] = words,
) -> csr_matrix:
    """Counts of each text's hashed word n-grams, ``(n, buckets)``, int32, columns sorted.

    A row depends on its own text alone. Two n-grams may share a bucket: about one in ``buckets / n-grams`` does.

    Args:
        texts: ``n`` texts.
        buckets: number of columns.
        orders: lengths of the n-grams.
        salt: another salt, another assignment to buckets.
        split: a text to its words.

    Raises:
        InputError: ``buckets`` or an order is below 1, or there are no orders.

    >>> hash_ngrams(["a rose is a rose", ""]).sum(axis=1).ravel().tolist()
    [[9, 0]]
    """
    check_settings(buckets, orders)
    documents = [split(text) for text in texts]
    ends = np.cumsum([len(document) for document in documents], dtype=np.int64)
    rows = np.repeat(np.arange(len(documents), dtype=np.int64), np.diff(ends, prepend=0))
    hashes = word_hashes(documents)
    parts = [_order(hashes, rows, order, buckets, salt) for order in sorted(set(orders))]
    row = np.concatenate([part[0] for part in parts])
    column = np.concatenate([part[1] for part in parts])
    counts = csr_matrix((np.ones(len(row), np.int32), (row, column)), shape=(len(documents), buckets))
    counts.sum_duplicates()
    return counts


def ngrams(document: Sequence[str], orders: Sequence[int] = (1, 2)) -> list[str]:
    """The n-grams of a text's words, shortest order first, words joined by a space."""
    return [" ".join(document[i : i + n]) for n in sorted(set(orders)) for i in range(len(document) - n + 1)]


def ngram_buckets(document: Sequence[str], *, buckets: int, orders: Sequence[int] = (1, 2), salt: int = 0) -> NDArray[np.int64]:
    """The bucket of each n-gram of one text, in the order of :func:`ngrams`."""
    check_settings(buckets, orders)
    hashes = word_hashes([document])
    rows = np.zeros(len(document), dtype=np.int64)
    return np.concatenate([_order(hashes, rows, order, buckets, salt)[1] for order in sorted(set(orders))])


def check_settings(buckets: int, orders: Sequence[int]) -> None:
    """Raises :class:`InputError` for settings under which no n-gram has a bucket."""
    if not 1 <= buckets < 2**31:
        raise InputError(f"{buckets} buckets for hashed n-grams", expected="a number from 1 to 2147483647", fix="leave the default")
    if not orders or min(orders) < 1:
        raise InputError(
            f"Orders {list(orders)} of hashed n-grams", expected="one or more lengths of at least 1", fix="use orders (1, 2)"
        )


def fnv1a(word: str) -> int:
    """FNV-1a, 64 bits, over the UTF-8 bytes of a word.

    >>> hex(fnv1a("a"))
    '0xaf63dc4c8601ec8c'
    """
    state = _FNV_OFFSET
    for byte in word.encode("utf-8", "surrogatepass"):
        state = (state ^ byte) * _FNV_PRIME & _MASK
    return state


def word_hashes(documents: Sequence[Sequence[str]]) -> Hashes:
    """The hash of every word of every document, in order; each distinct word is hashed once."""
    known: dict[str, int] = {}
    hashes = []
    for document in documents:
        for word in document:
            value = known.get(word)
            if value is None:
                value = known[word] = fnv1a(word)
            hashes.append(value)
    return np.array(hashes, dtype=np.uint64)


def mix(state: Hashes) -> Hashes:
    """The finaliser of SplitMix64: a bijection of 64 bits in which every input bit moves every output bit."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _order(
    hashes: Hashes, rows: NDArray[np.int64], order: int, buckets: int, salt: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and bucket of every n-gram of one order; an n-gram lies within one row."""
    count = max(len(hashes) - order + 1, 0)
    state = mix(np.full(count, salt & _MASK, dtype=np.uint64))
    for offset in range(order):
        state = mix(state + hashes[offset : offset + count])
    inside = rows[:count] == rows[order - 1 : order - 1 + count]
    return rows[:count][inside], (state[inside] % np.uint64(buckets)).astype(np.int64)
