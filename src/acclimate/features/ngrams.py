"""Counts of hashed word n-grams: any text as a sparse vector, with no vocabulary to learn or keep.

The hash is public and fixed, so that the same text gives the same columns on every machine, in every process and release:

- a word ``w`` is hashed by ``h = 0x9E3779B97F4A7C15``, then ``h = mix(h xor chunk)`` for every eight of its UTF-8 bytes, read as a
  little-endian number, the last ones filled up with zeros; ``mix`` is the finaliser of SplitMix64 (Steele, Lea & Flood 2014);
- an n-gram ``w1 ... wn`` by ``state = mix(salt)``, then ``state = mix(state + h(w))`` for each word in order; sums wrap at 64 bits;
- its bucket is ``state mod buckets``.

The work is done by :mod:`acclimate.features.word_kernels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from acclimate.errors import InputError
from acclimate.features.word_kernels import Hashing, encode

if TYPE_CHECKING:  # scipy takes a tenth of a second to load, which other methods should not pay
    from scipy.sparse import csr_matrix


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
    from scipy.sparse import csr_matrix

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
