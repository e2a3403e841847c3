"""Runs a function over items on this machine: in this process, or in worker processes, with the same results in the same order."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from acclimate.errors import InputError, RunError

Item = TypeVar("Item")
Result = TypeVar("Result")

#: How many items per worker may be waiting or running at once: enough to keep workers busy, few enough to keep memory flat.
_IN_FLIGHT_PER_WORKER = 3
#: Seconds between two looks at whether the parent process still lives.
_WATCH_SECONDS = 0.25


def map_ordered(function: Callable[[Item], Result], items: Iterable[Item], workers: int = 1) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in order.

    With several workers, ``function`` and the items must be picklable; items are read only as fast as results are taken, so memory
    does not grow with the input. Each worker uses one thread, so that as many workers as cores share a machine well. An exception
    of ``function`` is raised here; the rest is given up. A worker ends soon after this process does, even when it is killed.

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
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    parent = os.getpid()
    # loky replaces a worker whose memory has grown, as it does while a model is loaded; that is nothing to tell a user.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given", module="joblib")
    # loky: its workers do not import the caller's script again, and one that dies is noticed.
    with parallel_config(backend="loky", inner_max_num_threads=1):
        pool = Parallel(n_jobs=workers, return_as="generator", batch_size=1, pre_dispatch=workers * _IN_FLIGHT_PER_WORKER)
        try:
            yield from pool(delayed(_in_worker)(function, item, parent) for item in items)
        except TerminatedWorkerError as error:
            raise RunError(
                "A worker process died",
                expected="workers that stay alive until their work is done",
                fix="use fewer workers if memory is short, then start again: what was finished is kept",
            ) from error


def _in_worker(function: Callable[[Item], Result], item: Item, parent: int) -> Result:
    _end_with(parent)
    return function(item)


def _end_with(parent: int) -> None:
    """End this worker when its parent is gone: work that nobody waits for must not write into a folder that is in use again."""
    name = f"acclimate-watch-{parent}"
    if os.getpid() == parent or any(thread.name == name for thread in threading.enumerate()):
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name=name, daemon=True).start()


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
