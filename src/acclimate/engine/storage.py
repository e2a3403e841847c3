"""Files that are either whole or absent, and names made from content.

Everything acclimate keeps goes through :func:`atomic_path`: written to a temporary name beside its place, flushed, then
renamed. A process killed at any moment leaves the old file or the new one, never half of one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acclimate.errors import InputError, NoRoomError, RunError

#: The beginning of a URL, also as a path makes it of one.
_REMOTE = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):/")
#: Bytes written at once where room is made.
_ZEROS = 1 << 20
#: What the system says of a full disk, of a quota that is used up, and of a file that may not grow.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def atomic_path(path: Path, *, lasting: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it takes the place of ``path``, on failure it is removed.

    Args:
        path: what is written.
        lasting: wait until it is on the disk, so that it outlives a machine that stops; in vain for what is removed again at once.

    Raises:
        RunError: the disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if lasting:
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> RunError:
    """What to raise where ``path`` could not be written."""
    found = f"'{path}' could not be written: {error.strerror or error}"
    if error.errno not in NO_ROOM:
        return RunError(
            found, expected="a writable folder", fix="check it, or choose another folder; nothing half-written was left"
        )
    free = ""
    with contextlib.suppress(OSError):
        free = f" ({shutil.disk_usage(path.parent).free:,} bytes are free there)"
    return NoRoomError(
        f"{found}{free}",
        expected="a disk with room, and no quota that is used up",
        fix="free some space or choose another folder; nothing half-written was left",
    )


def check_local(path: str | Path) -> None:
    """Raise an InputError for what names a remote store: results are written to folders of this machine."""
    found = _REMOTE.match(str(path))
    if found:
        raise InputError(
            f"'{path}' names a remote store",
            expected="a folder of this machine, or one that is mounted",
            fix=f"write into a folder, then copy it with the tools of {found.group(1)}://",
        )


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: sorted keys, indented, a final newline, so that equal values are equal bytes."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    with atomic_path(path) as temporary:
        temporary.write_bytes(orjson.dumps(value, option=options))


def read_json(path: Path) -> Any:
    """Read a JSON file that :func:`write_json` wrote."""
    return orjson.loads(path.read_bytes())


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a Parquet file atomically; equal tables give equal bytes."""
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def write_array(path: Path, array: NDArray[Any], *, lasting: bool = True) -> None:
    """Write an array atomically, as ``numpy.save`` does; which does not say why it could not."""
    with atomic_path(path, lasting=lasting) as temporary, temporary.open("wb") as file:
        whole = np.asarray(array, order="C")  # ascontiguousarray would make a row of a single number
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(whole))
        file.write(whole.data if whole.size else b"")


def new_array(path: Path, kind: Any, count: int) -> np.memmap[Any, Any]:
    """A mapped array ``(count,)`` of zeros that has its room on the disk: the system kills who writes to a page that finds none.

    Raises:
        RunError: the disk is full.
    """
    size = count * np.dtype(kind).itemsize
    try:
        with path.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                for start in range(0, size, _ZEROS):
                    file.write(bytes(min(_ZEROS, size - start)))
    except OSError as error:
        path.unlink(missing_ok=True)
        raise cannot_write(path, error) from error
    return np.memmap(path, kind, "r+", shape=(count,))


def content_hash(*parts: Any) -> str:
    """A 32-character name made from content: the same on every machine, process and ``PYTHONHASHSEED``.

    ``parts`` may be strings, bytes, numbers, None, and lists, tuples and dicts of them.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else orjson.dumps(part, option=orjson.OPT_SORT_KEYS)
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_home() -> Path:
    """Where downloads and reusable features live: ``$ACCLIMATE_HOME``, else ``~/.cache/acclimate``."""
    return Path(os.environ.get("ACCLIMATE_HOME") or Path.home() / ".cache" / "acclimate")
