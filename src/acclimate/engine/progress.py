"""Progress with a remaining time, on standard error, only where a person watches.

Library code calls :func:`track`; the command line switches it on with :func:`show`. Silent by default, so that importing acclimate
into a notebook or a service prints nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

Item = TypeVar("Item")

_shown: ContextVar[Progress | None] = ContextVar("acclimate_progress", default=None)


@contextlib.contextmanager
def show() -> Iterator[None]:
    """Draw progress bars for everything tracked inside; a plain no-op where standard error is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        token = _shown.set(progress)
        try:
            yield
        finally:
            _shown.reset(token)


@contextlib.contextmanager
def meter(label: str, total: int, unit: str = "docs") -> Iterator[Callable[[int, int], None]]:
    """Yields ``advance(amount, count)``: moves a bar by ``amount`` of ``total`` and shows how many ``unit`` a second went by.

    >>> with meter("reading", 10) as advance:
    ...     advance(5, 100)
    """
    progress = _shown.get()
    if progress is None:
        yield lambda amount, count: None  # noqa: ARG005 - nobody watches
        return
    task, begun, done = progress.add_task(label, total=total), time.monotonic(), 0

    def advance(amount: int, count: int) -> None:
        nonlocal done
        done += count
        rate = done / max(time.monotonic() - begun, 1e-9)
        progress.update(task, advance=amount, description=f"{label} {rate:,.0f} {unit}/s")

    try:
        yield advance
    finally:
        progress.remove_task(task)


def track(items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items, moving a bar called ``label`` where bars are shown.

    >>> sum(track([1, 2, 3], "adding"))
    6
    """
    progress = _shown.get()
    if progress is None:
        yield from items
        return
    if total is None:
        try:
            total = len(items)  # type: ignore[arg-type]  # an iterator has no length; the bar then shows no end
        except TypeError:
            total = None
    task = progress.add_task(label, total=total)
    try:
        for item in items:
            yield item
            progress.advance(task)
    finally:
        progress.remove_task(task)
