"""Pictures in folders: read from them, and written as ``class/picture.png`` with all else in ``metadata.jsonl``.

The written layout is that of Hugging Face's image folders: every line of ``metadata.jsonl`` names a picture as ``file_name`` and
holds its other columns (id, label, origin, ...), so that nothing is lost that a Parquet file would keep.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from acclimate.data.bad_rows import BadRows, display
from acclimate.data.images import is_picture_file, suffix_of
from acclimate.data.read import Rows, parse
from acclimate.engine.storage import cannot_write
from acclimate.errors import InputError

METADATA = "metadata.jsonl"
FILE_NAME = "file_name"
#: Where pictures without a label lie beside others that have one.
UNLABELLED = "unlabelled"
#: No file system takes more bytes of a name than 255; an ending and a number have to fit as well.
_LONGEST = 200


@contextlib.contextmanager
def writing_pictures(folder: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Write tables with a column ``image`` one after another into a folder that is there, whole, only when all are.

    A class is a folder, a picture a file called by its id; characters that some file system refuses become ``-``, and names that
    would coincide are numbered. Equal tables give equal files.

    Raises:
        InputError: see :func:`check_folder`.
        RunError: the folder cannot be written, or the disk is full; nothing half-written is left.
    """
    check_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        with (work / METADATA).open("wb") as listed:
            writer = _Writer(work, schema)
            yield lambda table: listed.writelines(writer.put(table))
        work.chmod(0o755)
        if folder.is_dir():
            folder.rmdir()  # empty, or it would not have come here
        work.replace(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check_folder(folder: Path) -> None:
    """Raise an InputError where pictures would come beside other files, or in the place of one."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"'{display(folder)}' is a file", expected="an empty or a new folder", fix="name another one")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"'{display(folder)}' holds other files", expected="an empty or a new folder", fix="name another one")


def read_folder(folder: Path, bad_rows: BadRows) -> Rows:
    """A folder of pictures: ``class/picture``, ``domain/class/picture``, or pictures alone, which have no label.

    Columns: ``image`` and ``file`` (the path inside the folder, which also makes the id), and ``label`` and ``domain`` where the
    folders say them. Files in path order, not opened yet; what starts with a dot is passed over. Columns of ``metadata.jsonl``
    go before what the folders say.

    Raises:
        InputError: pictures at different depths, or deeper than two folders; see also :func:`read_metadata`.
    """
    names, others = _files_below(folder)
    shown = display(folder)
    parts = [Path(name).parent.parts for name in names]
    depths = sorted({len(part) for part in parts})
    if len(depths) > 1 or depths[0] > 2:
        examples = ", ".join(f"'{next(name for name, part in zip(names, parts, strict=True) if len(part) == d)}'" for d in depths)
        raise InputError(
            f"The pictures of '{shown}' lie {' and '.join(map(str, depths))} folders deep, such as {examples}",
            expected="class/picture.png everywhere, or domain/class/picture.png everywhere",
            fix="move the others elsewhere, or name the folder that holds the classes",
        )
    columns = {"image": pa.array(names, pa.string()), "file": pa.array(names, pa.string())}
    said = {1: ("label",), 2: ("domain", "label")}.get(depths[0], ())
    for level, role in enumerate(said):
        columns[role] = pa.array([part[level] for part in parts], pa.string())
    listed = read_metadata(folder, names, bad_rows)
    if listed is not None:
        columns |= {name: listed.column(name) for name in listed.column_names if name not in ("image", "file")}
        said = tuple(role for role in said if role not in listed.column_names)
        if "id" in columns:
            columns["id"] = pc.coalesce(columns["id"].cast(pa.string()), columns["file"])
    notes = [f"'{shown}': the names of the folders were taken for the {' and the '.join(said)}"] if said else []
    notes += [f"'{shown}': {others} files that are no pictures were passed over"] if others else []
    return Rows(shown, folder.resolve().name, pa.table(columns), "row", range(1, len(names) + 1), names, tuple(notes), folder)


def _files_below(folder: Path) -> tuple[list[str], int]:
    """The relative paths of the pictures, sorted, and how many other files there are."""
    pictures: list[str] = []
    others = 0
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        for name in files:
            if name.startswith("."):
                continue
            if is_picture_file(name):
                pictures.append((Path(place) / name).relative_to(folder).as_posix())
            elif name != METADATA or Path(place) != folder:
                others += 1
    return sorted(pictures), others


def read_metadata(folder: Path, names: list[str], bad_rows: BadRows) -> pa.Table | None:
    """The columns that ``metadata.jsonl`` has for the pictures ``names``, in their order; None where there is no such file.

    A picture that it does not list has null in each column.

    Raises:
        InputError: no column ``file_name``, or a picture listed twice.
    """
    file = folder / METADATA
    if not file.is_file():
        return None
    table = parse(display(file), file.stem, "jsonl", file.read_bytes(), bad_rows).table
    if FILE_NAME not in table.column_names:
        raise InputError(
            f"'{display(file)}' has no column '{FILE_NAME}'",
            expected=f"a '{FILE_NAME}' on every line: the path of a picture in the folder",
            fix="add it, or remove the file",
        )
    rows: dict[str, int] = {}
    for row, name in enumerate(table.column(FILE_NAME).to_pylist()):
        if rows.setdefault(str(name), row) != row:
            raise InputError(f"'{display(file)}' lists '{name}' twice", expected="each picture once", fix="remove one of the lines")
    return table.drop_columns([FILE_NAME]).take(pa.array([rows.get(name) for name in names], pa.int64()))


class _Writer:
    """Pictures into files, and a line about each."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._folder = folder
        self._classed = "label" in schema.names
        self._classes = _Names()
        self._pictures = _Names()

    def put(self, table: pa.Table) -> Iterator[bytes]:
        """Write the pictures of a table; the lines of ``metadata.jsonl`` on them."""
        for row in table.to_pylist():
            picture = row.pop("image")
            name = self._pictures.of(str(row["id"])) + suffix_of(picture)
            if self._classed:
                label = row.get("label")
                name = f"{self._classes.of(UNLABELLED if label is None else str(label))}/{name}"
            place = self._folder / name
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(picture)
            yield orjson.dumps({FILE_NAME: name, **row}, default=str) + b"\n"


class _Names:
    """Names of files for strings: legible, harmless, and no two alike where case does not count.

    >>> names = _Names()
    >>> [names.of(key) for key in ("cats/1.png", "cats-1.png", "cats/1.png", "..", "", "猫")]
    ['cats-1.png', 'cats-1.png-2', 'cats-1.png', '--', '-', '猫']
    """

    def __init__(self) -> None:
        self._given: dict[str, str] = {}
        self._taken: set[str] = set()

    def of(self, key: str) -> str:
        """The name that belongs to ``key``."""
        if key not in self._given:
            plain = _harmless(key)
            name, number = plain, 1
            while name.casefold() in self._taken:
                number += 1
                name = f"{plain}-{number}"
            self._taken.add(name.casefold())
            self._given[key] = name
        return self._given[key]


def _harmless(key: str) -> str:
    """Without what separates, hides or ends a path somewhere, and short enough."""
    short = key.encode("utf-8", "ignore")[:_LONGEST].decode("utf-8", "ignore")
    return re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]|^(\.|__)|[. ]$', "-", short) or "-"
