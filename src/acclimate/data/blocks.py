"""Shards to blocks of examples, one after another, in memory that does not grow; and chosen records of a shard, whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import xxhash

from acclimate.data.bad_rows import BadRows, Place
from acclimate.data.canonical import canonical_table
from acclimate.data.domain import Domain, unify
from acclimate.data.line_pieces import chosen_lines, line_pieces
from acclimate.data.parquet_pieces import batches, parquet_pieces
from acclimate.data.pieces import Integers, Wanted, numbered
from acclimate.data.read import table_of
from acclimate.data.record_pieces import record_pieces, records_in
from acclimate.data.shards import Pool, Shard


@dataclasses.dataclass(frozen=True, eq=False)
class Block:
    """Some records of a shard, in order.

    Attributes:
        domain: the usable ones.
        positions: ``(n,)`` the place of each of them among all records of the shard, bad ones counted.
        records: how many records of the shard end with this block, bad ones counted.
        offsets: see :class:`acclimate.data.pieces.Piece`.
    """

    domain: Domain
    positions: Integers
    records: int
    offsets: Integers | None = None


@dataclasses.dataclass
class Reading:
    """What one reading of a shard comes to know.

    Attributes:
        bad_rows: what was left out.
        digest: of the shard's bytes (of Parquet, of what was read of it), once it was read to its end.
    """

    bad_rows: BadRows
    digest: str = ""


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
        pieces = line_pieces(shard, wanted, reading.bad_rows, hasher)
    elif shard.kind == "parquet":
        pieces = parquet_pieces(shard, wanted, reading.bad_rows, hasher)
    else:
        pieces = record_pieces(shard, wanted, reading.bad_rows, hasher)
    records = 0
    for piece in pieces:
        positions = records + piece.places
        records += piece.records
        table = piece.table
        if wanted.columns.id is None:
            ids = numbered(shard.prefix, positions + first_row)
            table = table.set_column(table.schema.get_field_index("id"), "id", ids)
        yield Block(Domain(wanted.domain, table), positions, records, piece.offsets)
    reading.digest = hasher.hexdigest()


def take(shard: Shard, pool: Pool, positions: Integers, first_row: int = 0, offsets: Integers | None = None) -> pa.Table:
    """Chosen records of a shard with all their columns, in order, as :func:`acclimate.data.load.load` gives them.

    Args:
        positions: ascending, of usable records.
        offsets: where each record of the shard begins, and where the last one ends, where that is known.
    """
    bad_rows = BadRows("fail")
    rows = np.asarray(positions, dtype=np.int64)
    tables = [found for found in _whole_rows(shard, rows, offsets) if found.num_rows]
    table = unify(tables) if tables else pa.table({})
    ids = [f"{shard.prefix}:{first_row + position}" for position in rows.tolist()]
    folder = Path(shard.file).parent
    return canonical_table(
        table, pool.columns, ids, lambda row: Place(shard.file, "row", first_row + int(rows[row]) + 1), bad_rows, lambda _: folder
    )


def _whole_rows(shard: Shard, positions: Integers, offsets: Integers | None) -> Iterator[pa.Table]:
    """All columns of chosen records, in order."""
    if shard.kind == "parquet":
        first = None
        for batch, row in batches(shard, None):
            first = row if first is None else first
            here = positions[(positions >= row - first) & (positions < row - first + len(batch))]
            yield pa.table(batch).take(pa.array(here - (row - first)))
        return
    if shard.kind == "jsonl":
        yield table_of([orjson.loads(line) for line in chosen_lines(shard, positions, offsets)])
        return
    records, names, _ = records_in(shard, xxhash.xxh3_128())
    wanted = set(positions.tolist())
    kept = [fields for record, (_, fields) in enumerate(records) if record in wanted]
    columns = zip(*kept, strict=True) if kept else ([] for _ in names)
    yield pa.table({name: pa.array(cells, pa.string()) for name, cells in zip(names, columns, strict=True)})
