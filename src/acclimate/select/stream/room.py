"""What a job on a pool needs of the disk, and what it says when there is no more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from acclimate.data.shards import Pool
from acclimate.errors import NoRoomError

_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


@contextlib.contextmanager
def room(out: Path, most: Callable[[], float], done: Callable[[], str]) -> Iterator[None]:
    """Do the work of a job inside; where the disk is full, say how much more it needs, and what is kept for the next start.

    Args:
        out: the folder of the job.
        most: bytes that the whole job writes, about, at most; asked only when the disk is full.
        done: what is finished, in words; asked then, too.

    Raises:
        NoRoomError: in place of any other one.
    """
    try:
        yield
    except NoRoomError as error:
        written = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
        needed = max(most() - written, 0.1 * written, 1e3)
        raise NoRoomError(
            error.found,
            expected=f"at most about {size(needed)} more for '{out}', which holds {size(written)}",
            fix=(
                "free as much, or move the folder to where there is room, and give the same command again: what is finished is "
                f"kept ({done()}), only what is missing is done, and nothing half-written was left"
            ),
        ) from error


def rewritten(pool: Pool) -> float:
    """Bytes of all rows of a pool when they are kept, then written in parts, about: text is compressed to half, twice."""
    return pool.bytes * (1.0 if all(shard.compression is None and shard.kind != "parquet" for shard in pool.shards) else 2.0)


def size(count: float) -> str:
    """Bytes as people say them.

    >>> size(950), size(12_345), size(3_200_000_000)
    ('950 bytes', '12 kB', '3.2 GB')
    """
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.2g} {name}" if count < 10 * unit else f"{count / unit:.0f} {name}"
    return f"{count:.0f} bytes"
