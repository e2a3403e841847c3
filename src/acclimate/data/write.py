"""Arrow tables to data files that acclimate, and everything else, reads back: by suffix, whole or absent."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from acclimate.data.canonical import scalar_text
from acclimate.data.domain import Domain
from acclimate.data.streams import compress, split_suffix
from acclimate.engine.storage import atomic_path
from acclimate.errors import InputError


def write(data: pa.Table | Domain, path: str | Path) -> None:
    """Write a table by the suffix of ``path``: .jsonl, .json, .csv, .tsv or .parquet, each also .gz, .zst or .bz2.

    Equal tables give equal bytes. CSV and TSV cannot tell null from an empty cell; the other formats keep every value.

    Raises:
        InputError: the suffix is none of these, or the table holds pictures and the format is not Parquet.
        RunError: the folder cannot be written, or the disk is full; nothing half-written is left.

    >>> import tempfile
    >>> from acclimate.data.load import load
    >>> file = Path(tempfile.mkdtemp()) / "picked.jsonl.zst"
    >>> write(pa.table({"id": ["a"], "text": ["two\\nlines"], "label": ["x"]}), file)
    >>> load(file).texts
    ['two\\nlines']
    """
    path = Path(path)
    _, kind, compression = split_suffix(path)
    table = data.table if isinstance(data, Domain) else data
    pictures = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if pictures and kind != "parquet":
        raise InputError(
            f"'{path.name}' cannot hold the bytes of the column '{pictures[0]}'",
            expected="a Parquet file",
            fix=f"write '{path.name.partition('.')[0]}.parquet'",
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(compress(_serialise(table, kind), compression))


def _serialise(table: pa.Table, kind: str) -> bytes:
    match kind:
        case "parquet":
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, compression="zstd")
            return bytes(sink.getvalue())
        case "jsonl":
            return b"".join(_json(row) + b"\n" for row in table.to_pylist())
        case "json":
            return b"[\n" + b",\n".join(_json(row) for row in table.to_pylist()) + b"\n]\n"
        case _:
            return _delimited(table.column_names, table.to_pylist(), "," if kind == "csv" else "\t")


def _json(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, default=str)


def _delimited(names: list[str], rows: Iterable[dict[str, Any]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n", strict=True)  # RFC 4180; quotes lone \r and \n as well
    writer.writerow(names)
    writer.writerows([None if value is None else scalar_text(value) for value in row.values()] for row in rows)
    return text.getvalue().encode("utf-8")
