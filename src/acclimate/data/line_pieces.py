"""JSON lines of a shard, read in one buffer that is used again; and chosen lines of it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from acclimate.data.bad_rows import BadRows, Place
from acclimate.data.json_columns import BLANK, READ, Scanned, scan
from acclimate.data.pieces import BLOCK_BYTES, Bytes, Integers, Piece, Wanted, are_usable, checked, merged, plainly_strings
from acclimate.data.read import checked_start, line_object
from acclimate.data.shards import Ranged, Shard, chunks_of, lines_before, opened
from acclimate.data.wide import PADDING

_NEWLINE = 10
#: Chosen lines that lie closer than this are read at once.
_GAP = 8 << 10


def line_pieces(shard: Shard, wanted: Wanted, bad_rows: BadRows, hasher: Any) -> Iterator[Piece]:
    used = wanted.columns.used()
    lines, first_line, origin = 0, FirstLine(shard), -1
    for buffer, length, offset in whole_lines(shard):
        origin = offset if origin < 0 else origin
        with memoryview(buffer) as view:
            hasher.update(view[:length])
        block = np.frombuffer(buffer, np.uint8)
        scanned = scan(block, length, list(used.values()))
        numbers = np.flatnonzero(scanned.status != BLANK)
        good, usable = _quick(block, scanned, numbers, list(used))
        found = []
        for record in np.flatnonzero(~usable).tolist():
            line = int(numbers[record])
            place = Place(shard.file, "line", first_line(origin) + lines + line + 1)
            value = line_object(block[scanned.ends[line] : scanned.ends[line + 1]].tobytes(), place, bad_rows)
            if value is not None:
                found.append((record, place, value))
        table, places = merged(good, np.flatnonzero(usable), *checked(found, wanted, shard, bad_rows))
        ends = np.append(scanned.ends[numbers], length)
        yield Piece(table, places, len(numbers), None if shard.compression else offset + ends)
        lines += len(scanned.status)


def _quick(block: Bytes, scanned: Scanned, numbers: Integers, roles: Sequence[str]) -> tuple[pa.Table, NDArray[np.bool_]]:
    """The lines that need no closer look as a canonical table, ids null where there are none; and which of all they are."""
    usable = (scanned.status[numbers] == READ) & (scanned.starts[:, numbers] >= 0).all(axis=0)
    if not plainly_strings(roles):
        usable[:] = False
    lines, fine, arrays = numbers[usable], np.ones(int(usable.sum()), np.bool_), {}
    for place, role in enumerate(roles):
        bounds, joined = scanned.strings(block, place, lines)
        fine &= are_usable(joined, bounds[:-1].astype(np.int64), bounds[1:].astype(np.int64))
        arrays[role] = pa.Array.from_buffers(pa.string(), len(lines), [None, pa.py_buffer(bounds), pa.py_buffer(joined)])
    arrays.setdefault("id", pa.nulls(len(lines), pa.string()))
    usable[usable] = fine
    table = pa.table(arrays)
    return (table if fine.all() else table.filter(pa.array(fine))), usable


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

    Yields the buffer, of which the first ``n`` bytes are whole lines and some padding follows; ``n``; and where the first of them
    begins in the file, decompressed.
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
                buffer[: got - start], got, offset = buffer[start:got], got - start, offset + start
        held, fresh = held + got, False
        if not got and held and buffer[held - 1] != _NEWLINE:
            buffer[held] = _NEWLINE  # the last line of a file may lack its end
            held += 1
        last = stop is not None and offset + held >= stop
        end = buffer.find(b"\n", max(0, stop - 1 - offset), held) + 1 if stop is not None and last else 0
        end = end or buffer.rfind(b"\n", 0, held) + 1
        done = not got or (stop is not None and offset + end >= stop)
        if end and (done or held >= BLOCK_BYTES // 2):
            yield buffer, end, offset
            with memoryview(buffer) as view:
                view[: held - end] = bytes(view[end:held])
            held, offset = held - end, offset + end
        if done:
            return


def chosen_lines(shard: Shard, positions: Integers, offsets: Integers | None = None) -> Iterator[bytes]:
    """The lines of chosen records; blank lines are no records.

    Args:
        positions: of the records in the shard, ascending.
        offsets: of :class:`acclimate.data.pieces.Piece`, for all records of the shard: then nothing but the chosen lines is read.
    """
    if offsets is not None:
        yield from _lines_at(shard, offsets[positions], offsets[positions + 1])
        return
    record = 0
    for buffer, length, _ in whole_lines(shard):
        starts, stops = _filled_lines(np.frombuffer(buffer, np.uint8)[:length])
        here = positions[(positions >= record) & (positions < record + len(starts))] - record
        for row in here.tolist():
            yield bytes(memoryview(buffer)[starts[row] : stops[row]])
        record += len(starts)


def _lines_at(shard: Shard, starts: Integers, stops: Integers) -> Iterator[bytes]:
    """What stands between places of a file, ascending; neighbours are read together."""
    breaks = (np.flatnonzero(starts[1:] - stops[:-1] > _GAP) + 1).tolist()
    spans = list(zip(starts.tolist(), stops.tolist(), strict=True))
    with opened(shard.file) as handle:
        for begin, end in itertools.pairwise([0, *breaks, len(spans)]):
            if begin == end:
                continue
            first = spans[begin][0]
            handle.seek(first)
            read = handle.read(spans[end - 1][1] - first)
            for start, stop in spans[begin:end]:
                yield read[start - first : stop - first]


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
