"""What selecting from a pool would take: measured on pieces of it, scaled to the whole."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acclimate.data.domain import unify
from acclimate.data.shards import Pool, Shard, rows_estimated
from acclimate.data.target import Target
from acclimate.engine.local import Local
from acclimate.engine.storage import write_array
from acclimate.errors import InputError
from acclimate.select.base import AddsUp, Toolbox
from acclimate.select.stream.choice import Choice
from acclimate.select.stream.folder import check_format
from acclimate.select.stream.jobs import (
    Job,
    ToKeep,
    ToScore,
    ToWrite,
    keep,
    load_scores,
    score,
    survey,
    write_part,
)
from acclimate.select.stream.near import HYGIENE, duplicates
from acclimate.select.stream.run import fit_sample
from acclimate.select.stream.threshold import Threshold, chosen, find_threshold

#: Bytes of each piece that is measured, at most, and how many pieces: from the beginning, the middle and the end.
PIECE_BYTES, PIECES = 12 << 20, 3
#: Bytes of a first look, which says how fast a method is; and CPU seconds that all pieces may take, about, beside the fit.
FIRST_BYTES, SECONDS = 1 << 16, 15.0
#: How many times as large as the last pieces the next ones are, at most.
GROWTH = 8
#: Seconds until a further worker process has loaded what it needs, measured on two cores.
_WORKER_START = 1.5


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a job would take on this machine.

    Attributes:
        seconds: wall time, with the given number of workers on as many free cores.
        cpu_seconds: of all processes.
        memory_bytes: of one process at its largest.
        disk_bytes: written while it runs, at most, and kept of that.
        rows: of the pool, about.
        kept: rows, about.
        measured_bytes: what was read to know this.
    """

    seconds: float
    cpu_seconds: float
    memory_bytes: int
    disk_bytes: tuple[int, int]
    rows: int
    kept: int
    measured_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**dataclasses.asdict(self), "disk_bytes": {"at_most": self.disk_bytes[0], "kept": self.disk_bytes[1]}}


def estimate(
    pool: Pool,
    target: Target,
    *,
    choice: Choice,
    tools: Toolbox | None = None,
    workers: int = 1,
    format: str = "parquet",  # noqa: A002 - the name users know
    started: float = 0.0,
) -> Estimate:
    """Do the work on some megabytes of the pool, and say what all of it would take.

    Every stage is run on pieces from the beginning, the middle and the end, as many as take a quarter of a minute; what that takes
    is scaled to the whole. A method is fitted on as many rows as it will be, where the pieces have them; else that is scaled, too.
    What is loaded once (models, compiled code) is measured apart; what a first start compiles, or downloads, is not counted.

    Measured beside the whole job on 50,000 and 500,000 documents (``benchmarks/scale.py``, part ``estimate``).

    Args:
        workers: processes of the job.
        format: of the parts.
        started: CPU seconds that a command takes before it comes here: starting Python, importing, reading the target.

    Raises:
        InputError: as :func:`acclimate.select.stream.run.select_stream`.
    """
    check_format(format)
    tools = dataclasses.replace(tools or Toolbox(), seed=choice.seed)
    with tempfile.TemporaryDirectory(prefix="acclimate-estimate-") as name:
        job = choice.job(pool, target, Path(name) / "first", tools)
        taken, loaded = _first(_Measure(job, target, tools, choice, format))
        each, grows = FIRST_BYTES, True
        while grows:
            shutil.rmtree(job.work)
            each, before = _next_size(each, taken), each
            job = dataclasses.replace(job, selector=choice.selector(tools))
            taken = _Measure(job, target, tools, choice, format)(_pieces(pool, each))
            grows = each > before and _next_size(each, taken) > 1.5 * each
    return _scaled(pool, taken, choice, workers, started + loaded)


def _next_size(each: int, taken: _Taken) -> int:
    """Bytes of the next pieces to measure: not too many more at once, for what was measured may have been remembered vectors."""
    affordable = int(SECONDS / PIECES * taken.bytes / max(taken.each, 1e-9))
    return max(FIRST_BYTES, min(affordable, GROWTH * each, PIECE_BYTES))


@dataclasses.dataclass
class _Taken:
    """What the stages took on the pieces: CPU seconds of what grows with the pool, of the fit, bytes, and rows."""

    bytes: int = 0
    rows: int = 0
    usable: int = 0
    kept: int = 0
    each: float = 0.0
    fit: float = 0.0
    fitted: int = 0
    memory: int = 0
    fit_memory: int = 0
    scratch_bytes: int = 0
    part_bytes: int = 0
    part_frame: int = 0

    @contextlib.contextmanager
    def clocked(self) -> Iterator[None]:
        """Count what is done inside as growing with the pool."""
        begun = time.process_time()
        yield
        self.each += time.process_time() - begun


def _first(measure: _Measure) -> tuple[_Taken, float]:
    """A first look at a small piece, twice: what it takes, and what was loaded for it once, in CPU seconds."""
    from numba.core import event

    compiled: list[float] = []
    piece = _pieces(measure.job.pool, FIRST_BYTES)[:1]
    times = []
    for _ in range(2):
        begun = time.process_time()
        with event.install_timer("numba:compile", compiled.append):
            taken = measure(piece)
        times.append(time.process_time() - begun)
    return taken, max(0.0, times[0] - times[1] - sum(compiled))


@dataclasses.dataclass(frozen=True, eq=False)
class _Measure:
    """Runs every stage on some pieces with the clock on."""

    job: Job
    target: Target
    tools: Toolbox
    choice: Choice
    format: str

    def __call__(self, pieces: Sequence[Shard]) -> _Taken:
        job, taken = self.job, _Taken()
        taken.bytes = sum(_size(job.pool, piece) for piece in pieces)
        surveyed, statistic = [], None
        with taken.clocked():
            for piece in pieces:
                one = survey(job, piece)
                if one.statistic is not None:
                    statistic = np.zeros(len(one.statistic), np.int64) if statistic is None else statistic
                    statistic += one.statistic
                surveyed.append(dataclasses.replace(one, statistic=None))
                del one
        taken.rows, taken.usable = sum(one.records for one in surveyed), sum(one.usable for one in surveyed)
        if not taken.usable:
            raise InputError("None of the rows that were looked at can be chosen", expected="usable examples", fix="check the pool")
        before = _largest()
        self._fit(statistic, pieces, taken)
        del statistic
        taken.fit_memory = _largest() - before
        with taken.clocked():
            for piece, one in zip(pieces, surveyed, strict=True):
                score(job, ToScore(piece, 0, one.records, one.digest))
            self._leave_out_repeats(pieces)
        self._keep(pieces, taken)
        taken.memory = _largest()
        return taken

    def _fit(self, statistic: NDArray[np.int64] | None, pieces: Sequence[Shard], taken: _Taken) -> None:
        job = self.job
        if statistic is not None:
            begun = time.process_time()
            cast("AddsUp", job.selector).settle(statistic, self.target)
            taken.fit = time.process_time() - begun
            return
        share = max(job.sampled, min(1.0, self.choice.fit_rows / taken.usable))
        job = dataclasses.replace(job, sampled=share, work=job.work / "fit")
        for piece in pieces:  # once more, to have as many rows as the job will have, or all
            survey(job, piece)
        taken.fitted = sum(pq.read_metadata(file).num_rows for file in (job.work / "sample").glob("*.parquet"))
        begun = time.process_time()
        fit_sample(job, pieces, {piece.number: 0 for piece in pieces}, self.target, self.tools, self.choice.method)
        taken.fit = time.process_time() - begun

    def _leave_out_repeats(self, pieces: Sequence[Shard]) -> None:
        if not self.job.distinct:
            return
        scored = dataclasses.replace(self.job, distinct=False)
        part = dataclasses.replace(self.job.pool, shards=tuple(pieces))
        found = duplicates(part, Local(), self.job.work, HYGIENE, lambda number: load_scores(scored, number)[0])
        for piece in pieces:
            write_array(self.job.place("repeats", piece.number, ".npy"), found.positions(piece.number))

    def _keep(self, pieces: Sequence[Shard], taken: _Taken) -> None:
        """Keep as large a part of the pieces as of the pool, and write it."""
        numbers = [piece.number for piece in pieces]
        scale = _scale(self.job.pool, taken)
        limit = max(1.0, self.choice.budget.limit(max(1, round(taken.usable * scale))) / scale)
        found = find_threshold(lambda number: load_scores(self.job, number), numbers, limit)
        found = found or Threshold(-np.inf, 0, taken.usable, 0.0)
        ties = 0
        files = []
        with taken.clocked():
            for piece in pieces:
                scores = load_scores(self.job, piece.number)[0]
                rows = len(chosen(scores, found, ties))
                ties += int((scores == found.score).sum())
                if rows:
                    keep(self.job, ToKeep(piece, 0, found, ties - int((scores == found.score).sum()), np.arange(rows)))
                    files.append(self.job.place("kept", piece.number, ".parquet"))
            schema = unify([pq.read_schema(file).empty_table() for file in files]).schema
            part = self.job.work / f"part.{self.format}"
            write_part(self.job, ToWrite(tuple(int(file.stem) for file in files), part, schema, 1.0))
        taken.kept, taken.part_bytes = found.taken, part.stat().st_size
        if self.format == "parquet":  # its footer is written once, however many rows there are
            taken.part_frame = pq.read_metadata(part).serialized_size
        taken.scratch_bytes = sum(
            file.stat().st_size for file in self.job.work.rglob("*") if file.is_file() and "fit" not in file.parts
        )


def _scale(pool: Pool, taken: _Taken) -> float:
    """How many times as large the pool is as its pieces."""
    if all(shard.kind == "parquet" for shard in pool.shards):
        return rows_estimated(pool) / max(1, taken.rows)
    return pool.bytes / taken.bytes


def _scaled(pool: Pool, taken: _Taken, choice: Choice, workers: int, start: float) -> Estimate:
    scale, workers = _scale(pool, taken), min(workers, len(pool.shards))
    rows, kept_bytes = taken.rows * scale, taken.part_frame + int((taken.part_bytes - taken.part_frame) * scale)
    refit = max(1.0, min(taken.usable * scale, choice.fit_rows) / taken.fitted) if taken.fitted else 1.0
    fit, further = taken.fit * refit, _WORKER_START if workers > 1 else 0.0
    return Estimate(
        seconds=start + taken.each * scale / workers + fit + further,
        cpu_seconds=start + taken.each * scale + fit + further * workers,
        memory_bytes=taken.memory + int((refit - 1) * taken.fit_memory),
        disk_bytes=(int(taken.scratch_bytes * scale), kept_bytes),
        rows=round(rows),
        kept=round(taken.kept * scale),
        measured_bytes=taken.bytes,
    )


def _largest() -> int:
    """The largest memory that this process has had, in bytes."""
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def _pieces(pool: Pool, each: int) -> list[Shard]:
    """Parts of the first, the middle and the last shard, of about so many bytes; of what cannot be cut, a whole shard."""
    count = len(pool.shards)
    if count == 1 and not pool.shards[0].compression and pool.shards[0].kind == "jsonl":
        only = pool.shards[0]
        size = only.stop - only.start
        if size <= PIECES * each:
            return [only]
        starts = [only.start, only.start + size // 2, only.stop - each]
        return [dataclasses.replace(only, number=k, start=s, stop=s + each, first=s == 0) for k, s in enumerate(starts)]
    pieces = []
    for number, shard in enumerate(pool.shards[number] for number in sorted({0, count // 2, count - 1})):
        stop = min(shard.stop, shard.start + each) if shard.kind == "jsonl" and not shard.compression else shard.stop
        pieces.append(dataclasses.replace(shard, number=number, stop=stop))
    return pieces if pieces[0].kind == "jsonl" and not pieces[0].compression else pieces[:1]


def _size(pool: Pool, piece: Shard) -> int:
    if piece.kind != "parquet":
        return piece.stop - piece.start
    same = [one for one in pool.shards if one.file == piece.file]
    return max(1, dict(pool.sizes)[piece.file] // len(same))
