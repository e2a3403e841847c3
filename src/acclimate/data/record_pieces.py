"""Records of a shard of CSV or TSV, parsed as they come."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from acclimate.data.bad_rows import BadRows, Place
from acclimate.data.line_pieces import FirstLine
from acclimate.data.pieces import BLOCK_BYTES, BLOCK_ROWS, Piece, Wanted, checked, merged, plainly_strings
from acclimate.data.read import checked_start, delimiter_of, header_names, record_problem, records_of
from acclimate.data.shards import SEPARATORS, Ranged, Shard, chunks_of, opened
from acclimate.data.streams import decompressed
from acclimate.errors import InputError


def record_pieces(shard: Shard, wanted: Wanted, bad_rows: BadRows, hasher: Any) -> Iterator[Piece]:
    records, names, first_line = records_in(shard, hasher)
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
        table, places = checked(slow, wanted, shard, bad_rows)
        yield Piece(
            *merged(_plain_table(good, columns), np.array([row for row, _, _ in good], np.int64), table, places), len(batch)
        )


def _split_plain(found: Sequence[Any], columns: Mapping[str, str]) -> tuple[list[Any], list[Any]]:
    """Records whose wanted cells need no closer look, and the others: empty cells, and labels, which have several spellings."""
    if not plainly_strings(columns):
        return [], list(found)
    good = [one for one in found if all(not one[2][column].isspace() and one[2][column] for column in columns.values())]
    kept = {row for row, _, _ in good}
    return good, [one for one in found if one[0] not in kept]


def _plain_table(good: Sequence[Any], columns: Mapping[str, str]) -> pa.Table:
    arrays = {role: pa.array([value[column] for _, _, value in good], pa.string()) for role, column in columns.items()}
    arrays.setdefault("id", pa.nulls(len(good), pa.string()))
    return pa.table(arrays)


def records_in(shard: Shard, hasher: Any) -> tuple[Iterator[tuple[int, Any]], list[str], FirstLine]:
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
    return itertools.islice(records, 1 if shard.first else 0, None), names, FirstLine(shard)


def _header(shard: Shard) -> str:
    with opened(shard.file) as handle:
        data = b""
        for chunk in decompressed(shard.file, handle, shard.compression):
            data += chunk
            if b"\n" in data:
                break
    return checked_start(shard.file, data).split(b"\n", 1)[0].decode("utf-8", "surrogateescape")
