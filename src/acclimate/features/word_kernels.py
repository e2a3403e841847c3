"""The rule of :mod:`acclimate.features.tokenize` and the hash of :mod:`acclimate.features.ngrams`, compiled, on UTF-8 bytes.

The kernels release the interpreter's lock, read the buffers of an Arrow array without copying, and give for every text what the
plain Python of those two modules gives. Texts in ASCII are read as they are; of others, NFC and lower case are made by Python's own
tables first (:func:`encode`), so that the kernels need to know classes of characters only.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from acclimate.data.utf8 import are_ascii
from acclimate.data.wide import PADDING, eight, high_product, lowest, mix, padded, word_signs
from acclimate.engine.splitmix import GAMMA
from acclimate.features.tokenize import CJK, fold, mark_class, plain_word_pattern, word_pattern

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]
Hashes = NDArray[np.uint64]
#: ``"words"``: as :func:`acclimate.features.tokenize.words`; ``"runs"``: of lower-cased text, runs of ``\\w`` and of punctuation.
Rule = Literal["words", "runs"]

_LETTER, _DIGIT, _JOINT, _POINT, _MARK, _CJK, _WORD, _SPACE = (1 << bit for bit in range(8))
#: What the hash of a word begins with.
_SEED = GAMMA
_ONE, _EIGHT, _LAST, _WINDOW = np.uint64(1), np.uint64(8), np.uint64(63), np.uint64(64)


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """``n`` texts ready for the kernels.

    Attributes:
        data: bytes in which the texts stand, as UTF-8, and padding; those not in ASCII are folded.
        starts, stops: ``(n,)`` where each of them begins and ends.
        plain: ``(n,)`` whether a text is ASCII throughout.
    """

    data: Bytes
    starts: Integers
    stops: Integers
    plain: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.plain)

    @property
    def parts(self) -> tuple[Bytes, Integers, Integers, NDArray[np.bool_]]:
        """What every kernel begins with."""
        return self.data, self.starts, self.stops, self.plain

    @classmethod
    def of(cls, data: Bytes, starts: Integers, stops: Integers, rule: Rule = "words") -> Self:
        """Texts where they stand in a buffer of bytes; only those that are not ASCII are copied."""
        plain = are_ascii(data, starts, stops)
        if plain.all():
            return cls(padded(data, int(stops.max(initial=0))), starts, stops, plain)
        change: Callable[[str], str] = fold if rule == "words" else str.lower
        rows = np.flatnonzero(~plain)
        folded = [
            change(data[starts[row] : stops[row]].tobytes().decode("utf-8", "surrogatepass")).encode("utf-8", "surrogatepass")
            for row in rows
        ]
        bounds = len(data) + np.cumsum([0, *map(len, folded)])
        starts, stops = starts.copy(), stops.copy()
        starts[rows], stops[rows] = bounds[:-1], bounds[1:]
        joined = np.frombuffer(b"".join([*folded, bytes(PADDING)]), np.uint8)
        return cls(np.concatenate([data, joined]), starts, stops, plain)


def encode(texts: Sequence[str] | pa.Array | pa.ChunkedArray, rule: Rule = "words") -> Encoded:
    """Texts (strings, or an Arrow array of them without nulls) for the kernels; an Arrow array's bytes are not copied."""
    if isinstance(texts, pa.ChunkedArray):  # putting chunks together copies even a single one
        texts = texts.chunk(0) if texts.num_chunks == 1 else texts.combine_chunks()
    if isinstance(texts, pa.Array):
        array = texts if pa.types.is_string(texts.type) else texts.cast(pa.large_string())
    else:
        try:
            array = pa.array(texts, pa.large_string())
        except UnicodeEncodeError:  # lone surrogates: Arrow refuses them as strings
            array = pa.array([text.encode("utf-8", "surrogatepass") for text in texts], pa.large_binary())
    nothing = np.zeros(0, np.uint8)
    if not len(array):
        return Encoded.of(nothing, np.zeros(0, np.int64), np.zeros(0, np.int64), rule)
    _, offset_buffer, data_buffer = array.buffers()
    width = np.int32 if pa.types.is_string(array.type) else np.int64
    offsets = np.frombuffer(offset_buffer, width)[array.offset : array.offset + len(array) + 1].astype(np.int64, copy=False)
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None and len(data_buffer) else nothing
    return Encoded.of(data, offsets[:-1], offsets[1:], rule)


def word_hashes(texts: Encoded) -> tuple[Integers, Hashes, Integers]:
    """The hash of every word of ``n`` texts, by the rule ``"words"``.

    Returns:
        where the words of each text begin, ``(n + 1,)``; their hashes, in order; and how many of each text's words are single
        characters of a script that is split by character, ``(n,)``.
    """
    return _hashes(*texts.parts, _classes_for(texts))  # type: ignore[no-any-return]  # compiled


@dataclasses.dataclass(frozen=True)
class Hashing:
    """Which n-grams are counted, and into which buckets.

    Attributes:
        buckets: how many.
        orders: lengths of the n-grams.
        salt: another salt, another assignment to buckets.
        rule: how a text is split into words.
    """

    buckets: int
    orders: tuple[int, ...] = (1, 2)
    salt: int = 0
    rule: Rule = "words"

    def count(self, texts: Encoded, table: NDArray[np.uint32] | None = None) -> NDArray[np.uint32]:
        """How often each bucket occurs in the texts, ``(buckets,)``, added to ``table`` where one is given."""
        counts = np.zeros(self.buckets, np.uint32) if table is None else table
        _count(texts.parts, self._plan(texts), counts)
        return counts

    def sum(self, texts: Encoded, values: NDArray[np.float32]) -> tuple[NDArray[np.float64], Integers]:
        """The sum of ``values (buckets,)`` over the n-grams of each text, and how many n-grams it has, both ``(n,)``."""
        sums, sizes = np.zeros(len(texts)), np.zeros(len(texts), np.int64)
        _sum(texts.parts, self._plan(texts), values, sums, sizes)
        return sums, sizes

    def rows(self, texts: Encoded) -> tuple[Integers, NDArray[np.int32]]:
        """Where the n-grams of each text begin, ``(n + 1,)``, and their buckets; shorter orders first, in the order of the text."""
        sizes = np.zeros(len(texts) + 1, np.int64)
        found = _rows(texts.parts, self._plan(texts), sizes)
        return np.cumsum(sizes), found

    def best(self, texts: Encoded, values: NDArray[np.float32], shown: int) -> list[list[tuple[str, float]]]:
        """The distinct n-grams of each text with the largest ``values (buckets,)``, ``shown`` at most; of equals the first."""
        spans, found = _best(texts.parts, self._plan(texts), values, shown)
        names = self._spelt_all(texts, spans.reshape(-1, 2), np.repeat(texts.plain, shown))
        pairs = iter(zip(names, found.ravel().tolist(), strict=True))
        return [[pair for pair in itertools.islice(pairs, shown) if pair[0]] for _ in range(len(texts))]

    def _spelt_all(self, texts: Encoded, spans: Integers, plain: NDArray[np.bool_]) -> list[str]:
        """The n-grams that stand at places ``(m, 2)`` of the texts; nothing where a place ends at 0."""
        bounds, joined, simple = _cut_out(texts.data, spans, plain)
        found = pa.Array.from_buffers(pa.string(), len(spans), [None, pa.py_buffer(bounds), pa.py_buffer(joined)]).to_pylist()
        for row in np.flatnonzero(~simple).tolist():
            found[row] = self._spelt(found[row], bool(plain[row]))
        return found  # type: ignore[no-any-return]  # strings

    def _spelt(self, written: str, plain: bool) -> str:
        """The words of an n-gram that stands in a folded text, joined by a space."""
        if self.rule == "runs":
            return " ".join(_RUNS.findall(written))
        return " ".join((plain_word_pattern() if plain else word_pattern()).findall(written))

    def _plan(self, texts: Encoded) -> tuple[Any, ...]:
        """The settings as the kernels take them: classes of characters, rule, orders that are wanted, salt, number of buckets."""
        orders = sorted(set(self.orders))
        wanted = np.zeros(orders[-1] + 1, np.bool_)
        wanted[orders] = True
        salt = np.uint64(self.salt & (2**64 - 1))
        return _classes_for(texts), self.rule == "words", wanted, salt, Divisor.of(self.buckets).parts


@dataclasses.dataclass(frozen=True)
class Divisor:
    """Remainders by a fixed number without dividing (Granlund & Montgomery 1994, figure 4.1).

    Attributes:
        parts: the number, its multiplier and shift; a multiplier of 0 stands for a power of two.
    """

    parts: tuple[Any, ...]

    @classmethod
    def of(cls, number: int) -> Self:
        """Any number from 1 to 2**63."""
        if number & (number - 1) == 0:
            return cls((np.uint64(number), np.uint64(0), np.uint64(0)))
        bits = (number - 1).bit_length()
        multiplier = (2**64 * (2**bits - number)) // number + 1
        return cls((np.uint64(number), np.uint64(multiplier), np.uint64(bits - 1)))


_RUNS = re.compile(r"\w+|[^\w\s]+")


def _classes_for(texts: Encoded) -> Bytes:
    """The classes of the characters that may occur; those of all take a while to be made."""
    return _ascii_classes() if texts.plain.all() else _classes()


@functools.cache
def _ascii_classes() -> Bytes:
    """The classes of the characters below 128, ``(128,)``."""
    return _classes_of("".join(map(chr, range(128))), 128)


@functools.cache
def _classes() -> Bytes:
    """The classes of all characters, by code point."""
    alphabet = "".join(map(chr, (*range(0xD800), *range(0xE000, sys.maxunicode + 1))))
    return _classes_of(alphabet, sys.maxunicode + 1)


def _classes_of(alphabet: str, size: int) -> Bytes:
    table = np.zeros(size, np.uint8)
    patterns = {
        _LETTER: rf"[^\W_{CJK}]+",
        _DIGIT: r"\d+",
        _JOINT: "['\u2019\u200c\u200d]+",
        _POINT: "[.,]+",
        **({_MARK: f"{mark_class()}+"} if size > 128 else {}),  # listing all marks takes time, and none of them is ASCII
        _CJK: f"[{CJK}]+",
        _WORD: r"\w+",
        _SPACE: r"\s+",
    }
    for bit, pattern in patterns.items():
        for run in re.finditer(pattern, alphabet):
            first, last = ord(run[0][0]), ord(run[0][-1])
            table[first : last + 1] |= bit
    return table


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]  # numba has no types
def _word_hash(data: Bytes, start: Any, stop: Any, plain: bool) -> Any:  # pragma: no cover - compiled
    """The hash of the word between two places, lower-cased where it is ASCII (others are folded already)."""
    state = _SEED
    left = stop - start
    while True:
        chunk = eight(data, start)
        if left < _EIGHT:
            chunk &= (_ONE << (left << np.uint64(3))) - _ONE
        if plain:  # bit 5 into every byte from A to Z: adding tells them, since no byte of ASCII carries into the next one
            capital = (chunk + np.uint64(0x3F3F3F3F3F3F3F3F)) & ~(chunk + np.uint64(0x2525252525252525))
            chunk |= (capital & np.uint64(0x8080808080808080)) >> np.uint64(2)
        state = mix(state ^ chunk)
        if left <= _EIGHT:
            return state
        start += _EIGHT
        left -= _EIGHT


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _plain_spans(data: Bytes, start: int, stop: int, begins: Hashes, ends: Hashes) -> Any:  # pragma: no cover - compiled
    """Where the words of an ASCII text begin and end; gives their number.

    64 bytes at a time, without a branch for each byte: words are so short that guessing wrongly where each ends costs more than all
    else. A sign inside a word is told by its neighbours, so the masks of three windows meet at their borders.
    """
    begun = ended = np.uint64(0)
    inside = letter_before = digit_before = np.uint64(0)
    place, end = np.uint64(start), np.uint64(stop)
    if place >= end:
        return np.int64(0)
    letters, digits, quotes, points = word_signs(data, place)
    while place < end:
        left = end - place
        if left < _WINDOW:
            within = (_ONE << left) - _ONE
            letters, digits, quotes, points = letters & within, digits & within, quotes & within, points & within
        next_letters = next_digits = next_quotes = next_points = np.uint64(0)
        if left > _WINDOW:
            next_letters, next_digits, next_quotes, next_points = word_signs(data, place + _WINDOW)
        after_letter, after_digit = (letters << _ONE) | letter_before, (digits << _ONE) | digit_before
        before_letter = (letters >> _ONE) | (next_letters << _LAST)
        before_digit = (digits >> _ONE) | (next_digits << _LAST)
        belongs = letters | (quotes & after_letter & before_letter) | (points & after_digit & before_digit)
        shifted = (belongs << _ONE) | inside
        first, over = belongs & ~shifted, ~belongs & shifted
        while first != 0:
            begins[begun] = place + lowest(first)
            begun += _ONE
            first &= first - _ONE
        while over != 0:
            ends[ended] = place + lowest(over)
            ended += _ONE
            over &= over - _ONE
        inside, letter_before, digit_before = belongs >> _LAST, letters >> _LAST, digits >> _LAST
        letters, digits, quotes, points = next_letters, next_digits, next_quotes, next_points
        place += _WINDOW
    if ended < begun:
        ends[ended] = end
    return np.int64(begun)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _character(data: Bytes, place: int, stop: int) -> Any:  # pragma: no cover - compiled
    """(code point, bytes) of the character of valid UTF-8 that begins at ``place``; (0, 1) at the end."""
    if place >= stop:
        return 0, 1
    first = np.int64(data[place])
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | np.int64(data[place + 1] & 0x3F), 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | np.int64(data[place + 1] & 0x3F) << 6 | np.int64(data[place + 2] & 0x3F), 3
    high = (first & 0x07) << 18 | np.int64(data[place + 1] & 0x3F) << 12
    return high | np.int64(data[place + 2] & 0x3F) << 6 | np.int64(data[place + 3] & 0x3F), 4


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _word_end(data: Bytes, place: int, stop: int, classes: Bytes) -> Any:  # pragma: no cover - compiled
    """Where the word that begins at ``place`` ends; ``place`` itself where none begins."""
    point, size = _character(data, place, stop)
    kind = classes[point]
    if kind & _CJK:
        place += size
        while place < stop:
            point, size = _character(data, place, stop)
            if not classes[point] & _MARK:
                break
            place += size
        return place
    if not kind & _LETTER:
        return place
    while place < stop:
        place += size
        last = kind
        point, size = _character(data, place, stop)
        kind = classes[point] if place < stop else np.uint8(0)
        if kind & (_LETTER | _MARK):
            continue
        following, _ = _character(data, place + size, stop)
        after = classes[following] if place + size < stop else np.uint8(0)
        if (kind & _JOINT and after & _LETTER) or (kind & _POINT and last & _DIGIT and after & _DIGIT):
            continue
        break
    return min(place, stop)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _run_end(data: Bytes, place: int, stop: int, classes: Bytes) -> Any:  # pragma: no cover - compiled
    """Where the run of word characters, or of punctuation, that begins at ``place`` ends; ``place`` itself at a space."""
    point, size = _character(data, place, stop)
    kind = classes[point] & (_WORD | _SPACE)
    while not kind & _SPACE and place < stop:
        place += size
        point, size = _character(data, place, stop)
        if place >= stop or classes[point] & (_WORD | _SPACE) != kind:
            break
    return place


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _spans(
    data: Bytes, start: int, stop: int, classes: Bytes, by_words: bool, plain: bool, words: Hashes, spans: Any
) -> Any:  # pragma: no cover - compiled
    """Hash and place of every word of a text; gives their number. Where ``spans`` is empty, places are not kept."""
    count = 0
    place = start
    while place < stop:
        end = _word_end(data, place, stop, classes) if by_words else _run_end(data, place, stop, classes)
        if end == place:
            place += _character(data, place, stop)[1]
            continue
        words[count] = _word_hash(data, np.uint64(place), np.uint64(end), plain)
        if len(spans):
            spans[count, 0], spans[count, 1] = place, end
        count += 1
        place = end
    return count


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _buckets(
    words: Hashes, count: int, wanted: Any, salt: Any, divisor: Any, states: Hashes, found: Any
) -> Any:  # pragma: no cover - compiled
    """The bucket of every n-gram of a text, shorter orders first; gives their number."""
    number, multiplier, shift = divisor
    total = 0
    base = mix(salt)
    for place in range(count):
        states[place] = base
    for order in range(1, len(wanted)):
        size = count - order + 1
        if size <= 0:
            break
        for place in range(size):
            states[place] = mix(states[place] + words[place + order - 1])
        if not wanted[order]:
            continue
        if multiplier == 0:
            mask = number - np.uint64(1)
            for place in range(size):
                found[total + place] = np.uint32(states[place] & mask)
        else:
            for place in range(size):
                state = states[place]
                high = high_product(multiplier, state)
                quotient = (high + ((state - high) >> np.uint64(1))) >> shift
                found[total + place] = np.uint32(state - quotient * number)
        total += size
    return total


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _longest(starts: Integers, stops: Integers) -> Any:  # pragma: no cover - compiled
    longest = 0
    for row in range(len(starts)):
        longest = max(longest, stops[row] - starts[row])
    return longest


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _words(
    data: Bytes, start: int, stop: int, classes: Bytes, by_words: bool, plain: bool, words: Hashes, spans: Any
) -> Any:  # pragma: no cover - compiled
    """Hashes of the words of a text; gives their number. ``spans`` is room for their places."""
    if not (plain and by_words):
        return _spans(data, start, stop, classes, by_words, plain, words, np.empty((0, 2), np.int64))
    begins, ends = spans
    count = _plain_spans(data, start, stop, begins, ends)
    for word in range(count):
        words[word] = _word_hash(data, begins[word], ends[word], True)
    return count


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _hashes(data: Bytes, starts: Integers, stops: Integers, plain: Any, classes: Bytes) -> Any:  # pragma: no cover - compiled
    longest = _longest(starts, stops) + 1
    spans, places = np.empty((2, longest), np.uint64), np.empty((longest, 2), np.int64)
    bounds, characters = np.zeros(len(plain) + 1, np.int64), np.zeros(len(plain), np.int64)
    words = np.empty((stops - starts).sum() + len(plain) + 1, np.uint64)
    total = 0
    for row in range(len(plain)):
        if plain[row]:
            total += _words(data, starts[row], stops[row], classes, True, True, words[total:], spans)
        else:
            count = _spans(data, starts[row], stops[row], classes, True, False, words[total:], places)
            for word in range(count):
                point, _ = _character(data, places[word, 0], stops[row])
                characters[row] += (classes[point] & _CJK) != 0
            total += count
        bounds[row + 1] = total
    return bounds, words[:total], characters


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _room(texts: Any, how: Any) -> Any:  # pragma: no cover - compiled
    """Scratch space for the words of one text, their places, their states and the buckets of their n-grams."""
    longest = _longest(texts[1], texts[2]) + 1
    words, places, states = np.empty(longest, np.uint64), np.empty((2, longest), np.uint64), np.empty(longest, np.uint64)
    return words, places, states, np.empty(longest * how[2].sum(), np.uint32)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _ngrams(texts: Any, row: int, how: Any, room: Any) -> Any:  # pragma: no cover - compiled
    """Leave the buckets of a text's n-grams in ``room``; gives their number."""
    data, starts, stops, plain = texts
    classes, by_words, wanted, salt, divisor = how
    words, places, states, found = room
    count = _words(data, starts[row], stops[row], classes, by_words, plain[row], words, places)
    return _buckets(words, count, wanted, salt, divisor, states, found)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _count(texts: Any, how: Any, table: Any) -> None:  # pragma: no cover - compiled
    room = _room(texts, how)
    found = room[3]
    for row in range(len(texts[3])):
        for place in range(_ngrams(texts, row, how, room)):
            table[found[place]] += np.uint32(1)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _sum(texts: Any, how: Any, values: Any, sums: Any, sizes: Any) -> None:  # pragma: no cover - compiled
    room = _room(texts, how)
    found = room[3]
    for row in range(len(texts[3])):
        total = _ngrams(texts, row, how, room)
        even = odd = 0.0  # two running sums: an addition need not wait for the one before it
        for place in range(0, total - 1, 2):
            even += values[found[place]]
            odd += values[found[place + 1]]
        if total % 2:
            even += values[found[total - 1]]
        sums[row], sizes[row] = even + odd, total


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _rows(texts: Any, how: Any, sizes: Any) -> Any:  # pragma: no cover - compiled
    room = _room(texts, how)
    kept = np.empty(max(16, len(texts[0]) // 3), np.int32)
    filled = 0
    for row in range(len(texts[3])):
        total = _ngrams(texts, row, how, room)
        if filled + total > len(kept):
            larger = np.empty(2 * (filled + total), np.int32)
            larger[:filled] = kept[:filled]
            kept = larger
        for place in range(total):
            kept[filled + place] = room[3][place]
        filled += total
        sizes[row + 1] = total
    return kept[:filled].copy()


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _best(texts: Any, how: Any, values: Any, shown: int) -> Any:  # pragma: no cover - compiled
    """Place ``(n, shown, 2)`` and value ``(n, shown)`` of the best n-grams; an end of 0 where there are fewer."""
    data, starts, stops, plain = texts
    classes, by_words, wanted, salt, divisor = how
    words, ends, states, found = _room(texts, how)
    spans = np.empty((len(words), 2), np.int64)
    places, best = np.zeros((len(plain), shown, 2), np.int64), np.zeros((len(plain), shown))
    chosen = np.zeros(shown, np.uint32)
    for row in range(len(plain)):
        if plain[row] and by_words:
            count = _words(data, starts[row], stops[row], classes, True, True, words, ends)
        else:
            count = _spans(data, starts[row], stops[row], classes, by_words, plain[row], words, spans)
            for word in range(count):
                ends[0, word], ends[1, word] = spans[word, 0], spans[word, 1]
        _buckets(words, count, wanted, salt, divisor, states, found)
        kept = at = 0
        for order in range(1, len(wanted)):
            if not wanted[order]:
                continue
            for place in range(count - order + 1):
                bucket = found[at]
                at += 1
                value = values[bucket]
                known = False
                for other in range(kept):
                    known = known or chosen[other] == bucket
                if known or (kept == shown and value <= best[row, kept - 1]):
                    continue
                slot = min(kept, shown - 1)
                while slot > 0 and best[row, slot - 1] < value:
                    best[row, slot], chosen[slot] = best[row, slot - 1], chosen[slot - 1]
                    places[row, slot] = places[row, slot - 1]
                    slot -= 1
                best[row, slot], chosen[slot] = value, bucket
                places[row, slot, 0], places[row, slot, 1] = ends[0, place], ends[1, place + order - 1]
                kept = min(kept + 1, shown)
    return places, best


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _cut_out(data: Bytes, spans: Integers, plain: Any) -> Any:  # pragma: no cover - compiled
    """What stands between places, lower-cased where it is ASCII; and whether it is words of ASCII with single signs between them,
    all of which are spaces.
    """
    bounds, simple = np.zeros(len(spans) + 1, np.int32), np.ones(len(spans), np.bool_)
    joined = np.empty((spans[:, 1] - spans[:, 0]).sum(), np.uint8)
    at = 0
    for row in range(len(spans)):
        simple[row] = plain[row] or spans[row, 1] == 0
        space = False
        for byte in data[spans[row, 0] : spans[row, 1]]:
            if 65 <= byte <= 90 and plain[row]:
                byte |= 32
            word = 97 <= byte <= 122 or 48 <= byte <= 57
            simple[row] = simple[row] and (word or (byte == 32 and not space))
            space = not word
            joined[at] = byte
            at += 1
        bounds[row + 1] = at
    return bounds, joined, simple
