"""What readers of every format share: quick records become a canonical table as they are, the others are looked at one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
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
from acclimate.data.wide import PADDING

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]
Spans = Mapping[str, tuple[Integers, Integers]]

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
    """Usable rows as a canonical table, their places among ``records`` records."""

    table: pa.Table
    places: Integers
    records: int


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


def are_usable(data: Bytes, spans: Mapping[str, tuple[Integers, Integers]], read: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Records that need no closer look: every wanted string is there, is UTF-8 and not blank; and there are no labels, which have
    several spellings.
    """
    if set(spans) - {"text", "id", "domain"}:
        return np.zeros(len(read), np.bool_)
    usable = read.copy()
    for starts, stops in spans.values():
        usable &= starts >= 0
        usable &= _has_ink(data, starts, stops)
        rows = np.flatnonzero(usable)
        odd = rows[~are_ascii(data, starts[rows], stops[rows])]
        usable[odd] &= are_valid(data, starts[odd], stops[odd])
    return usable


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


def strings_table(data: Bytes, spans: Mapping[str, tuple[Integers, Integers]]) -> pa.Table:
    """Strings of a buffer as a canonical table; ids are null where there are none."""
    arrays = {}
    for role, (starts, stops) in spans.items():
        offsets, joined = _gathered(data, starts, stops)
        arrays[role] = pa.Array.from_buffers(pa.string(), len(starts), [None, pa.py_buffer(offsets), pa.py_buffer(joined)])
    rows = len(next(iter(spans.values()))[0])
    arrays.setdefault("id", pa.nulls(rows, pa.string()))
    return pa.table(arrays)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _gathered(data: Bytes, starts: Integers, stops: Integers) -> Any:  # pragma: no cover - compiled
    offsets = np.zeros(len(starts) + 1, np.int32)
    for row in range(len(starts)):
        offsets[row + 1] = offsets[row] + stops[row] - starts[row]
    joined = np.empty(offsets[-1] + PADDING, np.uint8)
    joined[offsets[-1] :] = 0
    for row in range(len(starts)):
        joined[offsets[row] : offsets[row + 1]] = data[starts[row] : stops[row]]
    return offsets, joined
