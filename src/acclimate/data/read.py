"""Data files to Arrow tables: JSON lines, JSON, CSV, TSV and Parquet, each also compressed; bad rows named by line."""

from __future__ import annotations

import csv
import dataclasses
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from acclimate.data.bad_rows import BadRows, Place, display
from acclimate.data.streams import check_exists, read_bytes, split_suffix
from acclimate.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """What one file holds: its columns under their own names, and where each row stands in the file.

    Attributes:
        file: the file as messages show it.
        stem: its name without folder and suffixes.
        table: the columns, ``n`` rows.
        unit: whether ``numbers`` count lines or rows.
        numbers: ``(n,)`` 1-based line or row numbers.
        positions: ``(n,)`` the rank of each record in the file, from 0; a skipped row leaves a gap, so ids do not move. Of a
            folder of pictures, each one's path in it.
        notes: what reading announces, such as an unusual separator.
        folder: where names of other files, such as pictures, start from.
    """

    file: str
    stem: str
    table: pa.Table
    unit: Literal["line", "row"]
    numbers: Sequence[int]
    positions: Sequence[int] | Sequence[str]
    notes: tuple[str, ...] = ()
    folder: Path = Path()

    def place(self, row: int) -> Place:
        """Where row ``row`` (0-based) stands."""
        return Place(self.file, self.unit, self.numbers[row])


def read_file(path: Path, bad_rows: BadRows) -> Rows:
    """Read one file by its suffix.

    Raises:
        InputError: missing, empty, truncated, in the wrong encoding or malformed; names the file and the line.
    """
    check_exists(path)
    stem, kind, compression = split_suffix(path)
    file = display(path)
    return dataclasses.replace(parse(file, stem, kind, read_bytes(path, compression), bad_rows), folder=path.parent)


def parse(file: str, stem: str, kind: str, data: bytes, bad_rows: BadRows) -> Rows:
    """The rows of a file's content, decompressed, by its format.

    Raises:
        InputError: see :func:`read_file`.
    """
    if kind == "parquet":
        return _read_parquet(file, stem, data)
    data = checked_start(file, data)
    if kind in ("csv", "tsv"):
        return _read_delimited(file, stem, data, "," if kind == "csv" else "\t", bad_rows)
    if kind == "json" and not _looks_like_lines(data):
        return _read_array(file, stem, data, bad_rows)
    return _read_lines(file, stem, data, bad_rows)


def to_arrow(values: Sequence[Any]) -> pa.Array:
    """One column of parsed values; values of mixed types become strings (JSON for nested ones).

    >>> to_arrow([1, "a", None]).to_pylist()
    ['1', 'a', None]
    """
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return pa.array([_as_string(value) for value in values], pa.string())


def _as_string(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def checked_start(file: str, data: bytes) -> bytes:
    """The beginning of a text file without its UTF-8 mark; UTF-16 and UTF-32 are refused, with or without one."""
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff")) or data[:400].count(0) > len(data[:400]) // 4
    if wide:
        raise InputError(
            f"'{file}' is UTF-16 (or UTF-32) text", expected="UTF-8", fix=f"iconv -f UTF-16 -t UTF-8 '{file}' > converted file"
        )
    return data.removeprefix(b"\xef\xbb\xbf")


def _encoding_reason(error: UnicodeDecodeError) -> str:
    byte = error.object[error.start]
    return f"byte 0x{byte:02x} at position {error.start + 1} of the line is not UTF-8 (perhaps Latin-1 or GB18030)"


def _looks_like_lines(data: bytes) -> bool:
    """Whether a .json file in fact holds JSON lines: its first line is an object by itself, and more follows."""
    first, _, rest = data.lstrip().partition(b"\n")
    if not first.startswith(b"{"):
        return False
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError:
        return not rest.strip()
    return True


def _read_lines(file: str, stem: str, data: bytes, bad_rows: BadRows) -> Rows:
    objects, numbers, positions = [], [], []
    filled = ((number, line) for number, line in enumerate(io.BytesIO(data), start=1) if line.strip())
    for position, (number, line) in enumerate(filled):
        value = line_object(line, Place(file, "line", number), bad_rows)
        if value is not None:
            objects.append(value)
            numbers.append(number)
            positions.append(position)
    return Rows(file, stem, table_of(objects), "line", numbers, positions)


def line_object(line: bytes, place: Place, bad_rows: BadRows) -> dict[str, Any] | None:
    """The JSON object on a line; None, and a rejected row, where there is none."""
    try:
        value = orjson.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        bad_rows.reject(place, _encoding_reason(error), expected="UTF-8", fix="convert the file to UTF-8")
        return None
    except orjson.JSONDecodeError as error:
        bad_rows.reject(place, f"malformed JSON ({error})", expected="one JSON object on each line")
        return None
    if not isinstance(value, dict):
        bad_rows.reject(place, f"a JSON {_json_type(value)}", expected="one JSON object on each line")
        return None
    return value


def _read_array(file: str, stem: str, data: bytes, bad_rows: BadRows) -> Rows:
    expected = "an array of objects: [{...}, {...}]"
    try:
        values = orjson.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"'{file}', line {line}: byte 0x{data[error.start]:02x} is not UTF-8 (perhaps Latin-1 or GB18030)",
            expected="UTF-8",
            fix="convert the file to UTF-8",
        ) from error
    except orjson.JSONDecodeError as error:
        raise InputError(
            f"'{file}', line {error.lineno}: malformed JSON ({error.msg})", expected=expected, fix="correct that place"
        ) from error
    if not isinstance(values, list):
        raise InputError(f"'{file}' holds a JSON {_json_type(values)}", expected=expected, fix="wrap the examples in [ ]")
    objects, numbers = [], []
    for number, value in enumerate(values, start=1):
        if isinstance(value, dict):
            objects.append(value)
            numbers.append(number)
        else:
            bad_rows.reject(Place(file, "row", number), f"a JSON {_json_type(value)}", expected=expected)
    return Rows(file, stem, table_of(objects), "row", numbers, [number - 1 for number in numbers])


def _json_type(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")


def table_of(objects: Sequence[dict[str, Any]]) -> pa.Table:
    """Objects to columns, in the order in which keys first appear; an absent key is null."""
    names = list(dict.fromkeys(name for value in objects for name in value))
    return pa.table({name: to_arrow([value.get(name) for value in objects]) for name in names})


def _read_delimited(file: str, stem: str, data: bytes, delimiter: str, bad_rows: BadRows) -> Rows:
    first = data.split(b"\n", 1)[0].decode("utf-8", "surrogateescape")
    found = delimiter_of(first, delimiter)
    notes = () if found == delimiter else (f"'{file}': columns are separated by {found!r}",)
    records = records_of(io.BytesIO(data), found)
    _, header = next(records, (1, []))
    assert isinstance(header, list)
    names = header_names(file, header)
    kept, numbers, positions = [], [], []
    for position, (number, record) in enumerate(records):
        problem = record_problem(record, len(names))
        if problem is not None:
            reason, expected, fix = problem
            bad_rows.reject(Place(file, "line", number), reason, expected=expected, fix=fix)
        else:
            kept.append(record)
            numbers.append(number)
            positions.append(position)
    columns = zip(*kept, strict=True) if kept else ([] for _ in names)
    table = pa.table({name: pa.array(values, pa.string()) for name, values in zip(names, columns, strict=True)})
    return Rows(file, stem, table, "line", numbers, positions, notes)


def delimiter_of(header: str, usual: str) -> str:
    """The separator of a header line: the usual one unless it is absent and another one is there."""
    if usual in header:
        return usual
    return next((other for other in (";", "\t", ",", "|") if other in header), usual)


def record_problem(record: list[str] | csv.Error, columns: int) -> tuple[str, str, str] | None:
    """(reason, what was expected, fix) where a record cannot be used."""
    if isinstance(record, csv.Error):
        return f"malformed record ({record})", "balanced quotes", "correct that row"
    if len(record) != columns:
        return f"{len(record)} fields", f"{columns} fields, as in the header", "quote fields that hold separators"
    if any(_has_raw_bytes(field) for field in record):
        return "bytes that are not UTF-8 (perhaps Latin-1 or GB18030)", "UTF-8", "convert the file"
    return None


def records_of(data: io.BufferedReader | io.BytesIO, delimiter: str) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """(line on which the record starts, its fields, or what is wrong with it) for every record that is not blank."""
    csv.field_size_limit(sys.maxsize)
    text = io.TextIOWrapper(data, encoding="utf-8", errors="surrogateescape", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, error
            continue
        if record:
            yield number, record


def header_names(file: str, header: Sequence[str]) -> list[str]:
    if any(_has_raw_bytes(name) for name in header):
        raise InputError(f"'{file}', line 1: the header is not UTF-8", expected="UTF-8", fix="convert the file to UTF-8")
    names = [name.strip() or f"unnamed_{position}" for position, name in enumerate(header)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"'{file}' has two columns named '{twice}'", expected="distinct column names", fix="rename one of them")
    return names


def _has_raw_bytes(text: str) -> bool:
    """Whether decoding met a byte that is not UTF-8 (kept by ``surrogateescape``)."""
    return not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text)


def _read_parquet(file: str, stem: str, data: bytes) -> Rows:
    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise InputError(
            f"'{file}' is truncated or is not Parquet ({str(error).splitlines()[0]})",
            expected="a whole Parquet file",
            fix="copy or download it again",
        ) from error
    return Rows(file, stem, table, "row", range(1, table.num_rows + 1), range(table.num_rows))
