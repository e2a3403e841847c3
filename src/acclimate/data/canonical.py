"""The user's columns as a canonical table: ids and texts as strings, pictures as their bytes, conversations as JSON, labels spelt
one way, bad values named by their place.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from acclimate.data.bad_rows import BadRows, Place
from acclimate.data.columns import Columns
from acclimate.data.conversations import as_json, as_text, read_conversation
from acclimate.data.domain import ROLES
from acclimate.data.images import read_picture
from acclimate.data.values import Bad
from acclimate.engine.progress import track
from acclimate.errors import InputError

#: What says "no label" in files that cannot say null.
MISSING = ("", "nan", "<na>")
WHOLE = re.compile(r"([+-]?\d+)\.0+")

#: The roles whose values come again and again.
_REPEATED = ("label", "domain")

Where = Callable[[int], Place]
#: The order of the canonical columns.
ORDER = ("id", "text", "image", "messages", "label", "domain", "weight", "origin")
#: The types of the roles that are not strings.
KINDS = {"weight": pa.float64(), "image": pa.binary()}


def canonical_table(
    table: pa.Table,
    columns: Columns,
    default_ids: Sequence[str],
    where: Where,
    bad_rows: BadRows,
    folder: Callable[[int], Path] = lambda row: Path(),  # noqa: ARG005 - every row starts from the working folder
) -> pa.Table:
    """A table as :class:`acclimate.data.domain.Domain` documents it, without the rows that are bad.

    Args:
        table: the user's columns, ``n`` rows.
        columns: which column plays which role.
        default_ids: ``(n,)`` ids for data that has none.
        where: a row's place in its file, for messages.
        bad_rows: told about every row left out.
        folder: where the names of files in a row start from.

    Raises:
        InputError: a bad row under the policy ``"fail"``.
    """
    used = columns.used()
    values: dict[str, list[Any]] = {role: table.column(column).to_pylist() for role, column in used.items()}
    values.setdefault("id", list(default_ids))
    _read_contents(values, columns, folder)
    if _all_fine(values, columns):
        kept = list(range(table.num_rows))
    else:
        check = _RowCheck(columns, where, bad_rows)
        kept = [row for row in range(table.num_rows) if check.accepts(row, {role: column[row] for role, column in values.items()})]
    arrays: dict[str, pa.Array] = {}
    for role in sorted(values, key=ORDER.index):
        cells = values[role] if len(kept) == table.num_rows else [values[role][row] for row in kept]
        if role in _REPEATED and all(type(cell) is str for cell in cells):
            known = {cell: _canonical(role, cell) for cell in set(cells)}
            arrays[role] = pa.array([known[cell] for cell in cells], pa.string())
        else:
            arrays[role] = pa.array([_canonical(role, cell) for cell in cells], KINDS.get(role, pa.string()))
    if "label" in arrays and arrays["label"].null_count == len(kept):
        del arrays["label"]
    others = table.select([name for name in table.column_names if name not in used.values()]).take(pa.array(kept, pa.int64()))
    if "messages" in arrays and "text" in others.column_names and others.column("text").to_pylist() == arrays["text"].to_pylist():
        others = others.drop_columns(["text"])  # what acclimate itself wrote beside the conversations
    for name in others.column_names:
        arrays[_free_name(name, [*arrays, *others.column_names])] = others.column(name)
    return pa.table(arrays)


def _read_contents(values: dict[str, list[Any]], columns: Columns, folder: Callable[[int], Path]) -> None:
    """Open pictures and conversations in place; one that cannot be used becomes a :class:`Bad`."""
    role, column = columns.content
    if role == "image":
        cells = track(enumerate(values["image"]), "Reading pictures", total=len(values["image"]))
        values["image"] = [read_picture(cell, folder(row), column) for row, cell in cells]
    elif role == "messages":
        values["messages"] = [read_conversation(cell, column) for cell in values["messages"]]
        values["text"] = [turns if isinstance(turns, Bad) else as_text(turns) for turns in values["messages"]]


def _free_name(name: str, taken: Iterable[str]) -> str:
    """A user's column keeps its name unless acclimate gives that name a meaning of its own."""
    if name not in ROLES:
        return name
    renamed = f"{name}_original"
    while renamed in taken:
        renamed += "_"
    return renamed


def _all_fine(values: dict[str, list[Any]], columns: Columns) -> bool:
    """Whether surely no row is bad: only texts that are not blank, ids that are unique strings, and labels and domains that are
    strings. What :class:`_RowCheck` finds out row by row, in a twentieth of the time.
    """
    if columns.content[0] != "text" or not set(values) <= {"text", "id", "label", "domain"}:
        return False
    if not all(type(cell) is str and cell for column in values.values() for cell in column):
        return False
    if len(set(values["id"])) < len(values["id"]) or any(map(str.isspace, values["text"])):
        return False
    return all(_label_problem(label, columns.label) is None for label in set(values.get("label", ())))


class _RowCheck:
    """Says whether a row can be used; remembers the ids seen so far."""

    def __init__(self, columns: Columns, where: Where, bad_rows: BadRows) -> None:
        self.columns = columns
        self.where = where
        self.bad_rows = bad_rows
        self.seen: dict[str, int] = {}

    def accepts(self, row: int, value: dict[str, Any]) -> bool:
        """Whether every role has a usable value; otherwise the row is rejected with the first reason."""
        problem = _content_problem(value, self.columns)
        problem = problem or _label_problem(value.get("label"), self.columns.label)
        problem = problem or _weight_problem(value.get("weight"), self.columns.weight)
        problem = problem or self._id_problem(row, value["id"])
        if problem is not None:
            self.bad_rows.reject(self.where(row), problem[0], expected=problem[1])
        return problem is None

    def _id_problem(self, row: int, value: Any) -> tuple[str, str] | None:
        if value is None or value == "":
            return f"no id (column '{self.columns.id}')", "an id on every row"
        key = scalar_text(value)
        if key in self.seen:
            return f"the id '{key}' is already that of {self.where(self.seen[key])}", "unique ids"
        self.seen[key] = row
        return None


def _content_problem(value: dict[str, Any], columns: Columns) -> tuple[str, str] | None:
    role, column = columns.content
    content = value[role]
    if isinstance(content, Bad):
        return content.reason, content.expected
    return _text_problem(content, column) if role == "text" else None


def _text_problem(value: Any, column: str) -> tuple[str, str] | None:
    expected = "a text on every row"
    if isinstance(value, (list, dict, bytes)):
        return f"the column '{column}' holds a {type(value).__name__}, not a text", expected
    if value is None or (isinstance(value, float) and math.isnan(value)) or not str(value).strip():
        return f"an empty text (column '{column}')", expected
    return None


def _label_problem(value: Any, column: str | None) -> tuple[str, str] | None:
    expected = "a class name or number, or null for an example without a label"
    if isinstance(value, (list, dict, bytes)):
        return f"the column '{column}' holds a {type(value).__name__}, not one label", expected
    if isinstance(value, float) and math.isnan(value):
        return f"the label is NaN (column '{column}')", expected
    if isinstance(value, str) and value.strip().casefold() in MISSING:
        return f"an empty label ('{value}' in column '{column}')", expected
    return None


def _weight_problem(value: Any, column: str | None) -> tuple[str, str] | None:
    try:
        number = 1.0 if value is None else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        return f"the weight is '{value}' (column '{column}')", "a finite number that is not negative"
    return None


def _canonical(role: str, value: Any) -> Any:
    if value is None:
        return None
    match role:
        case "weight":
            return float(value)
        case "label":
            return label_text(value)
        case "text":
            return value if isinstance(value, str) else scalar_text(value)
        case "image":
            return value
        case "messages":
            return as_json(value)
        case _:
            return scalar_text(value)


def label_text(value: Any) -> str:
    """One spelling for one label, whatever type a file format gave it.

    >>> [label_text(value) for value in (1, 1.0, "1.0", True, " pos ", 0.5)]
    ['1', '1', '1', 'true', 'pos', '0.5']
    """
    text = scalar_text(value).strip()
    whole = WHOLE.fullmatch(text)
    return str(int(whole[1])) if whole else text


def scalar_text(value: Any) -> str:
    """A cell as a string: whole floats as integers, booleans as JSON writes them, nested values as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, (list, dict)):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return str(value)


def check_nonempty(table: pa.Table, where: str, skipped: int) -> None:
    """Raise an InputError when nothing usable is left."""
    if table.num_rows == 0:
        found = f"{where} has no usable row" + (f": all {skipped} were skipped" if skipped else "")
        raise InputError(found, expected="at least one example", fix="check the file and the columns named")
