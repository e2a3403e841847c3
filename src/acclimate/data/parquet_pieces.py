"""Row groups of a Parquet file, of which only the wanted columns are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from acclimate.data.bad_rows import BadRows, Place
from acclimate.data.pieces import BLOCK_ROWS, Piece, Wanted, are_usable, checked, merged, plainly_strings
from acclimate.data.shards import Shard, opened, parquet_of
from acclimate.errors import InputError


def parquet_pieces(shard: Shard, wanted: Wanted, bad_rows: BadRows, hasher: Any) -> Iterator[Piece]:
    used = wanted.columns.used()
    for batch, first in batches(shard, list(used.values())):
        for column in used.values():
            for buffer in batch.column(column).buffers():
                if buffer is not None:
                    hasher.update(memoryview(buffer))
        yield _parquet_piece(batch, first, shard, wanted, bad_rows)


def _parquet_piece(batch: pa.RecordBatch, first: int, shard: Shard, wanted: Wanted, bad_rows: BadRows) -> Piece:
    used = wanted.columns.used()
    usable = np.zeros(len(batch), np.bool_)
    strings = {role: batch.column(column) for role, column in used.items()}
    if plainly_strings(used) and all(pa.types.is_string(a.type) or pa.types.is_large_string(a.type) for a in strings.values()):
        usable[:] = True
        for array in strings.values():
            large = array.cast(pa.large_string())
            offsets = np.frombuffer(large.buffers()[1], np.int64)[large.offset : large.offset + len(large) + 1]
            data = np.frombuffer(large.buffers()[2] or b"", np.uint8)
            present = ~np.asarray(large.is_null().to_numpy(zero_copy_only=False))
            usable &= present & are_usable(data, offsets[:-1], offsets[1:])
    rows = np.flatnonzero(~usable).tolist()
    found = [(row, Place(shard.file, "row", first + row + 1), batch.slice(row, 1).to_pylist()[0]) for row in rows]
    good = pa.table(
        {role: array.filter(pa.array(usable)).cast(pa.string()) for role, array in strings.items()}
        if len(rows) < len(batch)
        else {}
    )
    if good.num_columns and "id" not in good.column_names:
        good = good.append_column("id", pa.nulls(good.num_rows, pa.string()))
    return Piece(*merged(good, np.flatnonzero(usable), *checked(found, wanted, shard, bad_rows)), len(batch))


def batches(shard: Shard, columns: list[str] | None) -> Iterator[tuple[pa.RecordBatch, int]]:
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
