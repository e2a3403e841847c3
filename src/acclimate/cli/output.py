"""The one table printer, and JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

#: Columns of a table that is not printed on a terminal.
_WIDTH = 140


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_DATACLASS
    sys.stdout.write(orjson.dumps(value, option=options, default=str).decode() + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], styles: Mapping[str, str] | None = None) -> None:
    """Print a table; a cell whose text is a key of ``styles`` takes that style. Numbers stand to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:  # a file or a pipe has no width of its own
        console = Console(width=_WIDTH)
    if title:  # a table wraps its own title to the width of its columns
        console.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for position, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[position], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        cells = [_text(cell) for cell in row]
        table.add_row(*(Text(cell, style=(styles or {}).get(cell, "")) for cell in cells))
    console.print(table)


def say_plan(plan: str, json: bool, **facts: Any) -> None:
    """What a dry run found out: a sentence for a person, the facts for a program."""
    if json:
        print_json({"dry_run": True, **facts})
    else:
        say(f"would {plan}")


def _text(cell: Any) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def say(message: str = "") -> None:
    """Print one line for a person on standard output."""
    from rich.console import Console

    Console().print(message, markup=False, highlight=False, soft_wrap=True)


def note(message: str) -> None:
    """Print one line on standard error: announcements and warnings, so that standard output stays clean for programs."""
    from rich.console import Console

    Console(stderr=True).print(message, style="dim", markup=False, highlight=False, soft_wrap=True)
