"""Arrow tables to data files that acclimate, and everything else, reads back: by suffix, whole or absent."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from acclimate.data.canonical import scalar_text
from acclimate.data.domain import Domain
from acclimate.data.picture_folder import check_folder, writing_pictures
from acclimate.data.streams import compress, compressing, names_folder, split_suffix
from acclimate.engine.storage import atomic_path, check_local
from acclimate.errors import InputError


def write(data: pa.Table | Domain, path: str | Path) -> None:
    """Write a table by the suffix of ``path``: .jsonl, .json, .csv, .tsv or .parquet, each also .gz, .zst or .bz2.

    Equal tables give equal bytes. CSV and TSV cannot tell null from an empty cell; the other formats keep every value. Pictures go
    into a Parquet file or, without a suffix, a folder of classes (:mod:`acclimate.data.picture_folder`).

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
    table = data.table if isinstance(data, Domain) else data
    check_pictures(path, table.schema)
    if names_folder(path):
        with writing_pictures(path, table.schema) as put:
            put(table)
        return
    _, kind, compression = split_suffix(path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(compress(_serialise(table, kind), compression))


@contextlib.contextmanager
def writing(path: str | Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Write tables of one schema one after another into a file that is there, whole, only when all are.

    Memory holds one table at a time. Equal tables in equal pieces give equal bytes. Pictures may also go into a folder, see
    :func:`acclimate.data.picture_folder.writing_pictures`.

    Raises:
        InputError: the suffix is no format, or there are pictures and it is neither a folder's nor Parquet's.
        RunError: the folder cannot be written, or the disk is full; nothing half-written is left.

    >>> import tempfile
    >>> from acclimate.data.load import load
    >>> file = Path(tempfile.mkdtemp()) / "grown.csv.gz"
    >>> with writing(file, pa.schema([("id", pa.string()), ("text", pa.string())])) as put:
    ...     put(pa.table({"id": ["a"], "text": ["one"]}))
    ...     put(pa.table({"id": ["b"], "text": ["two"]}))
    >>> load(file).texts
    ['one', 'two']
    """
    path = Path(path)
    check_pictures(path, schema)
    if names_folder(path):
        with writing_pictures(path, schema) as put:
            yield put
        return
    _, kind, compression = split_suffix(path)
    with atomic_path(path) as temporary, compressing(temporary, compression) as sink, _putting(sink, kind, schema) as put:
        yield put


@contextlib.contextmanager
def _putting(sink: IO[bytes], kind: str, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    if kind == "parquet":
        with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
            yield writer.write_table
        return
    delimiter = "," if kind == "csv" else "\t"
    opening = {"jsonl": b"", "json": b"[\n"}
    sink.write(opening[kind] if kind in opening else _delimited(schema.names, [], delimiter))
    between = itertools.chain([b""], itertools.repeat(b",\n"))

    def put(table: pa.Table) -> None:
        rows = table.to_pylist()
        match kind:
            case "jsonl":
                sink.write(b"".join(_json(row) + b"\n" for row in rows))
            case "json":
                sink.write(b"".join(next(between) + _json(row) for row in rows))
            case _:
                sink.write(_delimited(None, rows, delimiter))

    yield put
    sink.write(b"\n]\n" if kind == "json" else b"")


def check_pictures(path: Path, schema: pa.Schema) -> None:
    """Raise an InputError where ``path`` names a remote store, or the rows hold pictures and what it names cannot, or where only a
    file can hold them.
    """
    check_local(path)
    pictures = [field.name for field in schema if pa.types.is_binary(field.type)]
    if "image" in pictures and names_folder(path):
        check_folder(path)
    elif split_suffix(path)[1] != "parquet" and pictures:
        raise InputError(
            f"'{path.name}' cannot hold the bytes of the column '{pictures[0]}'",
            expected="a Parquet file",
            fix=f"write '{path.name.partition('.')[0]}.parquet'",
        )


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


def _delimited(names: list[str] | None, rows: Iterable[dict[str, Any]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n", strict=True)  # RFC 4180; quotes lone \r and \n as well
    if names is not None:
        writer.writerow(names)
    writer.writerows([None if value is None else scalar_text(value) for value in row.values()] for row in rows)
    return text.getvalue().encode("utf-8")
