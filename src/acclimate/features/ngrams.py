"""Counts of hashed word n-grams: any text as a sparse vector, with no vocabulary to learn or keep.

The hash is public and fixed, so that the same text gives the same columns on every machine, in every process and release:

- a word is hashed by FNV-1a, 64 bits, over its UTF-8 bytes (Fowler, Noll & Vo, http://www.isthe.com/chongo/tech/comp/fnv/);
- an n-gram ``w1 ... wn`` by ``state = mix(salt)``, then ``state = mix(state + fnv1a(w))`` for each word in order, where ``mix``
  is the finaliser of SplitMix64 (Steele, Lea & Flood 2014) and sums wrap at 64 bits;
- its bucket is ``state mod buckets``.

The work is done by :mod:`acclimate.features.word_kernels`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from acclimate.errors import InputError
from acclimate.features.word_kernels import Hashing, encode

Hashes = NDArray[np.uint64]

_MASK = (1 << 64) - 1
_FNV_OFFSET, _FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3


def hash_ngrams(texts: Sequence[str], *, buckets: int = 2**20, orders: Sequence[int] = (1, 2), salt: int = 0) -> csr_matrix:
    """Counts of each text's hashed word n-grams, ``(n, buckets)``, int32, columns sorted.

    A row depends on its own text alone. Two n-grams may share a bucket: about one in ``buckets / n-grams`` does.

    Args:
        texts: ``n`` texts.
        buckets: number of columns.
        orders: lengths of the n-grams.
        salt: another salt, another assignment to buckets.

    Raises:
        InputError: ``buckets`` or an order is below 1, or there are no orders.

    >>> hash_ngrams(["a rose is a rose", ""]).sum(axis=1).ravel().tolist()
    [[9, 0]]
    """
    check_settings(buckets, orders)
    starts, columns = Hashing(buckets, tuple(orders), salt).rows(encode(texts))
    counts = csr_matrix((np.ones(len(columns), np.int32), columns, starts), shape=(len(texts), buckets))
    counts.sum_duplicates()
    return counts


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


def mix(state: Hashes) -> Hashes:
    """The finaliser of SplitMix64: a bijection of 64 bits in which every input bit moves every output bit."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
