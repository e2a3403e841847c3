"""Columns of strings out of JSON lines, straight from the bytes: what a pool of hundreds of gigabytes is read with.

A parser in Python makes an object of every value of every line; here only the wanted strings are touched. Every line is checked as
it is scanned: names, strings with their escapes, numbers, literals, separators. Lists and objects inside a line are checked for
balance and characters only. A line that the scan cannot vouch for (it is malformed, or does what is allowed and rare: an escaped
name, a wanted value that is no string) is left to a full parser, which then says what is wrong with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from acclimate.data.wide import PADDING, copy_64, lowest, string_stops

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]

#: What became of a line.
BLANK, READ, UNSURE = 0, 1, 2
_QUOTE, _BACKSLASH, _NEWLINE = 34, 92, 10
_WINDOW = np.uint64(64)
#: What the letter after a backslash stands for; 0 for nothing.
_ESCAPED = np.zeros(256, np.uint8)
for _letter, _meaning in zip('"\\/bfnrt', '"\\/\b\f\n\r\t', strict=True):
    _ESCAPED[ord(_letter)] = ord(_meaning)
#: Nested deeper, a line is left to the full parser.
_DEPTH = 60


@dataclasses.dataclass(frozen=True, eq=False)
class Scanned:
    """The lines of a block.

    Attributes:
        ends: ``(n + 1,)`` where each line begins in the block, and where the last one ends; the newline belongs to its line.
        status: ``(n,)`` of :data:`BLANK`, :data:`READ`, :data:`UNSURE`.
        starts, stops: ``(k, n)`` where the string under each of ``k`` names stands in the block; -1 where a line has none, or was
            not read.
        escaped: ``(k, n)`` whether it has escapes; all of them mean something.
    """

    ends: Integers
    status: Bytes
    starts: Integers
    stops: Integers
    escaped: NDArray[np.bool_]

    def strings(self, block: Bytes, name: int, lines: Integers) -> tuple[NDArray[np.int32], Bytes]:
        """The strings under a name of some lines, which have one, their escapes resolved: bounds ``(m + 1,)``, and bytes.

        Whether they are UTF-8 is not checked. Padding follows the last of them.
        """
        return _gathered(block, self.starts[name], self.stops[name], self.escaped[name], lines)  # type: ignore[no-any-return]


def scan(block: Bytes, length: int, names: Sequence[str]) -> Scanned:
    """Find the strings under some top-level names in a block of whole lines.

    Args:
        block: its first ``length`` bytes are whole lines, the last one a newline; :data:`.wide.PADDING` bytes follow.
        length: see there.
        names: of the wanted values.

    >>> from acclimate.data.wide import PADDING
    >>> text = b'{"a": "x", "b": 1}\\n\\n{"a": 2}\\n'
    >>> scanned = scan(np.frombuffer(bytearray(text + bytes(PADDING)), np.uint8), len(text), ["a"])
    >>> scanned.status.tolist(), scanned.starts.tolist(), scanned.stops.tolist()
    ([1, 0, 2], [[7, -1, -1]], [[8, -1, -1]])
    """
    encoded = [name.encode() for name in names]
    joined = np.frombuffer(b"".join(encoded), np.uint8)
    bounds = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    lines = _newlines(block, length)
    ends, status = np.zeros(lines + 1, np.int64), np.zeros(lines, np.uint8)
    starts, stops = np.full((len(names), lines), -1, np.int64), np.full((len(names), lines), -1, np.int64)
    escaped = np.zeros((len(names), lines), np.bool_)
    _scan(block, joined, bounds, ends, status, starts, stops, escaped)
    return Scanned(ends, status, starts, stops, escaped)


_compiled = njit(cache=True, nogil=True)


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _newlines(block: Bytes, length: int) -> Any:  # pragma: no cover - compiled
    count = 0
    for byte in block[:length]:
        count += byte == _NEWLINE
    return count


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _blank(block: Bytes, place: int) -> Any:  # pragma: no cover - compiled
    """The next place that is no white space; a newline is the end of the line, so none of these searches leaves it."""
    while block[place] == 32 or block[place] == 9 or block[place] == 13:
        place += 1
    return place


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _string_end(block: Bytes, place: int) -> Any:  # pragma: no cover - compiled
    """Where the string ends whose first character is at ``place``, -1 if it does not; and whether it has escapes."""
    escaped = False
    at = np.uint64(place)
    while True:
        ahead = string_stops(block, at)
        if ahead == 0:
            at += np.uint64(64)
            continue
        at += lowest(ahead)
        byte = block[at]
        if byte == _QUOTE:
            return np.int64(at), escaped
        if byte != _BACKSLASH or block[at + np.uint64(1)] < 32:
            return -1, escaped
        escaped = True
        at += np.uint64(2)


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _hexadecimal(block: Bytes, place: int, stop: int) -> Any:  # pragma: no cover - compiled
    """The number written in four hexadecimal digits; -1 if it is not."""
    if place + 4 > stop:
        return -1
    value = 0
    for byte in block[place : place + 4]:
        if 48 <= byte <= 57:
            digit = int(byte) - 48
        elif 97 <= (byte | 32) <= 102:
            digit = int(byte | 32) - 87
        else:
            return -1
        value = value * 16 + digit
    return value


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _escapes_hold(block: Bytes, place: int, stop: int) -> Any:  # pragma: no cover - compiled
    """Whether every escape in a string means something (RFC 8259, section 7); half of a surrogate pair means nothing."""
    while place < stop:
        if block[place] != _BACKSLASH:
            place += 1
            continue
        kind = block[place + 1]
        place += 2
        if kind == 117:
            point = _hexadecimal(block, place, stop)
            place += 4
            if point < 0 or 0xDC00 <= point < 0xE000:
                return False
            if 0xD800 <= point < 0xDC00:
                if place + 6 > stop or block[place] != _BACKSLASH or block[place + 1] != 117:
                    return False
                if not 0xDC00 <= _hexadecimal(block, place + 2, stop) < 0xE000:
                    return False
                place += 6
        elif _ESCAPED[kind] == 0:
            return False
    return True


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _copied(block: Bytes, place: int, stop: int, joined: Bytes, at: int) -> Any:  # pragma: no cover - compiled
    """Copy a string without escapes to ``at``, up to 63 bytes too many; gives its end there."""
    copied = np.uint64(0)
    while place + np.int64(copied) < stop:
        copy_64(block, np.uint64(place) + copied, joined, np.uint64(at) + copied)
        copied += _WINDOW
    return at + stop - place


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _unescaped(block: Bytes, place: int, stop: int, joined: Bytes, at: int) -> Any:  # pragma: no cover - compiled
    """Write a string whose escapes all hold to ``at``; gives its end there. What an escape stands for is never longer."""
    while place < stop:
        copy_64(block, np.uint64(place), joined, np.uint64(at))
        ahead = string_stops(block, np.uint64(place))
        step: Any = np.int64(lowest(ahead)) if ahead != 0 else np.int64(64)
        if step >= stop - place:
            return at + stop - place
        place, at = place + step, at + step
        if block[place] != _BACKSLASH:  # no escape within these 64 bytes
            continue
        kind = block[place + 1]
        place += 2
        if kind != 117:
            joined[at] = _ESCAPED[kind]
            at += 1
            continue
        point = _hexadecimal(block, place, stop)
        place += 4
        if 0xD800 <= point < 0xDC00:
            point = 0x10000 + ((point - 0xD800) << 10) + (_hexadecimal(block, place + 2, stop) - 0xDC00)
            place += 6
        at = _utf8(point, joined, at)
    return at


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _utf8(point: int, block: Bytes, at: int) -> Any:  # pragma: no cover - compiled
    """Write a character at ``at``; gives the place after it."""
    if point < 0x80:
        block[at] = point
        return at + 1
    if point < 0x800:
        block[at], block[at + 1] = 0xC0 | point >> 6, 0x80 | point & 0x3F
        return at + 2
    if point < 0x10000:
        block[at], block[at + 1], block[at + 2] = 0xE0 | point >> 12, 0x80 | (point >> 6) & 0x3F, 0x80 | point & 0x3F
        return at + 3
    block[at], block[at + 1] = 0xF0 | point >> 18, 0x80 | (point >> 12) & 0x3F
    block[at + 2], block[at + 3] = 0x80 | (point >> 6) & 0x3F, 0x80 | point & 0x3F
    return at + 4


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _digits(block: Bytes, place: int) -> Any:  # pragma: no cover - compiled
    while 48 <= block[place] <= 57:
        place += 1
    return place


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _number_end(block: Bytes, place: int) -> Any:  # pragma: no cover - compiled
    """Where the number that begins at ``place`` ends (RFC 8259, section 6); -1 if none does."""
    if block[place] == 45:
        place += 1
    end = _digits(block, place)
    if end == place or (block[place] == 48 and end > place + 1):
        return -1
    place = end
    if block[place] == 46:
        end = _digits(block, place + 1)
        if end == place + 1:
            return -1
        place = end
    if (block[place] | 32) == 101:
        place += 1
        if block[place] == 43 or block[place] == 45:
            place += 1
        end = _digits(block, place)
        if end == place:
            return -1
        place = end
    return place


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _literal_end(block: Bytes, place: int) -> Any:  # pragma: no cover - compiled
    """Where ``true``, ``false`` or ``null`` ends; -1 if there is none."""
    for literal in (b"true", b"false", b"null"):
        same = 0
        while same < len(literal) and block[place + same] == literal[same]:
            same += 1
        if same == len(literal):
            return place + same
    return -1


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _nested_end(block: Bytes, place: int) -> Any:  # pragma: no cover - compiled
    """Where the list or object that begins at ``place`` ends, by its brackets; -1 if it does not, or is nested too deeply."""
    kinds = np.uint64(0)  # a bit for each open bracket, 1 for an object
    depth = 0
    while True:
        byte = block[place]
        if byte == 123 or byte == 91:
            if depth == _DEPTH:
                return -1
            kinds = (kinds << np.uint64(1)) | np.uint64(byte == 123)
            depth += 1
        elif byte == 125 or byte == 93:
            if (kinds & np.uint64(1)) != np.uint64(byte == 125):
                return -1
            kinds >>= np.uint64(1)
            depth -= 1
            if depth == 0:
                return place + 1
        elif byte == _QUOTE:
            place, _ = _string_end(block, place + 1)
            if place < 0:
                return -1
        elif not (byte == 32 or byte == 9 or byte == 13 or 43 <= byte <= 58 or 97 <= (byte | 32) <= 122):
            return -1
        place += 1


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _value_end(block: Bytes, place: int) -> Any:  # pragma: no cover - compiled
    """Where the value that begins at ``place`` and is no string ends; -1 if none does."""
    byte = block[place]
    if byte == 123 or byte == 91:
        return _nested_end(block, place)
    if byte == 45 or 48 <= byte <= 57:
        return _number_end(block, place)
    return _literal_end(block, place)


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _which(block: Bytes, start: int, stop: int, names: Bytes, bounds: Integers) -> Any:  # pragma: no cover - compiled
    """The number of the wanted name that stands between two places; -1 for another one."""
    for k in range(len(bounds) - 1):
        if bounds[k + 1] - bounds[k] != stop - start:
            continue
        same = 0
        while same < stop - start and block[start + same] == names[bounds[k] + same]:
            same += 1
        if same == stop - start:
            return k
    return -1


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _line(block: Bytes, place: int, names: Bytes, bounds: Integers, found: Integers) -> Any:  # pragma: no cover - compiled
    """Read one line; gives its status and where it was left.

    Sets ``found (k, 3)``: where the string under each name begins and ends (-1 where it has none), and whether it has escapes.
    """
    found[:] = -1
    place = _blank(block, place)
    if block[place] == _NEWLINE:
        return BLANK, place
    if block[place] != 123:
        return UNSURE, place
    place = _blank(block, place + 1)
    more = block[place] != 125
    while more:
        if block[place] != _QUOTE:
            return UNSURE, place
        end, escaped = _string_end(block, place + 1)
        if end < 0 or escaped:
            return UNSURE, place
        wanted = _which(block, place + 1, end, names, bounds)
        place = _blank(block, end + 1)
        if block[place] != 58:
            return UNSURE, place
        place = _blank(block, place + 1)
        if block[place] == _QUOTE:
            start = place + 1
            end, escaped = _string_end(block, start)
            if end < 0 or (escaped and not _escapes_hold(block, start, end)):
                return UNSURE, place
            if wanted >= 0:  # the last of equal names counts
                found[wanted, 0], found[wanted, 1], found[wanted, 2] = start, end, escaped
            end += 1
        else:
            end = _value_end(block, place)
            if end < 0 or (wanted >= 0 and block[place] != 110):  # null is as good as absent; another value is the parser's
                return UNSURE, place
            if wanted >= 0:
                found[wanted, 0], found[wanted, 1] = -1, -1
        place = _blank(block, end)
        more = block[place] == 44
        if more:
            place = _blank(block, place + 1)
        elif block[place] != 125:
            return UNSURE, place
    place = _blank(block, place + 1)
    return (READ if block[place] == _NEWLINE else UNSURE), place


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _scan(
    block: Bytes, names: Bytes, bounds: Integers, ends: Integers, status: Bytes, starts: Integers, stops: Integers, escaped: Any
) -> None:  # pragma: no cover - compiled
    found = np.empty((len(bounds) - 1, 3), np.int64)
    place = 0
    for line in range(len(status)):
        status[line], place = _line(block, place, names, bounds, found)
        while block[place] != _NEWLINE:
            place += 1
        if status[line] == READ:
            for k in range(len(found)):
                starts[k, line], stops[k, line] = found[k, 0], found[k, 1]
                escaped[k, line] = found[k, 2] > 0
        place += 1
        ends[line + 1] = place


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _gathered(block: Bytes, starts: Integers, stops: Integers, escaped: Any, lines: Integers) -> Any:  # pragma: no cover - compiled
    bounds, total = np.zeros(len(lines) + 1, np.int32), 0
    for line in lines:
        total += stops[line] - starts[line]
    joined = np.empty(total + PADDING, np.uint8)
    at = 0
    for row in range(len(lines)):
        line = lines[row]
        if escaped[line]:
            at = _unescaped(block, starts[line], stops[line], joined, at)
        else:
            at = _copied(block, starts[line], stops[line], joined, at)
        bounds[row + 1] = at
    joined[at : at + PADDING] = 0
    return bounds, joined[: at + PADDING]
