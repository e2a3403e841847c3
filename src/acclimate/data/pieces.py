"""What readers of every format share: quick records become a canonical table as they are, the others are looked at one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from acclimate.data.bad_rows import BadRows, Place
from acclimate.data.canonical import canonical_table
from acclimate.data.columns import Columns
from acclimate.data.domain import unify
from acclimate.data.read import table_of
from acclimate.data.shards import Pool, Shard
from acclimate.data.utf8 import are_ascii, are_valid

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]

#: Bytes read at once, and rows of formats that are read by rows.
BLOCK_BYTES, BLOCK_ROWS = 2 << 20, 4096


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which roles of a pool's examples are read.

    Attributes:
        columns: the user's column for each of them.
        domain: the pool's name.
    """

    columns: Columns
    domain: str

    @classmethod
    def of(cls, pool: Pool, roles: Sequence[str] = ()) -> Wanted:
        """What examples consist of, their ids, and further roles that scoring needs: ``label``, ``domain``."""
        kept = {role: column for role, column in pool.columns.used().items() if role in ("text", "image", "messages", "id", *roles)}
        return cls(Columns(**kept), pool.name)


@dataclasses.dataclass(frozen=True, eq=False)
class Piece:
    """Usable rows as a canonical table, and their places among ``records`` records.

    ``offsets (records + 1,)``: where in the file each record begins, and where the last one ends; None where a record cannot be
    read without those before it.
    """

    table: pa.Table
    places: Integers
    records: int
    offsets: Integers | None = None


def merged(good: pa.Table, good_places: Integers, slow: pa.Table, slow_places: Integers) -> tuple[pa.Table, Integers]:
    """Two canonical tables as one, in order of their places."""
    if not slow.num_rows:
        return good, good_places
    places = np.concatenate([good_places, slow_places])
    order = np.argsort(places, kind="stable")
    return unify([good, slow]).take(pa.array(order)), places[order]


def checked(
    found: Sequence[tuple[int, Place, dict[str, Any]]], wanted: Wanted, shard: Shard, bad_rows: BadRows
) -> tuple[pa.Table, Integers]:
    """Records that need the slow way, as a canonical table of those that are usable, and their places."""
    if not found:
        return pa.table({}), np.zeros(0, np.int64)
    table = table_of([value for _, _, value in found])
    for column in wanted.columns.used().values():
        if column not in table.column_names:
            table = table.append_column(column, pa.nulls(len(found)))
    table = table.select(list(wanted.columns.used().values()))
    keys = [str(row) for row in range(len(found))]  # stand-ins, by which the rows that were kept are known
    folder = Path(shard.file).parent
    checked = canonical_table(
        table.append_column("\0row", pa.array(keys)), wanted.columns, keys, lambda row: found[row][1], bad_rows, lambda _: folder
    )
    kept = [int(row) for row in checked.column("\0row").to_pylist()]
    places = np.array([found[row][0] for row in kept], dtype=np.int64)
    return checked.drop_columns(["\0row"]), places


def plainly_strings(roles: Iterable[str]) -> bool:
    """Whether these roles are strings that are taken as they are; labels have several spellings."""
    return set(roles) <= {"text", "id", "domain"}


def are_usable(data: Bytes, starts: Integers, stops: Integers) -> NDArray[np.bool_]:
    """Strings of a buffer that need no closer look: they are UTF-8, and surely not blank."""
    usable = _has_ink(data, starts, stops)
    odd = np.flatnonzero(usable & ~are_ascii(data, starts, stops))
    usable[odd] = are_valid(data, starts[odd], stops[odd])
    return usable  # type: ignore[no-any-return]  # compiled


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _has_ink(data: Bytes, starts: Integers, stops: Integers) -> NDArray[np.bool_]:  # pragma: no cover - compiled
    """Whether each string surely is not blank: it has a visible ASCII sign, or two signs of another script."""
    ink = np.zeros(len(starts), np.bool_)
    for row in range(len(starts)):
        wide = 0
        for place in range(starts[row], stops[row]):
            byte = data[place]
            wide += byte >= 0xC0
            if 32 < byte < 127 or wide > 16:  # there are some twenty spaces beyond ASCII; nobody writes seventeen in a row
                ink[row] = True
                break
    return ink


def numbered(prefix: str, numbers: Integers) -> pa.Array:
    """Strings ``prefix:number``, for numbers that are not negative.

    >>> numbered("a", np.array([0, 12])).to_pylist()
    ['a:0', 'a:12']
    """
    start = np.frombuffer(f"{prefix}:".encode(), np.uint8)
    bounds, joined = _numbered(start, np.asarray(numbers, np.int64))
    return pa.Array.from_buffers(pa.string(), len(numbers), [None, pa.py_buffer(bounds), pa.py_buffer(joined)])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _numbered(start: Bytes, numbers: Integers) -> Any:  # pragma: no cover - compiled
    bounds = np.zeros(len(numbers) + 1, np.int32)
    joined = np.empty(len(numbers) * (len(start) + 19), np.uint8)  # digits of the largest number
    at = 0
    for row in range(len(numbers)):
        joined[at : at + len(start)] = start
        at += len(start)
        number, digits = numbers[row], 1
        while number >= 10:
            number //= 10
            digits += 1
        number = numbers[row]
        for place in range(at + digits - 1, at - 1, -1):
            joined[place] = 48 + number % 10
            number //= 10
        at += digits
        bounds[row + 1] = at
    return bounds, joined[:at]
