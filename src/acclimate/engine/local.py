"""Runs a function over items on this machine: in this process, or in worker processes, with the same results in the same order."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from acclimate.errors import InputError, RunError

Item = TypeVar("Item")
Result = TypeVar("Result")

#: How many items per worker may be waiting or running at once: enough to keep workers busy, few enough to keep memory flat.
_IN_FLIGHT_PER_WORKER = 3


def map_ordered(function: Callable[[Item], Result], items: Iterable[Item], workers: int = 1) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in order.

    With several workers, ``function`` and the items must be picklable; items are read only as fast as results are taken, so memory does
    not grow with the input. An exception of ``function`` is raised here, and the rest is cancelled.

    Raises:
        InputError: ``workers`` is less than 1.
        RunError: a worker process died (killed, out of memory).

    >>> list(map_ordered(len, ["a", "bb", ""]))
    [1, 2, 0]
    """
    if workers < 1:
        raise InputError(f"{workers} workers were asked for", expected="at least 1", fix="set workers to 1 or more")
    if workers == 1:
        yield from map(function, items)
        return
    # "spawn": a forked child of a process with running threads (torch, Arrow) can deadlock.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=workers, mp_context=context) as pool:
        try:
            yield from _in_order(pool, function, items, limit=workers * _IN_FLIGHT_PER_WORKER)
        except BrokenProcessPool as error:
            raise RunError(
                "A worker process died",
                expected="workers that stay alive until their work is done",
                fix="use fewer workers if memory is short, then start again: what was finished is kept",
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], limit: int) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) >= limit:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
