"""JSON lines of a shard, read in one buffer that is used again; and chosen lines of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from acclimate.data.bad_rows import BadRows, Place
from acclimate.data.json_columns import BLANK, READ, scan
from acclimate.data.pieces import BLOCK_BYTES, Bytes, Integers, Piece, Wanted, are_usable, checked, merged, strings_table
from acclimate.data.read import checked_start, line_object
from acclimate.data.shards import Ranged, Shard, chunks_of, lines_before, opened
from acclimate.data.wide import PADDING

_NEWLINE = 10


def line_pieces(shard: Shard, wanted: Wanted, bad_rows: BadRows, hasher: Any) -> Iterator[Piece]:
    used = wanted.columns.used()
    lines, first_line = 0, FirstLine(shard)
    raw = bytearray()
    for buffer, length, offset in whole_lines(shard):
        if len(raw) < length:
            raw = bytearray(len(buffer))
        with memoryview(buffer) as view:
            raw[:length] = view[:length]  # scanning changes the lines that it reads
            hasher.update(view[:length])
        block = np.frombuffer(buffer, np.uint8)
        scanned = scan(block, length, list(used.values()))
        numbers = np.flatnonzero(scanned.status != BLANK)
        spans = {role: (scanned.starts[k][numbers], scanned.stops[k][numbers]) for k, role in enumerate(used)}
        usable = are_usable(block, spans, scanned.status[numbers] == READ)
        found = []
        for record in np.flatnonzero(~usable).tolist():
            line = int(numbers[record])
            place = Place(shard.file, "line", first_line(offset) + lines + line + 1)
            value = line_object(bytes(raw[scanned.ends[line] : scanned.ends[line + 1]]), place, bad_rows)
            if value is not None:
                found.append((record, place, value))
        good = strings_table(block, {role: (starts[usable], stops[usable]) for role, (starts, stops) in spans.items()})
        table, places = merged(good, np.flatnonzero(usable), *checked(found, wanted, shard, bad_rows))
        yield Piece(table, places, len(numbers))
        lines += len(scanned.status)


class FirstLine:
    """How many lines of the file come before a shard's first one; counted when a message needs it."""

    def __init__(self, shard: Shard) -> None:
        self._shard, self._count = shard, -1

    def __call__(self, offset: int) -> int:
        """``offset``: where the shard's first line begins."""
        if self._count < 0:
            self._count = 0 if self._shard.first else lines_before(self._shard.file, offset)
        return self._count


def whole_lines(shard: Shard) -> Iterator[tuple[bytearray, int, int]]:
    """The lines that begin in a shard, in a buffer that is used again.

    Yields the buffer, of which the first ``n`` bytes are whole lines and some padding follows; ``n``; and where the first of all
    these lines begins in the file.
    """
    if shard.compression:
        with contextlib.closing(Ranged(chunks_of(shard))) as decoded:
            yield from _lines_of(decoded.readinto, shard, 0, None)
        return
    with opened(shard.file) as handle:
        first = _first_line_start(handle, shard)
        if first is not None:
            handle.seek(first)
            yield from _lines_of(handle.readinto, shard, first, shard.stop)  # type: ignore[attr-defined]  # of binary files


def _first_line_start(handle: IO[bytes], shard: Shard) -> int | None:
    """Where the first line begins that begins in the shard; None if none does."""
    if shard.start == 0:
        return 0
    place = shard.start - 1
    handle.seek(place)
    while chunk := handle.read(1 << 16):
        newline = chunk.find(b"\n")
        if newline >= 0:
            return place + newline + 1 if place + newline + 1 < shard.stop else None
        place += len(chunk)
    return None


def _lines_of(
    read: Callable[[Any], int | None], shard: Shard, first: int, stop: int | None
) -> Iterator[tuple[bytearray, int, int]]:
    """Lines from where ``read`` stands, to the end or the last one that begins before ``stop``."""
    buffer, held, offset, fresh = bytearray(BLOCK_BYTES + PADDING), 0, first, True
    while True:
        if held + PADDING + 1 >= len(buffer):
            buffer = buffer + bytes(len(buffer))  # a new one: arrays may still look at the old one
        with memoryview(buffer) as view:
            got = read(view[held : len(buffer) - PADDING - 1]) or 0
        if fresh and got and shard.first:
            start = len(buffer[:got]) - len(checked_start(shard.file, bytes(buffer[:got])))
            if start:
                buffer[: got - start], got = buffer[start:got], got - start
        held, fresh = held + got, False
        if not got and held and buffer[held - 1] != _NEWLINE:
            buffer[held] = _NEWLINE  # the last line of a file may lack its end
            held += 1
        last = stop is not None and offset + held >= stop
        end = buffer.find(b"\n", max(0, stop - 1 - offset), held) + 1 if stop is not None and last else 0
        end = end or buffer.rfind(b"\n", 0, held) + 1
        done = not got or (stop is not None and offset + end >= stop)
        if end and (done or held >= BLOCK_BYTES // 2):
            yield buffer, end, first
            with memoryview(buffer) as view:
                view[: held - end] = bytes(view[end:held])
            held, offset = held - end, offset + end
        if done:
            return


def chosen_lines(shard: Shard, positions: Integers) -> Iterator[bytes]:
    """The lines of chosen records; blank lines are no records."""
    record = 0
    for buffer, length, _ in whole_lines(shard):
        starts, stops = _filled_lines(np.frombuffer(buffer, np.uint8)[:length])
        here = positions[(positions >= record) & (positions < record + len(starts))] - record
        for row in here.tolist():
            yield bytes(memoryview(buffer)[starts[row] : stops[row]])
        record += len(starts)


def _filled_lines(block: Bytes) -> tuple[Integers, Integers]:
    """Where each line that is not blank begins and ends."""
    stops = np.flatnonzero(block == _NEWLINE)
    starts = np.concatenate([[0], stops[:-1] + 1])
    filled = _are_filled(block, starts, stops)
    return starts[filled], stops[filled]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _are_filled(block: Bytes, starts: Integers, stops: Integers) -> NDArray[np.bool_]:  # pragma: no cover - compiled
    filled = np.zeros(len(starts), np.bool_)
    for row in range(len(starts)):
        for byte in block[starts[row] : stops[row]]:
            if not (byte == 32 or byte == 9 or byte == 13):
                filled[row] = True
                break
    return filled
