"""The words of :func:`acclimate.data.words.folded_words` as numbers, compiled where a text is ASCII."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from acclimate.data.wide import mix
from acclimate.data.words import folded_words

Integers = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclasses.dataclass(frozen=True, eq=False)
class Folded:
    """The words of ``n`` texts.

    Attributes:
        starts: ``(n + 1,)`` where the words of each text begin.
        words: 64-bit hashes of all words, in order.
        unspaced: whether each is a single character of a script that is written without spaces.
        wholes: ``(n,)`` a hash of each text's words in order.
    """

    starts: Integers
    words: Hashes
    unspaced: NDArray[np.bool_]
    wholes: Hashes

    def __len__(self) -> int:
        return len(self.wholes)


def fold_texts(texts: Sequence[str]) -> Folded:
    """The folded words of texts: FNV-1a (Fowler, Noll & Vo) of their UTF-8, mixed; the same in every process and on every machine.

    >>> one, other = fold_texts(["Hello, WORLD!"]), fold_texts(["hello world", "好"])
    >>> one.words.tolist() == other.words[:2].tolist(), bool(one.wholes[0] == other.wholes[0]), other.unspaced.tolist()
    (True, True, [False, False, True])
    """
    plain = np.fromiter(map(str.isascii, texts), np.bool_, len(texts))
    pieces = [
        text.encode() if ascii_ else " ".join(folded_words(text)).encode("utf-8", "surrogatepass")
        for text, ascii_ in zip(texts, plain.tolist(), strict=True)
    ]
    bounds = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum([len(piece) for piece in pieces], out=bounds[1:])
    return Folded(*_fold(np.frombuffer(b"".join(pieces) or b" ", np.uint8), bounds, plain, _signs()))


def _signs() -> NDArray[np.uint8]:
    """What each ASCII byte is in a word: its lower case; 0 where it is no part of one."""
    table = np.zeros(256, np.uint8)
    for sign in b"abcdefghijklmnopqrstuvwxyz0123456789":
        table[sign] = sign
    table[ord("A") : ord("Z") + 1] = table[ord("a") : ord("z") + 1]
    return table


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _is_unspaced(data: NDArray[np.uint8], start: int, stop: int) -> Any:  # pragma: no cover - compiled
    """Whether a word is one character of Han, its marks and numerals, or kana; the ranges of :mod:`acclimate.data.words`."""
    size, first = stop - start, np.int64(data[start])
    if size == 3 and 0xE0 <= first < 0xF0:
        point = (first & 15) << 12 | np.int64(data[start + 1] & 63) << 6 | np.int64(data[start + 2] & 63)
        return (
            0x3005 <= point <= 0x3007
            or 0x3041 <= point <= 0x30FF
            or 0x31F0 <= point <= 0x31FF
            or 0x3400 <= point <= 0x4DBF
            or 0x4E00 <= point <= 0x9FFF
            or 0xF900 <= point <= 0xFAFF
        )
    if size == 4 and first >= 0xF0:
        point = (first & 7) << 18 | np.int64(data[start + 1] & 63) << 12 | np.int64(data[start + 2] & 63) << 6
        return 0x20000 <= point <= 0x3FFFF
    return False


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _fold(
    data: NDArray[np.uint8], bounds: Integers, plain: NDArray[np.bool_], signs: NDArray[np.uint8]
) -> Any:  # pragma: no cover - compiled
    basis, prime = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
    n = len(plain)
    starts, wholes = np.zeros(n + 1, np.int64), np.zeros(n, np.uint64)
    words, unspaced = np.empty(len(data) // 2 + n + 1, np.uint64), np.empty(len(data) // 2 + n + 1, np.bool_)
    count = 0
    for row in range(n):
        place, stop, whole = bounds[row], bounds[row + 1], basis
        while place < stop:
            begin, value = place, basis
            while place < stop:
                byte = data[place]
                sign = signs[byte] if plain[row] else (byte if byte != 32 else np.uint8(0))
                if sign == 0:
                    break
                value = (value ^ np.uint64(sign)) * prime
                place += 1
            if place > begin:
                words[count] = mix(value)
                unspaced[count] = _is_unspaced(data, begin, place)
                whole = mix(whole + words[count])
                count += 1
            place += 1
        starts[row + 1], wholes[row] = count, whole
    return starts, words[:count].copy(), unspaced[:count].copy(), wholes
