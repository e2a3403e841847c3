"""Several files as one table in which every row still knows its file and line."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from acclimate.data.bad_rows import BadRows, Place
from acclimate.data.columns import resolve
from acclimate.data.domain import unify
from acclimate.data.hub import is_hub, read_hub
from acclimate.data.images import holds_pictures
from acclimate.data.locate import PathLike, as_list, distinct_prefixes, expand
from acclimate.data.picture_folder import read_folder
from acclimate.data.read import Rows, read_file
from acclimate.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Gathered:
    """The rows of all files in order.

    Attributes:
        parts: the files.
        table: their rows under the user's column names; a column that only some files have is null elsewhere.
        default_ids: ``(n,)`` ids for data that brings none: ``stem:row``, rows counted from 0 within a file.
    """

    parts: tuple[Rows, ...]
    table: pa.Table
    default_ids: list[str]

    @property
    def stem(self) -> str:
        """The name of the first file without folder and suffixes."""
        return self.parts[0].stem

    @property
    def where(self) -> str:
        """The files as messages name them."""
        more = f" (and {len(self.parts) - 1} more)" if len(self.parts) > 1 else ""
        return f"'{self.parts[0].file}'{more}"

    @property
    def notes(self) -> list[str]:
        """What reading the files announced."""
        return [note for part in self.parts for note in part.notes]

    def place(self, row: int) -> Place:
        """Where row ``row`` of the whole stands."""
        part, row_there = self._locate(row)
        return self.parts[part].place(row_there)

    def folder(self, row: int) -> Path:
        """Where names of files that row ``row`` of the whole holds start from."""
        return self.parts[self._locate(row)[0]].folder

    def _locate(self, row: int) -> tuple[int, int]:
        """(part, row in it) of a row of the whole."""
        part = bisect.bisect_right(self._ends, row)
        return part, row - (self._ends[part - 1] if part else 0)

    @cached_property
    def _ends(self) -> list[int]:
        return list(itertools.accumulate(part.table.num_rows for part in self.parts))

    def require(self, column: str, role: str) -> None:
        """Raise an InputError that names the first file without ``column``."""
        for part in self.parts:
            if column not in part.table.column_names:
                resolve(part.table, {role: column}, f"'{part.file}'")


def gather(path: PathLike | Sequence[PathLike], bad_rows: BadRows) -> Gathered:
    """Read everything that ``path`` means: a file, a pattern, a folder of pictures, a hub data set, or several of them.

    Raises:
        InputError: see :func:`acclimate.data.read.read_file`; also a file without any row, or a file named twice.
    """
    parts: list[Rows] = []
    for one in as_list(path):
        if is_hub(one):
            parts.append(read_hub(one))
        else:
            parts.extend(read_folder(file, bad_rows) if holds_pictures(file) else read_file(file, bad_rows) for file in expand(one))
    for part in parts:
        if part.table.num_rows == 0:
            skipped = f": all {bad_rows.count} were skipped" if bad_rows.count else ""
            raise InputError(f"'{part.file}' has no usable row{skipped}", expected="at least one example", fix="check the file")
    files = [part.file for part in parts]
    twice = next((file for file in files if files.count(file) > 1), None)
    if twice is not None:
        raise InputError(f"'{twice}' is named twice", expected="each file once", fix="remove one of them")
    prefixes = distinct_prefixes(files, [part.stem for part in parts])
    default_ids = [f"{prefix}:{row}" for prefix, part in zip(prefixes, parts, strict=True) for row in part.positions]
    return Gathered(tuple(parts), unify([part.table for part in parts]), default_ids)
