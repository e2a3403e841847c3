"""What selecting from a pool would take: measured on pieces of it, scaled to the whole."""

from __future__ import annotations

import dataclasses
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from acclimate.data.shards import Pool, Shard, rows_estimated
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.select.base import AddsUp, Toolbox
from acclimate.select.budget import Budget
from acclimate.select.stream.choice import Choice
from acclimate.select.stream.jobs import Job, Surveyed, ToKeep, ToScore, keep, load_scores, score, survey
from acclimate.select.stream.run import fit_sample
from acclimate.select.stream.threshold import Threshold, chosen, find_threshold

#: Bytes of each piece that is measured, and how many pieces: from the beginning, the middle and the end.
PIECE_BYTES, PIECES = 12 << 20, 3
#: Bytes of scores kept for each record while the job runs.
_SCORE_BYTES = 8
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
) -> Estimate:
    """Do the work on about thirty megabytes of the pool, and say what all of it would take.

    Every stage is run on pieces from the beginning, the middle and the end; what it takes is scaled by bytes (reading, scoring) or
    by kept rows (writing). Fitting is measured as it is. What a first start compiles, or downloads, is not counted.

    Raises:
        InputError: as :func:`acclimate.select.stream.run.select_stream`.
    """
    tools = dataclasses.replace(tools or Toolbox(), seed=choice.seed)
    folder = Path(tempfile.mkdtemp(prefix="acclimate-estimate-"))
    try:
        job = choice.job(pool, target, folder, tools)
        pieces = _pieces(pool)
        _Measure(job, target, tools, choice)(pieces[:1])  # compiles, loads models
        shutil.rmtree(folder)
        folder.mkdir()
        job = dataclasses.replace(job, selector=choice.selector(tools))
        return _scaled(pool, _Measure(job, target, tools, choice)(pieces), choice.budget, workers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclasses.dataclass
class _Taken:
    """What the stages took on the pieces."""

    bytes: int = 0
    rows: int = 0
    usable: int = 0
    kept: int = 0
    per_byte: float = 0.0
    fit: float = 0.0
    per_kept: float = 0.0
    kept_bytes: int = 0
    share: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class _Measure:
    """Runs every stage on some pieces with the clock on."""

    job: Job
    target: Target
    tools: Toolbox
    choice: Choice

    def __call__(self, pieces: Sequence[Shard]) -> _Taken:
        job, taken = self.job, _Taken()
        begun = time.process_time()
        surveyed = [survey(job, piece) for piece in pieces]
        reading = time.process_time() - begun
        begun = time.process_time()
        self._fit(surveyed, pieces)
        taken.fit = time.process_time() - begun
        begun = time.process_time()
        for piece, one in zip(pieces, surveyed, strict=True):
            score(job, ToScore(piece, 0, one.records, one.digest))
        scoring = time.process_time() - begun
        taken.bytes = sum(_size(self.job.pool, piece) for piece in pieces)
        taken.rows, taken.usable = sum(one.records for one in surveyed), sum(one.usable for one in surveyed)
        if not taken.usable:
            raise InputError("None of the rows that were looked at can be chosen", expected="usable examples", fix="check the pool")
        taken.per_byte = (reading + scoring) / taken.bytes
        self._keep(pieces, surveyed, taken)
        return taken

    def _fit(self, surveyed: Sequence[Surveyed], pieces: Sequence[Shard]) -> None:
        if not self.job.sampled:
            selector = cast("AddsUp", self.job.selector)
            selector.settle(cast("Any", sum(cast("Any", one.statistic).astype(np.int64) for one in surveyed)), self.target)
        else:
            numbered = {piece.number: 0 for piece in pieces}
            fit_sample(self.job, pieces, numbered, self.target, self.tools, self.choice.method)

    def _keep(self, pieces: Sequence[Shard], surveyed: Sequence[Surveyed], taken: _Taken) -> None:
        numbers = [piece.number for piece in pieces]
        limit = self.choice.budget.limit(taken.usable) if self.choice.budget.kind == "share" else max(1.0, 0.02 * taken.usable)
        if self.choice.budget.kind == "tokens":
            costs = [load_scores(self.job, number)[1] for number in numbers]
            limit = max(1.0, 0.02 * float(np.nansum(np.concatenate(costs))))
        found = find_threshold(lambda number: load_scores(self.job, number), numbers, limit)
        found = found or Threshold(-np.inf, 0, taken.usable, 0.0)
        begun, ties = time.process_time(), 0
        for piece in pieces:
            scores = load_scores(self.job, piece.number)[0]
            rows = len(chosen(scores, found, ties))
            if rows:
                keep(self.job, ToKeep(piece, 0, found, ties, np.arange(rows)))
                taken.kept_bytes += self.job.place("kept", piece.number, ".parquet").stat().st_size
            ties += int((scores == found.score).sum())
        taken.kept = found.taken
        taken.per_kept = (time.process_time() - begun) / max(1, found.taken)
        taken.share = found.spent / found.taken if found.taken else 1.0
        del surveyed


def _scaled(pool: Pool, taken: _Taken, budget: Budget, workers: int) -> Estimate:
    rows = rows_estimated(pool) if all(shard.kind == "parquet" for shard in pool.shards) else pool.bytes * taken.rows / taken.bytes
    usable = rows * taken.usable / max(1, taken.rows)
    kept = min(usable, budget.limit(round(usable)) / (taken.share if budget.kind == "tokens" else 1.0))
    shared = pool.bytes * taken.per_byte + kept * taken.per_kept
    started = _WORKER_START * workers if workers > 1 else 0.0
    wall = shared / workers + taken.fit + (_WORKER_START if workers > 1 else 0.0)
    kept_bytes = int(kept * taken.kept_bytes / max(1, taken.kept))
    return Estimate(
        seconds=wall,
        cpu_seconds=shared + taken.fit + started,
        memory_bytes=_largest(),
        disk_bytes=(int(rows * _SCORE_BYTES) + 2 * kept_bytes, kept_bytes),
        rows=round(rows),
        kept=round(kept),
        measured_bytes=taken.bytes,
    )


def _largest() -> int:
    """The largest memory that this process has had, in bytes."""
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def _pieces(pool: Pool) -> list[Shard]:
    """Parts of the first, the middle and the last shard; of what cannot be cut, as few whole shards as may be."""
    count = len(pool.shards)
    chosen_shards = [pool.shards[number] for number in sorted({0, count // 2, count - 1})]
    if count == 1 and not pool.shards[0].compression and pool.shards[0].kind == "jsonl":
        only = pool.shards[0]
        size = only.stop - only.start
        if size <= PIECES * PIECE_BYTES:
            return [only]
        starts = [only.start, only.start + size // 2, only.stop - PIECE_BYTES]
        return [dataclasses.replace(only, number=k, start=s, stop=s + PIECE_BYTES, first=s == 0) for k, s in enumerate(starts)]
    pieces = []
    for number, shard in enumerate(chosen_shards):
        stop = min(shard.stop, shard.start + PIECE_BYTES) if shard.kind == "jsonl" and not shard.compression else shard.stop
        pieces.append(dataclasses.replace(shard, number=number, stop=stop))
    return pieces if chosen_shards[0].kind == "jsonl" and not chosen_shards[0].compression else pieces[:1]


def _size(pool: Pool, piece: Shard) -> int:
    if piece.kind != "parquet":
        return piece.stop - piece.start
    same = [one for one in pool.shards if one.file == piece.file]
    return max(1, dict(pool.sizes)[piece.file] // len(same))
