"""A run's folder: locked while it runs, keyed step by step, so that a second start does only what is missing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from acclimate.engine.storage import write_parquet
from acclimate.errors import RunError


class RunFolder:
    """The place of everything one recipe made.

    Layout: ``recipe.yaml`` (resolved), ``manifest.json``, ``steps/*.parquet`` (one per finished unit of work, named by the hash of
    its inputs and settings), ``selection/``, ``augmented/``, ``models/``, ``evidence.parquet``, ``costs.parquet``, ``ledger.json``,
    ``report.html``, ``log.jsonl``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock. A killed process leaves none behind (the operating system releases it).

        Raises:
            RunError: another process is running in this folder, or the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"The run folder '{self.path}' cannot be made: {error.strerror}",
                expected="a folder that can be written",
                fix="choose another with --out",
            ) from error
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise RunError(
                f"Another process is running in '{self.path}'",
                expected="one process per run folder",
                fix="wait for it to end, or give this run another name with --out",
            ) from error
        try:
            self._sweep()
            yield
        finally:
            lock.release()

    def _sweep(self) -> None:
        """Remove the temporary files of a process that was killed while writing."""
        for leftover in self.path.rglob(".*.part"):
            leftover.unlink(missing_ok=True)

    def step(self, key: str, make: Callable[[], pa.Table]) -> pa.Table:
        """The table of a unit of work: read if it is there, else made and kept."""
        table = self.read_step(key)
        if table is not None:
            return table
        started = time.perf_counter()
        table = make()
        write_parquet(self._place(key), table)
        self.log("step", key=key, rows=table.num_rows, seconds=round(time.perf_counter() - started, 3))
        return table

    def read_step(self, key: str) -> pa.Table | None:
        """The table of a finished unit; None where it is missing, or damaged from outside."""
        try:
            return pq.read_table(self._place(key), page_checksum_verification=True)
        except (OSError, pa.ArrowInvalid):
            return None

    def _place(self, key: str) -> Path:
        return self.path / "steps" / f"{key}.parquet"

    def log(self, event: str, **figures: Any) -> None:
        """Append one line to ``log.jsonl``."""
        line = orjson.dumps({"event": event, "time": round(time.time(), 3), **figures}, option=orjson.OPT_APPEND_NEWLINE)
        with (self.path / "log.jsonl").open("ab") as file:
            file.write(line)
