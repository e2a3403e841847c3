"""Pools of files, perhaps larger than memory, as pieces that can be read apart from one another, on any machine."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

from acclimate.data.bad_rows import BadRows, OnBadRow
from acclimate.data.columns import Columns, resolve
from acclimate.data.domain import Modality
from acclimate.data.locate import PathLike, as_list, distinct_prefixes, expand
from acclimate.data.read import delimiter_of, parse
from acclimate.data.streams import check_exists, decompressed, split_suffix
from acclimate.errors import AcclimateError, InputError, RunError

#: Bytes of a shard: so many that a statistic of some megabytes is small beside it, so few that workers end together.
SHARD_BYTES = 64 << 20
#: Bytes that are looked at to find the columns.
HEAD_BYTES = 1 << 20
#: The formats that can be read piece by piece.
STREAMED = ("jsonl", "csv", "tsv", "parquet")

#: Of a file whose header does not say otherwise.
SEPARATORS = {"csv": ",", "tsv": "\t"}

#: What lets fsspec read a store, by the protocol of its URLs; credentials are looked for in the environment, by the package itself.
_STORES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "hf": "huggingface_hub",
    "abfs": "adlfs",
    "az": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
}

Kind = Literal["jsonl", "csv", "tsv", "parquet"]


@dataclasses.dataclass(frozen=True)
class Shard:
    """A part of a file.

    Attributes:
        number: its place in the pool.
        file: a path, or a URL that ``fsspec`` opens.
        prefix: what generated ids of the file's rows begin with.
        kind, compression: of the file.
        start, stop: bytes; of Parquet, row groups; of a compressed file, which cannot be cut, all of it (``stop`` is its size).
        first: whether the file's first record is in it.
    """

    number: int
    file: str
    prefix: str
    kind: Kind
    compression: str | None
    start: int
    stop: int
    first: bool

    def describe(self) -> str:
        """The shard as messages name it."""
        if self.compression or (self.first and self.kind != "parquet"):
            return f"'{self.file}'"
        unit = "row groups" if self.kind == "parquet" else "bytes"
        return f"'{self.file}' ({unit} {self.start} to {self.stop})"


@dataclasses.dataclass(frozen=True)
class Pool:
    """Files of examples that are read in pieces, with the same columns as a :class:`acclimate.data.domain.Domain`.

    Attributes:
        name: what reports call it.
        shards: its pieces, in order.
        columns: the user's column for each role.
        modality: what the examples are.
        sizes: bytes of each file, in order of first use.
        stamps: what changes when a file does: its size and time, or what its store says.
        on_bad_row: ``"fail"`` or ``"skip"``.
        notes: what opening announced.
    """

    name: str
    shards: tuple[Shard, ...]
    columns: Columns
    modality: Modality
    sizes: tuple[tuple[str, int], ...]
    stamps: tuple[tuple[str, str], ...]
    on_bad_row: OnBadRow = "fail"
    notes: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(size for _, size in self.sizes)


def pool(
    path: PathLike | Sequence[PathLike],
    *,
    text: str | None = None,
    messages: str | None = None,
    image: str | None = None,
    label: str | None = None,
    domain: str | None = None,
    id: str | None = None,  # noqa: A002 - the name users know
    name: str | None = None,
    on_bad_row: OnBadRow = "fail",
    shard_bytes: int = SHARD_BYTES,
) -> Pool:
    """Files to select from without ever holding them in memory. Nothing but their beginnings is read here.

    JSON lines, CSV and TSV (also .gz, .zst, .bz2) and Parquet, on disk or wherever ``fsspec`` reads (``s3://``, ``gs://``,
    ``hf://datasets/...``; credentials from the environment). A plain file of lines is cut at any line, Parquet at its row groups,
    CSV where a record begins, for which it is read through once; a compressed file is one piece.

    Args:
        path: a file, a pattern, or several of them.
        text, messages, image, label, domain, id: columns, as in :func:`acclimate.data.load.load`.
        name: what reports call the pool; the first file's by default.
        on_bad_row: as in ``load``.
        shard_bytes: how large a piece is about.

    Raises:
        InputError: a file is missing, empty or of a format that cannot be read in pieces, or no column looks like examples.
    """
    BadRows(on_bad_row)  # checks the word
    if shard_bytes < 1:
        raise InputError(f"Shards of {shard_bytes} bytes", expected="at least 1", fix=f"leave the default, {SHARD_BYTES}")
    files = [file for one in as_list(path) for file in _expand(one)]
    kinds = [_kind(file) for file in files]
    sizes = [_size(file) for file in files]
    for file, size in zip(files, sizes, strict=True):
        if size == 0:
            raise InputError(f"'{file}' is empty", expected="at least one example", fix="check how the file was made")
    prefixes = distinct_prefixes(files, [stem for stem, _, _ in kinds])
    named = {"text": text, "image": image, "messages": messages, "label": label, "domain": domain, "id": id}
    columns, notes = resolve(_head(files[0]), named, f"'{files[0]}'" + (f" (and {len(files) - 1} more)" if len(files) > 1 else ""))
    shards: list[Shard] = []
    for file, prefix, (_, kind, compression), size in zip(files, prefixes, kinds, sizes, strict=True):
        for start, stop in _cuts(file, kind, compression, size, shard_bytes):
            shards.append(Shard(len(shards), file, prefix, kind, compression, start, stop, start == 0))
    modality: Modality = "image" if columns.image else "chat" if columns.messages else "text"
    stamps = tuple((file, _stamp(file)) for file in files)
    return Pool(
        name or kinds[0][0],
        tuple(shards),
        columns,
        modality,
        tuple(zip(files, sizes, strict=True)),
        stamps,
        on_bad_row,
        tuple(notes),
    )


def is_remote(file: str) -> bool:
    """Whether a name is a URL rather than a path."""
    return "://" in file


@contextlib.contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """A file's bytes, from disk or from wherever ``fsspec`` reads.

    Raises:
        InputError: it is not there or may not be read; or the package for its store is missing.
        RunError: a remote store failed while it was read.
    """
    if is_remote(file):
        import fsspec

        with _reaching(file):
            handle = fsspec.open(file, "rb").open()
    else:
        try:
            handle = Path(file).open("rb")  # noqa: SIM115 - closed below
        except OSError as error:
            raise InputError(f"'{file}' cannot be read ({error})", expected="a readable file", fix="check its name") from error
    try:
        yield handle
    except AcclimateError:
        raise
    except Exception as error:  # whatever family of errors the store's package has
        if not is_remote(file):
            raise
        raise RunError(
            f"'{file}' could not be read to its end ({type(error).__name__}: {error})",
            expected="a store that answers",
            fix="start again when it does: what was finished is kept",
        ) from error
    finally:
        handle.close()


@contextlib.contextmanager
def _reaching(url: str) -> Iterator[None]:
    """Turn what a remote store says inside into a clear error; its packages raise errors of families of their own."""
    if urlsplit(url).password is not None:
        raise InputError(
            f"The URL of '{urlsplit(url).hostname}' holds a password",
            expected="credentials in the environment, where neither manifests nor messages show them",
            fix="take it out of the URL",
        )
    protocol = url.partition("://")[0]
    try:
        yield
    except ImportError as error:
        package = _STORES.get(protocol)
        raise InputError(
            f"'{url}' needs {f'the package {package}, which is not installed' if package else f'a package ({error})'}",
            expected=f"what lets fsspec read {protocol}://",
            fix=f"pip install {package}" if package else "install it",
        ) from error
    except Exception as error:
        raise InputError(
            f"'{url}' cannot be read ({type(error).__name__}: {error})",
            expected="a URL that fsspec reads, such as s3://bucket/pool/*.jsonl",
            fix="check the name, and the credentials of that store in the environment",
        ) from error


def _expand(one: str) -> list[str]:
    if not is_remote(one):
        found = [str(file) for file in expand(one)]
        for file in found:
            check_exists(Path(file))
        return found
    import fsspec

    with _reaching(one):
        system, inner = fsspec.core.url_to_fs(one)
        matches = sorted(system.glob(inner)) if any(sign in inner for sign in "*?[") else [inner] if system.exists(inner) else []
    if not matches:
        raise InputError(f"No file matches '{one}'", expected="at least one file", fix="check the URL")
    return [str(system.unstrip_protocol(match)) for match in matches]


def _kind(file: str) -> tuple[str, Kind, str | None]:
    stem, kind, compression = split_suffix(Path(file))
    if kind not in STREAMED:
        raise InputError(
            f"'{file}' is a JSON array, which is only read whole", expected="JSON lines, CSV, TSV or Parquet", fix="convert it"
        )
    if kind == "parquet" and compression:
        raise InputError(f"'{file}' is compressed Parquet", expected="plain Parquet, which is compressed inside", fix="unpack it")
    return stem, kind, compression  # type: ignore[return-value]  # checked against STREAMED


def _size(file: str) -> int:
    if not is_remote(file):
        return Path(file).stat().st_size
    import fsspec

    with _reaching(file):
        system, inner = fsspec.core.url_to_fs(file)
        return int(system.size(inner))


def _stamp(file: str) -> str:
    if not is_remote(file):
        found = Path(file).stat()
        return f"{found.st_size}-{found.st_mtime_ns}"
    import fsspec

    with _reaching(file):
        system, inner = fsspec.core.url_to_fs(file)
        return str(system.ukey(inner))


def _head(file: str) -> pa.Table:
    """The first rows of a file under the user's column names."""
    stem, kind, compression = _kind(file)
    with opened(file) as handle:
        if kind == "parquet":
            with parquet_of(file, handle) as parquet:
                first = next(parquet.iter_batches(batch_size=1000), None)
            if first is None:
                raise InputError(f"'{file}' has no rows", expected="at least one example", fix="check how the file was made")
            return pa.Table.from_batches([first])
        data = b""
        for chunk in decompressed(file, handle, compression):
            data += chunk
            if len(data) >= HEAD_BYTES and b"\n" in data:
                data = data[: data.rindex(b"\n") + 1]  # a record of CSV may be cut; it is then a bad row, and skipped here
                break
    rows = parse(file, stem, kind, data, BadRows("skip"))
    if rows.table.num_rows == 0:
        parse(file, stem, kind, data, BadRows("fail"))  # says what is wrong with the first one
        raise InputError(f"'{file}' has no usable row", expected="at least one example", fix="check the file")
    return rows.table


@contextlib.contextmanager
def parquet_of(file: str, handle: IO[bytes]) -> Iterator[pq.ParquetFile]:
    """A Parquet file, or a clear error."""
    try:
        with pq.ParquetFile(handle) as parquet:
            yield parquet
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise InputError(
            f"'{file}' is truncated or is not Parquet ({str(error).splitlines()[0]})",
            expected="a whole Parquet file",
            fix="copy or download it again; a second start goes on where this one stopped",
        ) from error


def _cuts(file: str, kind: Kind, compression: str | None, size: int, shard_bytes: int) -> list[tuple[int, int]]:
    """Where the pieces of a file begin and end."""
    if compression:
        return [(0, size)]
    if kind == "parquet":
        with opened(file) as handle, parquet_of(file, handle) as parquet:
            groups = [parquet.metadata.row_group(k).total_byte_size for k in range(parquet.num_row_groups)]
        return _grouped(groups, shard_bytes)
    if size <= shard_bytes:
        return [(0, size)]
    if kind == "jsonl":
        count = max(1, round(size / shard_bytes))
        edges = [size * k // count for k in range(count + 1)]
    else:
        edges = [0, *_record_starts(file, kind, shard_bytes), size]
    return [(start, stop) for start, stop in itertools.pairwise(edges) if start < stop]


def _grouped(sizes: Sequence[int], shard_bytes: int) -> list[tuple[int, int]]:
    """Neighbours put together until a piece is large enough."""
    cuts, start, held = [], 0, 0
    for place, size in enumerate(sizes):
        held += size
        if held >= shard_bytes or place + 1 == len(sizes):
            cuts.append((start, place + 1))
            start, held = place + 1, 0
    return cuts


def _record_starts(file: str, kind: Kind, every: int) -> list[int]:
    """Bytes at which records of a CSV or TSV file begin, at least ``every`` apart.

    A newline inside quotes ends nothing, and whether a place is inside quotes is only known from the beginning; so the file is read
    through once, at about a gigabyte a second.
    """
    found: list[int] = []
    state, offset, due = 0, 0, every
    with opened(file) as handle:
        while chunk := handle.read(8 << 20):
            data = np.frombuffer(chunk, np.uint8)
            if offset == 0:
                header = chunk.split(b"\n", 1)[0].decode("utf-8", "replace")
                separator = ord(delimiter_of(header, SEPARATORS[kind]))
            place = 0
            while True:
                start, state = _next_record(data, place, max(0, due - offset - 1), state, separator)
                if start < 0:
                    break
                found.append(offset + start)
                due, place = offset + start + every, start
            offset += len(chunk)
    return [start for start in found if start < offset]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _next_record(data: NDArray[np.uint8], place: int, due: int, state: int, separator: int) -> Any:  # pragma: no cover - compiled
    """Where the first record after ``due`` begins, -1 if not in ``data``; and the state there.

    States: 0 a field begins, 1 inside a plain field, 2 inside quotes, 3 after a quote inside quotes.
    """
    while place < len(data):
        byte = data[place]
        place += 1
        if state == 2:
            state = 3 if byte == 34 else 2
        elif byte == 34 and (state == 0 or state == 3):
            state = 2
        elif byte == 10:
            state = 0
            if place > due:
                return place, state
        elif byte == separator or byte == 13:
            state = 0
        else:
            state = 1
    return -1, state


@functools.lru_cache(maxsize=1024)
def lines_before(file: str, start: int) -> int:
    """How many lines of a plain file end before a place; counted for messages only."""
    count = 0
    with opened(file) as handle:
        left = start
        while left > 0 and (chunk := handle.read(min(left, 8 << 20))):
            count += chunk.count(b"\n")
            left -= len(chunk)
    return count


class Ranged(io.RawIOBase):
    """The bytes of chunks as a file; for readers that want one."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._held = chunks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a part of ``buffer``; 0 at the end."""
        while not self._held:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._held = memoryview(chunk)
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count


def chunks_of(shard: Shard, size: int = 4 << 20) -> Iterator[bytes]:
    """The bytes of a shard of lines or of records, decompressed. Lines that straddle its ends are the caller's matter.

    Raises:
        InputError: the file is truncated, corrupt, or shorter than it was.
    """
    with opened(shard.file) as handle:
        if shard.compression:
            yield from decompressed(shard.file, handle, shard.compression)
            return
        handle.seek(shard.start)
        left = shard.stop - shard.start
        while left > 0:
            chunk = handle.read(min(left, size))
            if not chunk:
                raise RunError(
                    f"'{shard.file}' became shorter while it was read",
                    expected="files that do not change",
                    fix="start again when nothing writes to it",
                )
            left -= len(chunk)
            yield chunk


def rows_before(shards: Sequence[Shard], records: Iterable[int]) -> dict[int, int]:
    """How many records of its file come before each shard, by its number; ``records``: of each shard, in the same order."""
    first: dict[int, int] = {}
    before: dict[str, int] = {}
    for shard, count in zip(shards, records, strict=True):
        first[shard.number] = before.get(shard.file, 0)
        before[shard.file] = first[shard.number] + count
    return first


def rows_estimated(pool: Pool) -> float:
    """About how many rows a pool has: of Parquet exactly, else by the mean size of the first rows of its first file."""
    plain = [shard for shard in pool.shards if shard.kind != "parquet"]
    rows = 0.0
    for file in {shard.file for shard in pool.shards if shard.kind == "parquet"}:
        with opened(file) as handle, parquet_of(file, handle) as parquet:
            rows += parquet.metadata.num_rows
    if plain:
        first = plain[0]
        with opened(first.file) as handle:
            head, read = b"", 0
            for chunk in decompressed(first.file, handle, first.compression):
                head, read = head + chunk, handle.tell()
                if len(head) >= HEAD_BYTES:
                    break
        packed = read / max(1, len(head)) if first.compression else 1.0
        bytes_each = packed * len(head) / max(1, head.count(b"\n"))
        rows += sum(size for file, size in pool.sizes if file in {shard.file for shard in plain}) / bytes_each
    return rows
