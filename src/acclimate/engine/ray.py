"""The pieces of a job on Ray Data: a cluster on this machine, or one that is joined."""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, TypeVar

from acclimate.errors import AcclimateError, InputError, MissingExtraError, RunError

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")


#: How often the worker of an item may die before the job is given up.
_DEATHS = 3


@dataclasses.dataclass(frozen=True)
class Ray:
    """An engine (:class:`acclimate.engine.base.Engine`) on Ray Data.

    What is shared is put into the object store once. A worker that dies is replaced by Ray, and its item done again, up to
    three times. Files are
    written by workers: on a cluster of several machines the folder has to be one that all of them see.

    Args:
        workers: items at once.
        address: of the cluster; one with ``workers`` processors is started on this machine, and stopped, where not given.
    """

    workers: int = 1
    address: str | None = None
    _begun: list[bool] = dataclasses.field(default_factory=list, init=False, repr=False, compare=False)

    name = "ray"

    def run(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """(place of the item, result), as they come.

        Raises:
            InputError: Ray is not installed, or no cluster answers at the address.
            RunError: workers keep dying.
        """
        if not items:
            return
        with self:
            ray = _ray()
            try:
                there = ray.put(pickle.dumps((function, shared, list(items)), protocol=5))
                rows = ray.data.range(len(items), override_num_blocks=len(items))
                done = rows.map_batches(
                    _work,
                    fn_kwargs={"there": [there], "path": list(sys.path)},
                    batch_size=1,
                    num_cpus=1,
                    concurrency=min(self.workers, len(items)),
                    max_retries=_DEATHS,
                )
                for row in done.iter_rows():
                    result = pickle.loads(row["result"])
                    if isinstance(result, AcclimateError):
                        raise result
                    yield int(row["place"]), result
            except (ray.exceptions.RayError, RuntimeError) as error:
                raise RunError(
                    f"Ray gave up ({type(error).__name__})",
                    expected="workers that stay alive until their work is done",
                    fix="look at Ray's own logs; start again: what was finished is kept",
                ) from error

    def __enter__(self) -> Self:
        """Join or start a cluster, unless this program has one already."""
        self._begun.append(self._begin(_ray()))
        return self

    def __exit__(self, *_: object) -> None:
        if self._begun.pop():
            _ray().shutdown()

    def _begin(self, ray: Any) -> bool:
        """Join or start a cluster; gives whether one was started here."""
        if ray.is_initialized():
            return False
        quiet = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": True}
        try:
            if self.address is not None:
                ray.init(address=self.address, **quiet)
            else:
                ray.init(num_cpus=self.workers, include_dashboard=False, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                f"No Ray cluster answers at '{self.address}'" if self.address else f"Ray did not start ({error})",
                expected="an address such as auto, HOST:6379 or ray://HOST:10001",
                fix="check `ray status` there, or leave the address out to start one on this machine",
            ) from error
        return True


def _work(batch: dict[str, Any], there: list[Any], path: list[str]) -> dict[str, list[Any]]:
    """One item of the job, in a Ray worker. What goes wrong is handed back: Ray would wrap it, and try again and again."""
    place = int(batch["id"][0])
    try:
        function, shared, items = _job(there[0], tuple(path))
        result = function(shared, items[place])
    except AcclimateError as error:
        result = error
    except OSError as error:
        result = RunError(
            f"A Ray worker could not read or write ({error})",
            expected="files that every machine of the cluster can reach, and room for what is written",
            fix="check that folder there, then start again: what was finished is kept",
        )
    except (ImportError, AttributeError) as error:
        result = RunError(
            f"A Ray worker cannot load the job ({error})",
            expected="the same packages and modules on every machine of the cluster",
            fix="install acclimate, and what the method is handed, there",
        )
    return {"place": [place], "result": [pickle.dumps(result, protocol=5)]}


@functools.lru_cache(maxsize=1)
def _job(there: Any, path: tuple[str, ...]) -> Any:
    """Function, what is shared, and items; loaded once in each worker."""
    import ray

    sys.path.extend(entry for entry in path if entry not in sys.path)
    return pickle.loads(ray.get(there))


def _ray() -> Any:
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("The engine 'ray'", "ray") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_options.preserve_order = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what it would say is raised
    logging.getLogger("ray").setLevel(logging.ERROR)
    return ray
