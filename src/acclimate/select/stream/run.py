"""The verb for pools that are read in pieces: keep the most useful examples of files that fit into no memory."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acclimate.data.domain import Domain, unify
from acclimate.data.shards import Pool, Shard, rows_before
from acclimate.data.target import Target
from acclimate.engine.base import Engine
from acclimate.engine.local import Local
from acclimate.engine.progress import meter
from acclimate.engine.storage import atomic_path, content_hash, file_hash, read_json, write_array, write_json
from acclimate.errors import AcclimateError, InputError, NoRoomError
from acclimate.select import METHODS
from acclimate.select.base import AddsUp, Selector, Toolbox
from acclimate.select.needs import check_needs
from acclimate.select.stream.choice import Choice, print_of
from acclimate.select.stream.distinct import list_repeats, with_repeats
from acclimate.select.stream.folder import Streamed, check_format, finished, publish, working
from acclimate.select.stream.jobs import (
    Job,
    Surveyed,
    ToKeep,
    ToScore,
    ToWrite,
    changed,
    keep,
    load_scores,
    score,
    survey,
    write_part,
)
from acclimate.select.stream.near import HYGIENE, Found, duplicates
from acclimate.select.stream.room import room
from acclimate.select.stream.threshold import Threshold, chosen, find_threshold

#: Seconds between two savings of what was surveyed.
_SAVE_SECONDS = 10.0
#: Bytes of a part of the result, about, before compression.
PART_BYTES = 32 << 20

Integers = NDArray[np.int64]


def select_stream(
    pool: Pool,
    target: Target,
    out: Path,
    *,
    choice: Choice,
    tools: Toolbox | None = None,
    engine: Engine | None = None,
    format: str = "parquet",  # noqa: A002 - the name users know
) -> Streamed:
    """Keep the examples of a pool that are most useful for the target, into files.

    Memory does not grow with the pool: every stage holds one block of a shard in each worker. What a method learns from the pool it
    learns from all of it where that adds up (``dsir``), else from about ``choice.fit_rows`` rows drawn from it. Scores go to disk,
    the budget's threshold is found there exactly, and ties are taken in order. What is chosen does not depend on the engine, the
    number of workers, or how often the job was stopped: a second start does what is missing.

    Args:
        pool: what to choose from.
        target: the domain to be good at; what of the pool repeats its sealed parts, or ``choice.also``, is left out, and listed in
            ``removed.parquet``.
        out: a folder for the result: ``part-00000.parquet``, ..., ``manifest.json``. Parts follow the order of the pool.
        choice: what to keep. Ways of taking rows other than ``top`` and ``gumbel`` compare rows with one another, and need a pool
            in memory. Where they are to be distinct, rows that nearly repeat a better one are left out by the rule that holds in
            memory, and listed in ``duplicates.parquet`` (:func:`acclimate.select.stream.near.duplicates`).
        tools: what the method may be handed.
        engine: where the work is done; this process where not given.
        format: of the parts, one of :data:`acclimate.select.stream.folder.FORMATS`.

    Raises:
        InputError: as ``select``; also a method or a way of taking rows that needs the whole pool in memory, a bad row (by file and
            line), a truncated file, or a folder that holds something else.
        RunError: the disk is full, workers keep dying, or a file changed while it was read.
    """
    check_format(format)
    tools = dataclasses.replace(tools or Toolbox(), seed=choice.seed)
    engine = engine or Local()
    key = choice.key(pool, target)
    whole = content_hash(key, str(choice.budget), str(choice.pick), format)
    with working(out) as work, engine, room(out, lambda: choice.most_bytes(pool), lambda: _so_far(work / key, pool)):
        done = finished(out, whole)
        if done is not None:
            return done
        job = dataclasses.replace(choice.job(pool, target, work / key, tools), apart=engine.workers > 1)
        run = _Run(pool, target, out, work / key, engine, job.selector, choice)
        begun = time.monotonic()
        surveyed, statistic = run.survey(job)
        run.fit(job, surveyed, statistic, tools)
        del statistic
        run.score(job, surveyed)
        repeats = run.distinct(job, surveyed)
        found = run.threshold(job, surveyed)
        weights = run.keep(job, surveyed, found)
        if repeats is not None:
            list_repeats(repeats, engine, job.work / "kept" / f"parts-{format}")
        parts = run.write(job, format, weights, found.taken, surveyed)
        manifest = run.manifest(whole, surveyed, found, parts, time.monotonic() - begun, repeats)
        if repeats is not None:
            manifest = with_repeats(manifest, job, repeats, found)
        write_json(out / "manifest.json", manifest)
        shutil.rmtree(work, ignore_errors=True)
        return Streamed(out, manifest)


def _so_far(work: Path, pool: Pool) -> str:
    """What is finished of a job."""
    read, scored, kept = len(_saved(work)[0]), len(list(work.glob("scores/*.npy"))), len(list(work.glob("kept/*.parquet")))
    return f"of {len(pool.shards)} pieces of the pool {read} read, {scored} scored, of {kept} what is chosen written"


def fit_sample(job: Job, shards: Sequence[Shard], first: Mapping[int, int], target: Target, tools: Toolbox, method: str) -> None:
    """Fit a selector on the rows that were drawn from the shards; ``first``: how many records of its file precede each."""
    tables = []
    for shard in shards:
        file = job.place("sample", shard.number, ".parquet")
        if file.exists():
            tables.append(_with_ids(pq.read_table(file), shard, first[shard.number], job.pool))
    sample = Domain(job.pool.name, unify(tables))
    check_needs(METHODS, method, sample, target, tools, job.selector)
    job.selector.fit(sample, target)


@dataclasses.dataclass(frozen=True, eq=False)
class _Run:
    """The stages of one job, each of which skips what an earlier start finished."""

    pool: Pool
    target: Target
    out: Path
    work: Path
    engine: Engine
    selector: Selector
    choice: Choice

    def survey(self, job: Job) -> tuple[list[Surveyed], NDArray[Any] | None]:
        """Every shard read for the first time, in order; and the statistic of a selector whose learning adds up."""
        known, statistic = _saved(self.work)
        missing = [shard for shard in self.pool.shards if shard.number not in known]
        if missing:
            saved = time.monotonic()
            with meter("reading", self.pool.bytes) as advance:
                advance(sum(_bytes(self.pool, number) for number in known), 0)
                try:
                    for _, found in self.engine.run(survey, job, missing):
                        statistic = _added(statistic, found, job)
                        known[found.number] = dataclasses.replace(found, statistic=None)
                        advance(_bytes(self.pool, found.number), found.records)
                        if time.monotonic() - saved > _SAVE_SECONDS:
                            self._save(known, statistic)
                            saved = time.monotonic()
                except AcclimateError:  # raised between two shards: what was added up is what is known
                    with contextlib.suppress(NoRoomError):  # where there is no room, that was said already
                        self._save(known, statistic)
                    raise
            self._save(known, statistic)
        surveyed = [known[shard.number] for shard in self.pool.shards]
        if not sum(one.usable for one in surveyed):
            raise InputError(
                f"Nothing of the pool '{self.pool.name}' can be chosen",
                expected="at least one usable example",
                fix="check its rows",
            )
        return surveyed, statistic

    def _save(self, known: Mapping[int, Surveyed], statistic: NDArray[Any] | None) -> None:
        rows = [{**dataclasses.asdict(one), "statistic": None} for one in known.values()]
        arrays = {"known": np.frombuffer(orjson.dumps(rows), np.uint8)} | ({} if statistic is None else {"statistic": statistic})
        with atomic_path(self.work / "survey.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)

    def fit(self, job: Job, surveyed: Sequence[Surveyed], statistic: NDArray[Any] | None, tools: Toolbox) -> None:
        """Make the selector ready to score."""
        if not job.sampled:
            check_needs(METHODS, self.choice.method, _first_rows(self.pool, job), self.target, tools, self.selector)
            assert statistic is not None
            cast("AddsUp", self.selector).settle(statistic, self.target)
            return
        fit_sample(
            job,
            self.pool.shards,
            rows_before(self.pool.shards, (one.records for one in surveyed)),
            self.target,
            tools,
            self.choice.method,
        )

    def score(self, job: Job, surveyed: Sequence[Surveyed]) -> None:
        """Every shard scored into a file."""
        first = rows_before(self.pool.shards, (one.records for one in surveyed))
        items = [
            ToScore(shard, first[shard.number], one.records, one.digest)
            for shard, one in zip(self.pool.shards, surveyed, strict=True)
            if not job.place("scores", shard.number, ".npy").exists() or not self._scored_for(job, shard.number)
        ]
        with meter("scoring", self.pool.bytes) as advance:
            for _, (number, count) in self.engine.run(score, job, items):
                advance(_bytes(self.pool, number), count)

    def _scored_for(self, job: Job, number: int) -> bool:
        """Whether a file of scores holds what this budget and this way of taking rows need."""
        rows = 1 + (job.temperature is not None) + (job.count_tokens is not None)
        return len(np.load(job.place("scores", number, ".npy"), mmap_mode="r", allow_pickle=False)) == rows

    def distinct(self, job: Job, surveyed: Sequence[Surveyed]) -> Found | None:
        """The rows that nearly repeat a better one, where they are to be left out."""
        if not job.distinct:
            return None
        scored = dataclasses.replace(job, distinct=False)
        found = duplicates(self.pool, self.engine, job.work, HYGIENE, lambda number: load_scores(scored, number)[0])
        for shard, one, signed in zip(self.pool.shards, surveyed, found.shards, strict=True):
            if signed.records != one.records:
                raise changed(shard)
            write_array(job.place("repeats", shard.number, ".npy"), found.positions(shard.number))
        return found

    def threshold(self, job: Job, surveyed: Sequence[Surveyed]) -> Threshold:
        """From which score on rows are kept; at least one row is."""
        numbers = [shard.number for shard in self.pool.shards]
        limit = self.choice.budget.limit(sum(one.usable for one in surveyed))
        found = find_threshold(lambda number: load_scores(job, number), numbers, limit)
        if found is None:  # of a budget of tokens, which the best row alone exceeds
            found = find_threshold(lambda number: (load_scores(job, number)[0], _ones(job, number)), numbers, 1)
        assert found is not None
        return found

    def keep(self, job: Job, surveyed: Sequence[Surveyed], found: Threshold) -> float:
        """The chosen rows of every shard written apart; gives the sum of their weights."""
        first = rows_before(self.pool.shards, (one.records for one in surveyed))
        stamp = job.work / "kept" / "threshold.json"
        wanted = [found.score, found.ties]
        if stamp.exists() and read_json(stamp) != wanted:
            shutil.rmtree(stamp.parent)
        write_json(stamp, wanted)
        items = []
        for shard, ties_before, ranks in self._ranked(job, found):
            if len(ranks):
                items.append(ToKeep(shard, first[shard.number], found, ties_before, ranks))
        missing = [item for item in items if not job.place("kept", item.shard.number, ".parquet").exists()]
        with meter("keeping", found.taken) as advance:
            for place, _ in self.engine.run(keep, job, missing):
                advance(len(missing[place].ranks), len(missing[place].ranks))
        files = [job.place("kept", item.shard.number, ".parquet") for item in items]
        return float(sum(np.asarray(pq.read_table(file, columns=["weight"]).column(0)).sum() for file in files))

    def _ranked(self, job: Job, found: Threshold) -> Iterator[tuple[Shard, int, Integers]]:
        """Every shard with the ties before it and the rank of each record that it keeps, 1 for the best; of equals the first."""
        kept, ties, counts, before = [], 0, [], []
        for shard in self.pool.shards:
            scores = load_scores(job, shard.number)[0]
            kept.append(scores[chosen(scores, found, ties)])
            before.append(ties)
            counts.append(len(kept[-1]))
            ties += int((scores == found.score).sum())
        order = np.argsort(-np.concatenate(kept), kind="stable")
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(1, len(order) + 1)
        ends = np.cumsum(counts)
        for shard, tied, end, count in zip(self.pool.shards, before, ends.tolist(), counts, strict=True):
            yield shard, tied, ranks[end - count : end]

    def write(
        self,
        job: Job,
        format: str,  # noqa: A002
        weights: float,
        taken: int,
        surveyed: Sequence[Surveyed],
    ) -> list[dict[str, Any]]:
        """The result in parts, in order of the pool, and what was removed."""
        files = sorted((job.work / "kept").glob("*.parquet"))
        schema = unify([pq.read_schema(file).empty_table() for file in files]).schema
        groups: list[list[int]] = [[]]
        held = 0
        for file in files:
            groups[-1].append(int(file.stem))
            held += sum(pq.read_metadata(file).row_group(k).total_byte_size for k in range(pq.read_metadata(file).num_row_groups))
            if held >= PART_BYTES:
                groups.append([])
                held = 0
        groups = [group for group in groups if group]
        staged = job.work / "kept" / f"parts-{format}"
        items = [
            ToWrite(tuple(group), staged / f"part-{number:05d}.{format}", schema, weights / taken)
            for number, group in enumerate(groups)
        ]
        for _ in self.engine.run(write_part, job, [item for item in items if not item.path.exists()]):
            pass  # the file is what is made
        removed = sorted((job.work / "removed").glob("*.parquet"))
        if removed:
            with atomic_path(staged / "removed.parquet") as temporary:
                first = rows_before(self.pool.shards, (one.records for one in surveyed))
                tables = [_in_file(pq.read_table(file), self.pool, int(file.stem), first[int(file.stem)]) for file in removed]
                pq.write_table(pa.concat_tables(tables), temporary, compression="zstd")
        rows = {int(file.stem): pq.read_metadata(file).num_rows for file in files}
        parts = [
            {"file": item.path.name, "rows": sum(rows[number] for number in item.shards), "sha256": file_hash(item.path)}
            for item in items
        ]
        publish(staged, self.out)
        return parts

    def manifest(
        self,
        key: str,
        surveyed: Sequence[Surveyed],
        found: Threshold,
        parts: list[dict[str, Any]],
        seconds: float,
        repeats: Found | None = None,
    ) -> dict[str, Any]:
        """What the folder holds, and of what it was made."""
        from importlib.metadata import version

        usable = sum(one.usable for one in surveyed)
        bad = sum(one.bad[1] for one in surveyed)
        notes = list(self.pool.notes)
        if bad:
            reasons = [reason for one in surveyed for reason in one.bad[0]][:5]
            notes.append(f"{bad} bad rows were skipped: {'; '.join(reasons)}")
        budget = self.choice.budget
        limit = budget.limit(usable)
        if found.taken == usable - (repeats.duplicates if repeats else 0) and found.spent < limit:
            which = f"{found.taken} distinct" if repeats else f"{usable}"
            notes.append(f"the budget of {budget} is more than the whole pool: all {which} examples are kept")
        if found.spent > limit:
            notes.append(f"the best example alone has {found.spent:.0f} tokens, more than the budget of {budget}; it is kept")
        digests = {one.number: one.digest for one in surveyed}
        return {
            "key": key,
            "acclimate": version("acclimate"),
            "method": self.choice.method,
            "settings": {
                name: value if isinstance(value, (int, float, str, bool)) else str(value)
                for name, value in self.choice.settings.items()
            },
            "budget": str(self.choice.budget),
            "pick": str(self.choice.pick),
            "seed": self.choice.seed,
            "target": {"name": self.target.name, "fingerprint": print_of(self.target)},
            "pool": [
                {"file": file, "bytes": size, "shards": [digests[s.number] for s in self.pool.shards if s.file == file]}
                for file, size in self.pool.sizes
            ],
            "records": sum(one.records for one in surveyed),
            "bad_rows": bad,
            "removed": sum(one.removed for one in surveyed),
            "usable": usable,
            "kept": found.taken,
            "threshold": found.score,
            "parts": parts,
            "notes": notes,
            "seconds": round(seconds, 3),
            "engine": f"{self.engine.name}, {self.engine.workers} workers",
        }


def _added(total: NDArray[Any] | None, surveyed: Surveyed, job: Job) -> NDArray[Any] | None:
    """The sum of a statistic and a shard's one, in 32 bits as long as it surely fits: large ones are most of the memory."""
    file = job.place("statistic", surveyed.number, ".npy")
    found = surveyed.statistic
    if found is None and job.apart and file.exists():
        found = np.load(file, allow_pickle=False)
        file.unlink()
    if total is None or found is None:
        return total if found is None else np.require(found, requirements="W")
    if total.dtype != np.int64 and int(total.sum(dtype=np.int64)) + int(found.sum(dtype=np.int64)) >= 2**31:
        total = total.astype(np.int64)
    total += found
    return total


def _saved(work: Path) -> tuple[dict[int, Surveyed], NDArray[Any] | None]:
    """What was surveyed before this start."""
    file = work / "survey.npz"
    if not file.exists():
        return {}, None
    with np.load(file, allow_pickle=False) as saved:
        rows = orjson.loads(saved["known"].tobytes())
        statistic = saved.get("statistic")
    known = {row["number"]: Surveyed(**{**row, "bad": (tuple(row["bad"][0]), row["bad"][1])}) for row in rows}
    return known, statistic


def _with_ids(table: pa.Table, shard: Shard, first_row: int, pool: Pool) -> pa.Table:
    """A sample's rows with the ids that they have in the whole."""
    positions = np.asarray(table.column("\0position"))
    table = table.drop_columns(["\0position"])
    if pool.columns.id is not None:
        return table
    ids = pa.array([f"{shard.prefix}:{first_row + position}" for position in positions.tolist()], pa.string())
    return table.set_column(table.schema.get_field_index("id"), "id", ids)


def _in_file(removed: pa.Table, pool: Pool, number: int, first_row: int) -> pa.Table:
    """What was removed of a shard, with the ids of the whole file where they are generated: the survey counts within the shard."""
    if pool.columns.id is not None:
        return removed
    prefix = pool.shards[number].prefix
    ids = [f"{prefix}:{first_row + int(one.rpartition(':')[2])}" for one in removed.column("id").to_pylist()]
    return removed.set_column(removed.schema.get_field_index("id"), "id", pa.array(ids, pa.string()))


def _first_rows(pool: Pool, job: Job) -> Domain:
    """A block of the pool, for checks of what a method needs."""
    from acclimate.data.bad_rows import BadRows
    from acclimate.data.blocks import Reading, blocks
    from acclimate.data.pieces import Wanted

    for shard in pool.shards:
        for block in blocks(shard, Wanted.of(pool, job.roles), Reading(BadRows(pool.on_bad_row))):
            if len(block.domain):
                return block.domain
    return Domain(pool.name, pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.string())}))


def _bytes(pool: Pool, number: int) -> int:
    """About how many bytes of the pool a shard is."""
    shard = pool.shards[number]
    if shard.kind != "parquet":
        return shard.stop - shard.start
    same = [one for one in pool.shards if one.file == shard.file]
    return dict(pool.sizes)[shard.file] // len(same)


def _ones(job: Job, number: int) -> NDArray[np.float64]:
    return np.ones(len(load_scores(job, number)[0]))
