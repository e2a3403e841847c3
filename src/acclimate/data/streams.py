"""Bytes of a file as its format sees them: found on disk, decompressed whole, with clear errors."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from acclimate.data.bad_rows import display
from acclimate.errors import InputError, nearest

#: File suffix to format. Each may be followed by a compression suffix.
FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
#: Suffixes of files that can run code when they are opened.
PICKLED = (".pkl", ".pickle", ".npy", ".npz", ".joblib", ".pt", ".pth", ".bin", ".ckpt")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2"}


def describe_formats() -> str:
    """What a file may be called, for messages."""
    return f"a file ending in {', '.join(FORMATS)}, optionally followed by {', '.join(COMPRESSIONS)}"


def names_folder(path: Path) -> bool:
    """Whether a name is that of a folder: there is one, or it has no ending of a data file."""
    return path.is_dir() or not {suffix.lower() for suffix in path.suffixes} & {*FORMATS, *COMPRESSIONS}


def split_suffix(path: Path) -> tuple[str, str, str | None]:
    """(stem, format, compression) from a file's name.

    Raises:
        InputError: the suffix is none that acclimate reads or writes.

    >>> split_suffix(Path("shop/pool.jsonl.zst"))
    ('pool', 'jsonl', 'zstd')
    """
    compression = COMPRESSIONS.get(path.suffix.lower())
    inner = path.with_suffix("") if compression else path
    kind = FORMATS.get(inner.suffix.lower())
    if inner.suffix.lower() in PICKLED:
        raise InputError(
            f"'{display(path)}' may hold a Python pickle, which can run code when it is opened; it was not opened",
            expected=describe_formats(),
            fix="where you trust it, convert it yourself, for example with pandas: frame.to_parquet(...)",
        )
    if kind is None:
        raise InputError(
            f"'{display(path)}' has the suffix '{''.join(path.suffixes[-2:]) or 'none'}', which is not a known data format",
            expected=describe_formats(),
            fix="convert the file, or rename it if its content is one of these",
        )
    return inner.stem, kind, compression


def check_exists(path: Path) -> None:
    """Raise a clear InputError for a missing file (with a near name) or a folder."""
    if path.is_dir():
        raise InputError(
            f"'{display(path)}' is a folder",
            expected="a data file or a pattern",
            fix=f"name its files, for example '{display(path)}/*.jsonl'",
        )
    if path.exists():
        return
    if not path.parent.is_dir():
        raise InputError(
            f"'{display(path)}' does not exist; neither does its folder", expected="an existing file", fix="check the path"
        )
    neighbours = sorted(entry.name for entry in path.parent.iterdir() if entry.is_file())
    close = nearest(path.name, neighbours)
    fix = f"did you mean '{display(path.parent / close)}'?" if close else "check the path"
    raise InputError(f"'{display(path)}' does not exist", expected="an existing file", fix=fix)


def read_bytes(path: Path, compression: str | None) -> bytes:
    """The decompressed content of a file.

    Raises:
        InputError: the file cannot be read, is truncated, corrupt, or empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"'{display(path)}' cannot be read: {error.strerror or error}", expected="a readable file", fix="check its permissions"
        ) from error
    if compression and data:
        try:
            data = _decompress(data, compression)
        except (EOFError, OSError, ValueError, zlib.error, zstandard.ZstdError) as error:
            raise InputError(
                f"'{display(path)}' is truncated or is not valid {compression} data ({error})",
                expected=f"a whole {compression} file",
                fix="copy or download it again",
            ) from error
    if not data.strip():
        raise InputError(f"'{display(path)}' is empty", expected="at least one example", fix="check how the file was made")
    return data


def decompressed(file: str, handle: IO[bytes], compression: str | None, size: int = 1 << 20) -> Iterator[bytes]:
    """The content of an open file, chunk by chunk.

    Raises:
        InputError: it is truncated or corrupt.
    """
    make = _DECODERS.get(compression or "")
    if make is None:
        while chunk := handle.read(size):
            yield chunk
        return
    decoder, fresh = make(), True
    try:
        while chunk := handle.read(size):
            while chunk:
                content = decoder.decompress(chunk)
                fresh = False
                if content:
                    yield content
                if not decoder.eof:
                    break
                chunk = decoder.unused_data.lstrip(b"\0") if compression == "gzip" else decoder.unused_data
                decoder, fresh = make(), True
        if not fresh:
            raise EOFError("its end is missing")
    except (EOFError, OSError, ValueError, zlib.error, zstandard.ZstdError) as error:
        raise InputError(
            f"'{file}' is truncated or is not valid {compression} data ({error})",
            expected=f"a whole {compression} file",
            fix="copy or download it again; what was finished of the others is kept",
        ) from error


#: By compression, what makes a decoder of one member, frame or stream.
_DECODERS: Mapping[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "bzip2": bz2.BZ2Decompressor,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
}


def compress(data: bytes, compression: str | None) -> bytes:
    """The inverse of reading; equal input gives equal bytes (no timestamps inside)."""
    match compression:
        case "gzip":
            return gzip.compress(data, mtime=0)
        case "zstd":
            return zstandard.ZstdCompressor().compress(data)
        case "bzip2":
            return bz2.compress(data)
        case _:
            return data


def compressing(path: Path, compression: str | None) -> IO[bytes]:
    """A file to write piece by piece; equal pieces give equal bytes (no timestamps inside)."""
    match compression:
        case "gzip":
            return cast("IO[bytes]", _Gzip(path))
        case "zstd":
            return cast("IO[bytes]", zstandard.open(path, "wb"))
        case "bzip2":
            return cast("IO[bytes]", bz2.open(path, "wb"))
        case _:
            return path.open("wb")


class _Gzip(gzip.GzipFile):
    """Without the name and the time that a gzip file else begins with."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        super().__init__(filename="", mode="wb", fileobj=self._file, mtime=0)

    def close(self) -> None:
        super().close()
        self._file.close()


def _decompress(data: bytes, compression: str) -> bytes:
    match compression:
        case "gzip":
            return gzip.decompress(data)
        case "bzip2":
            return bz2.decompress(data)
        case _:
            return _decompress_zstd(data)


def _decompress_zstd(data: bytes) -> bytes:
    """All frames of a zstd file; the library's own readers take a truncated frame for the end of the file."""
    parts = []
    while data:
        frame = zstandard.ZstdDecompressor().decompressobj()
        parts.append(frame.decompress(data))
        if not frame.eof:
            raise EOFError("the last frame is cut off")
        data = frame.unused_data
    return b"".join(parts)
