"""Runs a function over items on this machine: in this process, or in worker processes, with the same results in the same order."""

from __future__ import annotations

import dataclasses
import functools
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from acclimate.engine.process import collect_rarely, start_light
from acclimate.errors import InputError, RunError

Item = TypeVar("Item")
Result = TypeVar("Result")
Shared = TypeVar("Shared")

#: How many items per worker may be waiting or running at once: enough to keep workers busy, few enough to keep memory flat.
_IN_FLIGHT_PER_WORKER = 3
#: Seconds between two looks at whether the parent process still lives.
_WATCH_SECONDS = 0.25


class WorkerDiedError(RunError):
    """A worker process was killed, or ran out of memory."""


#: How often workers may die during a job before it is given up.
_DEATHS = 3


@dataclasses.dataclass(frozen=True)
class Local:
    """An engine (:class:`acclimate.engine.base.Engine`) of processes on this machine; one worker is this process itself.

    What is shared is written once into a temporary folder, from which workers map its arrays: they are in memory once. Items are
    handed out as workers become free. A worker that dies is replaced and its item done again.
    """

    workers: int = 1

    name = "local"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Workers are kept for the next job, and end with this process."""

    def run(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """(place of the item, result), as they come; in order with one worker.

        Raises:
            RunError: workers died three times.
        """
        if self.workers == 1 or len(items) < 2:
            for place, item in enumerate(items):
                yield place, function(shared, item)
            return
        import joblib

        missing = dict(enumerate(items))
        with tempfile.TemporaryDirectory(prefix="acclimate-") as folder:
            there = Path(folder) / "shared"
            try:
                joblib.dump(shared, there)
            except OSError as error:
                raise RunError(
                    f"'{there}', which workers share, could not be written: {error.strerror or error}",
                    expected="room in the folder of temporary files",
                    fix="free some, or name another folder with TMPDIR, then start again: what was finished is kept",
                ) from error
            for deaths in range(_DEATHS):
                try:
                    for place, result in self._once(function, there, missing):
                        del missing[place]
                        yield place, result
                    return
                except WorkerDiedError:
                    if deaths + 1 == _DEATHS:
                        raise

    def _once(self, function: Callable[..., Result], there: Path, items: dict[int, Item]) -> Iterator[tuple[int, Result]]:
        """All items, until the first worker dies."""
        places, pieces = list(items), list(items.values())
        work = partial(_with_shared, function, str(there))
        yield from map_unordered(work, list(zip(places, pieces, strict=True)), self.workers)


def _with_shared(function: Callable[[Any, Any], Any], there: str, numbered: tuple[int, Any]) -> tuple[int, Any]:
    place, item = numbered
    return place, function(_loaded(there), item)


@functools.lru_cache(maxsize=1)
def _loaded(there: str) -> Any:
    """What is shared, its arrays mapped rather than read; loaded once in each worker."""
    import joblib

    collect_rarely()
    start_light()
    return joblib.load(there, mmap_mode="r")


def map_unordered(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Yield ``function(item)`` for each item as results come; otherwise as :func:`map_ordered`."""
    return _mapped(function, items, workers, "generator_unordered")


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
    yield from _mapped(function, items, workers, "generator")


def _mapped(function: Callable[[Item], Result], items: Iterable[Item], workers: int, order: str) -> Iterator[Result]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    parent = os.getpid()
    # loky replaces a worker whose memory has grown, as it does while a model is loaded; that is nothing to tell a user.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given", module="joblib")
    # loky: its workers do not import the caller's script again, and one that dies is noticed.
    with parallel_config(backend="loky", inner_max_num_threads=1):
        pool = Parallel(n_jobs=workers, return_as=order, batch_size=1, pre_dispatch=workers * _IN_FLIGHT_PER_WORKER)
        try:
            yield from pool(delayed(_in_worker)(function, item, parent) for item in items)
        except TerminatedWorkerError as error:
            raise WorkerDiedError(
                "A worker process died",
                expected="workers that stay alive until their work is done",
                fix="use fewer workers if memory is short, then start again: what was finished is kept",
            ) from error


def _in_worker(function: Callable[[Item], Result], item: Item, parent: int) -> Result:
    end_with(parent)
    return function(item)


def end_with(parent: int) -> None:
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
