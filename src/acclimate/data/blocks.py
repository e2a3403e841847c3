"""Shards to blocks of examples, one after another, in memory that does not grow; and chosen records of a shard, whole."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa
import xxhash
from numba import njit
from numpy.typing import NDArray

from acclimate.data.bad_rows import BadRows, Place
from acclimate.data.canonical import canonical_table
from acclimate.data.columns import Columns
from acclimate.data.domain import Domain, unify
from acclimate.data.json_columns import BLANK, READ, scan
from acclimate.data.read import checked_start, delimiter_of, header_names, line_object, record_problem, records_of, table_of
from acclimate.data.shards import SEPARATORS, Pool, Ranged, Shard, chunks_of, lines_before, opened, parquet_of
from acclimate.data.streams import decompressed
from acclimate.data.utf8 import are_ascii, are_valid
from acclimate.data.wide import PADDING
from acclimate.errors import InputError

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]

#: Bytes read at once, and rows of formats that are read by rows.
BLOCK_BYTES, BLOCK_ROWS = 2 << 20, 4096
_NEWLINE = 10
#: Roles that scoring may need; others are read when rows are written.
ROLES = ("label", "domain")


@dataclasses.dataclass(frozen=True, eq=False)
class Block:
    """Some records of a shard, in order.

    Attributes:
        domain: the usable ones.
        positions: ``(n,)`` the place of each of them among all records of the shard, bad ones counted.
        records: how many records of the shard end with this block, bad ones counted.
    """

    domain: Domain
    positions: Integers
    records: int


@dataclasses.dataclass
class Reading:
    """What one reading of a shard comes to know.

    Attributes:
        bad_rows: what was left out.
        digest: of the shard's bytes (of Parquet, of what was read of it), once it was read to its end.
    """

    bad_rows: BadRows
    digest: str = ""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which roles of a pool's examples are read.

    Attributes:
        columns: the user's column for each of them.
        domain: the pool's name.
    """

    columns: Columns
    domain: str

    @classmethod
    def of(cls, pool: Pool, roles: Sequence[str] = ()) -> Wanted:
        """What examples consist of, their ids, and some of :data:`ROLES`."""
        kept = {role: column for role, column in pool.columns.used().items() if role in ("text", "image", "messages", "id", *roles)}
        return cls(Columns(**kept), pool.name)


def blocks(shard: Shard, wanted: Wanted, reading: Reading, first_row: int = 0) -> Iterator[Block]:
    """The examples of a shard.

    Args:
        shard: what to read.
        wanted: which columns.
        reading: told about bad rows; gets the digest at the end.
        first_row: how many records of the file come before the shard: generated ids count from there.

    Raises:
        InputError: a bad row under the policy ``"fail"``; the message names the file and the line. Or the file is truncated.
    """
    hasher = xxhash.xxh3_128()
    if shard.kind == "jsonl":
        pieces = _line_pieces(shard, wanted, reading.bad_rows, hasher)
    elif shard.kind == "parquet":
        pieces = _parquet_pieces(shard, wanted, reading.bad_rows, hasher)
    else:
        pieces = _record_pieces(shard, wanted, reading.bad_rows, hasher)
    records = 0
    for piece in pieces:
        positions = records + piece.places
        records += piece.records
        table = piece.table
        if wanted.columns.id is None:
            numbers = pa.array(positions + first_row).cast(pa.string())
            table = table.set_column(table.schema.get_field_index("id"), "id", _prefixed(shard.prefix, numbers))
        yield Block(Domain(wanted.domain, table), positions, records)
    reading.digest = hasher.hexdigest()


def take(shard: Shard, pool: Pool, positions: Integers, first_row: int = 0) -> pa.Table:
    """Chosen records of a shard with all their columns, in order, as :func:`acclimate.data.load.load` gives them.

    Args:
        positions: ascending, of usable records.
    """
    bad_rows = BadRows("fail")
    rows = np.asarray(positions, dtype=np.int64)
    tables = [found for found in _whole_rows(shard, rows) if found.num_rows]
    table = unify(tables) if tables else pa.table({})
    ids = [f"{shard.prefix}:{first_row + position}" for position in rows.tolist()]
    folder = Path(shard.file).parent
    return canonical_table(
        table, pool.columns, ids, lambda row: Place(shard.file, "row", first_row + int(rows[row]) + 1), bad_rows, lambda _: folder
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Piece:
    """Usable rows as a canonical table, their places among ``records`` records."""

    table: pa.Table
    places: Integers
    records: int


def _prefixed(prefix: str, numbers: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(f"{prefix}:", numbers, "")


def _merged(good: pa.Table, good_places: Integers, slow: pa.Table, slow_places: Integers) -> tuple[pa.Table, Integers]:
    """Two canonical tables as one, in order of their places."""
    if not slow.num_rows:
        return good, good_places
    places = np.concatenate([good_places, slow_places])
    order = np.argsort(places, kind="stable")
    return unify([good, slow]).take(pa.array(order)), places[order]


def _checked(
    found: Sequence[tuple[int, Place, dict[str, Any]]], wanted: Wanted, shard: Shard, bad_rows: BadRows
) -> tuple[pa.Table, Integers]:
    """Records that need the slow way, as a canonical table of those that are usable, and their places."""
    if not found:
        return pa.table({}), np.zeros(0, np.int64)
    table = table_of([value for _, _, value in found])
    for column in wanted.columns.used().values():
        if column not in table.column_names:
            table = table.append_column(column, pa.nulls(len(found)))
    table = table.select(list(wanted.columns.used().values()))
    keys = [str(row) for row in range(len(found))]  # stand-ins, by which the rows that were kept are known
    folder = Path(shard.file).parent
    checked = canonical_table(
        table.append_column("\0row", pa.array(keys)), wanted.columns, keys, lambda row: found[row][1], bad_rows, lambda _: folder
    )
    kept = [int(row) for row in checked.column("\0row").to_pylist()]
    places = np.array([found[row][0] for row in kept], dtype=np.int64)
    return checked.drop_columns(["\0row"]), places


# JSON lines


def _line_pieces(shard: Shard, wanted: Wanted, bad_rows: BadRows, hasher: Any) -> Iterator[_Piece]:
    used = wanted.columns.used()
    lines, first_line = 0, _FirstLine(shard)
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
        usable = _are_usable(block, spans, scanned.status[numbers] == READ)
        found = []
        for record in np.flatnonzero(~usable).tolist():
            line = int(numbers[record])
            place = Place(shard.file, "line", first_line(offset) + lines + line + 1)
            value = line_object(bytes(raw[scanned.ends[line] : scanned.ends[line + 1]]), place, bad_rows)
            if value is not None:
                found.append((record, place, value))
        good = _strings_table(block, {role: (starts[usable], stops[usable]) for role, (starts, stops) in spans.items()})
        table, places = _merged(good, np.flatnonzero(usable), *_checked(found, wanted, shard, bad_rows))
        yield _Piece(table, places, len(numbers))
        lines += len(scanned.status)


class _FirstLine:
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


# CSV and TSV


def _record_pieces(shard: Shard, wanted: Wanted, bad_rows: BadRows, hasher: Any) -> Iterator[_Piece]:
    records, names, first_line = _records(shard, hasher)
    columns = wanted.columns.used()
    missing = next((column for column in columns.values() if column not in names), None)
    if missing is not None:
        role = next(role for role, column in columns.items() if column == missing)
        raise InputError(
            f"'{shard.file}' has no column '{missing}'",
            expected=f"the column that holds the {role}, as in the pool's first file",
            fix="give files of one layout, or name the column that all of them have",
        )
    while batch := list(itertools.islice(records, BLOCK_ROWS)):
        found = []
        for record, (line, fields) in enumerate(batch):
            place = Place(shard.file, "line", first_line(shard.start) + line)
            problem = record_problem(fields, len(names))
            if problem is not None:
                reason, expected, fix = problem
                bad_rows.reject(place, reason, expected=expected, fix=fix)
            else:
                found.append((record, place, dict(zip(names, fields, strict=True))))
        good, slow = _split_plain(found, columns)
        table, places = _checked(slow, wanted, shard, bad_rows)
        yield _Piece(
            *_merged(_plain_table(good, columns), np.array([row for row, _, _ in good], np.int64), table, places), len(batch)
        )


def _split_plain(found: Sequence[Any], columns: Mapping[str, str]) -> tuple[list[Any], list[Any]]:
    """Records whose wanted cells need no closer look, and the others: empty cells, and labels, which have several spellings."""
    if set(columns) - {"text", "id", "domain"}:
        return [], list(found)
    good = [one for one in found if all(not one[2][column].isspace() and one[2][column] for column in columns.values())]
    kept = {row for row, _, _ in good}
    return good, [one for one in found if one[0] not in kept]


def _plain_table(good: Sequence[Any], columns: Mapping[str, str]) -> pa.Table:
    arrays = {role: pa.array([value[column] for _, _, value in good], pa.string()) for role, column in columns.items()}
    arrays.setdefault("id", pa.nulls(len(good), pa.string()))
    return pa.table(arrays)


def _records(shard: Shard, hasher: Any) -> tuple[Iterator[tuple[int, Any]], list[str], _FirstLine]:
    """The records of a shard with the line in it on which each begins (1-based), and the names of the columns."""

    def noted() -> Iterator[bytes]:
        for place, chunk in enumerate(chunks_of(shard)):
            hasher.update(chunk)
            yield checked_start(shard.file, chunk) if shard.first and place == 0 else chunk

    header = _header(shard)
    separator = delimiter_of(header, SEPARATORS[shard.kind])
    records = records_of(io.BufferedReader(Ranged(noted()), BLOCK_BYTES), separator)
    named = next(records_of(io.BytesIO(header.encode("utf-8", "surrogateescape")), separator), (1, []))[1]
    names = header_names(shard.file, named if isinstance(named, list) else [])
    return itertools.islice(records, 1 if shard.first else 0, None), names, _FirstLine(shard)


def _header(shard: Shard) -> str:
    with opened(shard.file) as handle:
        data = b""
        for chunk in decompressed(shard.file, handle, shard.compression):
            data += chunk
            if b"\n" in data:
                break
    return checked_start(shard.file, data).split(b"\n", 1)[0].decode("utf-8", "surrogateescape")


# Parquet


def _parquet_pieces(shard: Shard, wanted: Wanted, bad_rows: BadRows, hasher: Any) -> Iterator[_Piece]:
    used = wanted.columns.used()
    for batch, first in _batches(shard, list(used.values())):
        for column in used.values():
            for buffer in batch.column(column).buffers():
                if buffer is not None:
                    hasher.update(memoryview(buffer))
        yield _parquet_piece(batch, first, shard, wanted, bad_rows)


def _parquet_piece(batch: pa.RecordBatch, first: int, shard: Shard, wanted: Wanted, bad_rows: BadRows) -> _Piece:
    used = wanted.columns.used()
    usable = np.zeros(len(batch), np.bool_)
    strings = {role: batch.column(column) for role, column in used.items()}
    if set(used) <= {"text", "id", "domain"} and all(
        pa.types.is_string(a.type) or pa.types.is_large_string(a.type) for a in strings.values()
    ):
        usable[:] = True
        for role, array in strings.items():
            large = array.cast(pa.large_string())
            offsets = np.frombuffer(large.buffers()[1], np.int64)[large.offset : large.offset + len(large) + 1]
            data = np.frombuffer(large.buffers()[2] or b"", np.uint8)
            present = ~np.asarray(large.is_null().to_numpy(zero_copy_only=False))
            usable &= _are_usable(data, {role: (offsets[:-1], offsets[1:])}, present)
    rows = np.flatnonzero(~usable).tolist()
    found = [(row, Place(shard.file, "row", first + row + 1), batch.slice(row, 1).to_pylist()[0]) for row in rows]
    good = pa.table(
        {role: array.filter(pa.array(usable)).cast(pa.string()) for role, array in strings.items()}
        if len(rows) < len(batch)
        else {}
    )
    if good.num_columns and "id" not in good.column_names:
        good = good.append_column("id", pa.nulls(good.num_rows, pa.string()))
    return _Piece(*_merged(good, np.flatnonzero(usable), *_checked(found, wanted, shard, bad_rows)), len(batch))


def _batches(shard: Shard, columns: list[str] | None) -> Iterator[tuple[pa.RecordBatch, int]]:
    """The rows of a shard in batches, each with the number of its first row in the file."""
    with opened(shard.file) as handle, parquet_of(shard.file, handle) as parquet:
        missing = next((column for column in columns or [] if column not in parquet.schema_arrow.names), None)
        if missing is not None:
            raise InputError(
                f"'{shard.file}' has no column '{missing}'",
                expected="the columns of the pool's first file",
                fix="give files of one layout, or name a column that all of them have",
            )
        row = sum(parquet.metadata.row_group(k).num_rows for k in range(shard.start))
        for batch in parquet.iter_batches(BLOCK_ROWS, row_groups=list(range(shard.start, shard.stop)), columns=columns):
            yield batch, row
            row += len(batch)


# Whole records


def _whole_rows(shard: Shard, positions: Integers) -> Iterator[pa.Table]:
    """All columns of chosen records, in order."""
    if shard.kind == "parquet":
        first = None
        for batch, row in _batches(shard, None):
            first = row if first is None else first
            here = positions[(positions >= row - first) & (positions < row - first + len(batch))]
            yield pa.table(batch).take(pa.array(here - (row - first)))
        return
    if shard.kind == "jsonl":
        yield table_of([orjson.loads(line) for line in _chosen_lines(shard, positions)])
        return
    records, names, _ = _records(shard, xxhash.xxh3_128())
    wanted = set(positions.tolist())
    kept = [fields for record, (_, fields) in enumerate(records) if record in wanted]
    columns = zip(*kept, strict=True) if kept else ([] for _ in names)
    yield pa.table({name: pa.array(cells, pa.string()) for name, cells in zip(names, columns, strict=True)})


def _chosen_lines(shard: Shard, positions: Integers) -> Iterator[bytes]:
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


# Strings


def _are_usable(data: Bytes, spans: Mapping[str, tuple[Integers, Integers]], read: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Records that need no closer look: every wanted string is there, is UTF-8 and not blank; and there are no labels, which have
    several spellings.
    """
    if set(spans) - {"text", "id", "domain"}:
        return np.zeros(len(read), np.bool_)
    usable = read.copy()
    for starts, stops in spans.values():
        usable &= starts >= 0
        usable &= _has_ink(data, starts, stops)
        rows = np.flatnonzero(usable)
        odd = rows[~are_ascii(data, starts[rows], stops[rows])]
        usable[odd] &= are_valid(data, starts[odd], stops[odd])
    return usable


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _has_ink(data: Bytes, starts: Integers, stops: Integers) -> NDArray[np.bool_]:  # pragma: no cover - compiled
    """Whether each string surely is not blank: it has a visible ASCII sign, or two signs of another script."""
    ink = np.zeros(len(starts), np.bool_)
    for row in range(len(starts)):
        wide = 0
        for place in range(starts[row], stops[row]):
            byte = data[place]
            wide += byte >= 0xC0
            if 32 < byte < 127 or wide > 16:  # there are some twenty spaces beyond ASCII; nobody writes seventeen in a row
                ink[row] = True
                break
    return ink


def _strings_table(data: Bytes, spans: Mapping[str, tuple[Integers, Integers]]) -> pa.Table:
    """Strings of a buffer as a canonical table; ids are null where there are none."""
    arrays = {}
    for role, (starts, stops) in spans.items():
        offsets, joined = _gathered(data, starts, stops)
        arrays[role] = pa.Array.from_buffers(pa.string(), len(starts), [None, pa.py_buffer(offsets), pa.py_buffer(joined)])
    rows = len(next(iter(spans.values()))[0])
    arrays.setdefault("id", pa.nulls(rows, pa.string()))
    return pa.table(arrays)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _gathered(data: Bytes, starts: Integers, stops: Integers) -> Any:  # pragma: no cover - compiled
    offsets = np.zeros(len(starts) + 1, np.int32)
    for row in range(len(starts)):
        offsets[row + 1] = offsets[row] + stops[row] - starts[row]
    joined = np.empty(offsets[-1] + PADDING, np.uint8)
    joined[offsets[-1] :] = 0
    for row in range(len(starts)):
        joined[offsets[row] : offsets[row + 1]] = data[starts[row] : stops[row]]
    return offsets, joined
