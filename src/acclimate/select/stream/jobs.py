"""What workers do with a shard: survey it, score it, keep what is chosen, and write parts of the result."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acclimate.data.bad_rows import BadRows
from acclimate.data.blocks import Reading, blocks, take
from acclimate.data.domain import Domain, unify
from acclimate.data.hygiene import Removal, Sweeper, removal_table
from acclimate.data.pieces import BLOCK_ROWS, Wanted
from acclimate.data.shards import Pool, Shard
from acclimate.data.write import write
from acclimate.engine.storage import atomic_path, write_array, write_parquet
from acclimate.errors import RunError
from acclimate.select.base import AddsUp, Selector, Weigher
from acclimate.select.gumbel import gumbel_keys
from acclimate.select.random import uniform
from acclimate.select.stream.threshold import Threshold, chosen

#: Columns whose values hardly repeat: looking for those that do takes longer than compressing them.
_OWN_VALUES = ("id", "text", "messages", "image", "score", "rank", "reason", "position")

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """What all workers of a job know.

    Attributes:
        pool: what is chosen from.
        roles: what a selector reads of it beside contents and ids.
        work: the folder of unfinished work.
        selector: fitted from the second stage on.
        sweeper: knows what is sealed; None where nothing is.
        sampled: the share of rows that the selector is fitted on; 0 where it is fitted on what adds up.
        seed: of samples and draws.
        temperature: of a Gumbel draw; None for the plain top.
        count_tokens: the length of a text; None unless the budget is one of tokens.
        distinct: whether rows that nearly repeat a better one are left out.
        apart: whether workers leave statistics in files, for whoever adds them up: results that wait would fill its memory.
    """

    pool: Pool
    roles: tuple[str, ...]
    work: Path
    selector: Selector
    sweeper: Sweeper | None = None
    sampled: float = 0.0
    seed: int = 0
    temperature: float | None = None
    count_tokens: Callable[[str], int] | None = None
    distinct: bool = False
    apart: bool = False

    def place(self, stage: str, number: int, suffix: str) -> Path:
        """Where a stage keeps what it made of a shard."""
        return self.work / stage / f"{number:06d}{suffix}"


@dataclasses.dataclass(frozen=True, eq=False)
class Surveyed:
    """What is known of a shard once it was read.

    Attributes:
        number: of the shard.
        records: its records, bad and removed ones counted.
        usable: those that may be chosen.
        removed: those that repeat something sealed.
        bad: reasons of the first bad rows, and how many there are.
        digest: of its content.
        statistic: of a selector whose learning adds up; None for others, where it waits in a file, and once it was added up.
    """

    number: int
    records: int
    usable: int
    removed: int
    bad: tuple[tuple[str, ...], int]
    digest: str
    statistic: NDArray[np.int64] | None = None


def survey(job: Job, shard: Shard) -> Surveyed:
    """Read a shard for the first time: count it, sweep it, and learn from it."""
    reading = Reading(BadRows(job.pool.on_bad_row))
    adds_up = cast("AddsUp", job.selector) if not job.sampled and "adds-up" in job.selector.traits else None
    statistic = adds_up.begin() if adds_up is not None else None
    removals: list[Removal] = []
    gone: list[Integers] = []
    samples: list[pa.Table] = []
    records = usable = 0
    for block in blocks(shard, Wanted.of(job.pool, job.roles), reading):
        batch, positions = block.domain, block.positions
        if job.sweeper is not None:
            kept, found = job.sweeper(batch)
            removals += found
            gone.append(np.delete(positions, kept))
            batch, positions = batch.take(kept), positions[kept]
        records, usable = block.records, usable + len(batch)
        if adds_up is not None and statistic is not None:
            adds_up.survey(batch, statistic)
        elif job.sampled:
            rows = _drawn(job, shard, positions)
            samples.append(batch.take(rows).table.append_column("\0position", pa.array(positions[rows])))
    if removals:
        write_parquet(job.place("removed", shard.number, ".parquet"), removal_table(removals))
        write_array(job.place("removed", shard.number, ".npy"), np.concatenate(gone))
    if samples:
        write_parquet(job.place("sample", shard.number, ".parquet"), unify(samples))
    reasons = tuple(reading.bad_rows.reasons[:5])
    if statistic is not None and job.apart:
        write_array(job.place("statistic", shard.number, ".npy"), statistic, lasting=False)  # added up at once
        statistic = None
    return Surveyed(shard.number, records, usable, len(removals), (reasons, reading.bad_rows.count), reading.digest, statistic)


def _drawn(job: Job, shard: Shard, positions: Integers) -> Integers:
    """Rows of a block that the selector is fitted on: each with the same chance, whatever the blocks."""
    if job.sampled >= 1:
        return np.arange(len(positions), dtype=np.int64)
    keys = [f"{shard.number}:{position}" for position in positions.tolist()]
    return np.flatnonzero(uniform(job.seed, keys, "sample") < job.sampled).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class ToScore:
    """A shard, how many records of its file come before it, and what its content was when it was surveyed."""

    shard: Shard
    first_row: int
    records: int
    digest: str


def score(job: Job, item: ToScore) -> tuple[int, int]:
    """Score a shard into a file; gives its number and how many records were scored.

    The file holds ``(k, records)``: what rows are ordered by, which is NaN for those that cannot be chosen; where that is not the
    score itself, the score; and where the budget is one of tokens, the tokens.
    """
    shard = item.shard
    rows = 1 + (job.temperature is not None) + (job.count_tokens is not None)
    table = np.full((rows, item.records), np.nan)
    removed = _removed(job, shard.number)
    reading = Reading(BadRows(job.pool.on_bad_row))
    scored, offsets = 0, [np.zeros(0, np.int64)]
    for block in blocks(shard, Wanted.of(job.pool, job.roles), reading, item.first_row):
        batch, positions = block.domain, block.positions
        if block.offsets is not None:
            offsets[-1] = offsets[-1][:-1]  # where a block ends, the next one begins
            offsets.append(block.offsets)
        if len(removed):
            kept = np.flatnonzero(~np.isin(positions, removed)).astype(np.int64)
            batch, positions = batch.take(kept), positions[kept]
        if not len(batch):
            continue
        if block.records > item.records:
            break  # said below
        scores = job.selector.score(batch)
        _check_numbers(scores, batch, shard)
        table[0, positions] = scores
        if job.temperature is not None:
            table[1, positions] = scores
            table[0, positions] = gumbel_keys(scores, batch.ids, seed=job.seed, temperature=job.temperature)
        if job.count_tokens is not None:
            table[-1, positions] = [job.count_tokens(text) for text in batch.texts]
        scored += len(batch)
    if reading.digest != item.digest:
        raise changed(shard)
    if len(offsets) > 1:
        write_array(job.place("offsets", shard.number, ".npy"), np.concatenate(offsets))
    write_array(job.place("scores", shard.number, ".npy"), table)
    return shard.number, scored


def changed(shard: Shard) -> RunError:
    """What to raise where two readings of a shard differ."""
    return RunError(
        f"{shard.describe()} changed while the pool was read",
        expected="files that do not change",
        fix="start again when nothing writes to it",
    )


def _check_numbers(scores: Floats, batch: Domain, shard: Shard) -> None:
    bad = np.flatnonzero(np.isnan(scores))
    if len(bad):
        raise RunError(
            f"The selector gave no number for {len(bad)} examples of {shard.describe()}, first '{batch.ids[bad[0]]}'",
            expected="a number for every example",
            fix="look at that example",
        )


def _removed(job: Job, number: int) -> Integers:
    file = job.place("removed", number, ".npy")
    return np.asarray(np.load(file, allow_pickle=False)) if file.exists() else np.zeros(0, np.int64)


def load_scores(job: Job, number: int) -> tuple[Floats, Floats]:
    """What a shard's records are ordered by, NaN where they cannot be chosen, and what each costs, both ``(records,)``."""
    table = np.load(job.place("scores", number, ".npy"), mmap_mode="r", allow_pickle=False)
    costs = table[-1] if job.count_tokens is not None else np.ones(table.shape[1])
    keys = np.asarray(table[0])
    if job.distinct:
        keys = keys.copy()
        keys[np.load(job.place("repeats", number, ".npy"), allow_pickle=False)] = np.nan
    return keys, np.asarray(costs)


@dataclasses.dataclass(frozen=True, eq=False)
class ToKeep:
    """A shard, how many records of its file come before it, the threshold, and the rank of each record that it keeps."""

    shard: Shard
    first_row: int
    threshold: Threshold
    ties_before: int
    ranks: Integers


def keep(job: Job, item: ToKeep) -> tuple[int, float]:
    """Write the chosen records of a shard with their scores, ranks and reasons; gives its number and the sum of their weights."""
    with _frugally():
        return _kept(job, item)


def _kept(job: Job, item: ToKeep) -> tuple[int, float]:
    shard = item.shard
    places = job.place("offsets", shard.number, ".npy")
    offsets = np.load(places, mmap_mode="r", allow_pickle=False) if places.exists() else None
    positions = chosen(load_scores(job, shard.number)[0], item.threshold, item.ties_before)
    # Where rows can be read apart, a part after another: a shard of which much is kept would be in memory several times over.
    step = len(positions) if offsets is None else BLOCK_ROWS
    tables, weights = [], []
    for start in range(0, len(positions), step):
        part = slice(start, start + step)
        rows = take(shard, job.pool, positions[part], item.first_row, offsets)
        table, own = _told(job, item, rows, positions[part], item.ranks[part])
        tables.append(table)
        weights.append(own)
    with atomic_path(job.place("kept", shard.number, ".parquet")) as temporary:  # read once, soon
        pq.write_table(
            unify(tables), temporary, row_group_size=BLOCK_ROWS, compression="lz4", use_dictionary=False, write_statistics=False
        )
    return shard.number, float(np.sum(np.concatenate(weights)))


def _told(job: Job, item: ToKeep, rows: pa.Table, positions: Integers, ranks: Integers) -> tuple[pa.Table, Floats]:
    """Chosen rows with what is told of them, and their weights; columns of the user with such a name are renamed."""
    batch = Domain(job.pool.name, rows)
    scores = np.load(job.place("scores", item.shard.number, ".npy"), mmap_mode="r", allow_pickle=False)
    weights = cast("Weigher", job.selector).weights(batch) if "weighs" in job.selector.traits else np.ones(len(batch))
    columns = {
        "weight": pa.array(weights, pa.float64()),
        "score": pa.array(np.asarray(scores[1 if job.temperature is not None else 0])[positions], pa.float64()),
        "rank": pa.array(ranks, pa.int64()),
        "reason": pa.array(job.selector.reasons(batch), pa.string()),
        "position": pa.array(positions + item.first_row, pa.int64()),
        "file": pa.array([item.shard.file] * len(batch), pa.string()),
    }
    for name, values in columns.items():
        if name in rows.column_names:
            if name == "weight":
                rows = rows.drop_columns([name])
            else:
                rows = rows.rename_columns([f"{c}_original" if c == name else c for c in rows.column_names])
        rows = rows.append_column(name, values)
    return rows, weights


@dataclasses.dataclass(frozen=True, eq=False)
class ToWrite:
    """A part of the result: which shards' records, in which order, under which columns, and where to."""

    shards: tuple[int, ...]
    path: Path
    schema: pa.Schema
    mean_weight: float


def write_part(job: Job, item: ToWrite) -> tuple[str, int]:
    """Write a part in the format of its name; gives the name and its rows."""
    with _frugally():
        tables = (table for number in item.shards for table in _scaled(job, number, item))
        if item.path.suffix != ".parquet":
            table = pa.concat_tables(list(tables))
            write(table, item.path)
            return item.path.name, table.num_rows
        rows = 0
        repeated = [name for name in item.schema.names if name not in _OWN_VALUES]
        with (
            atomic_path(item.path) as temporary,
            pq.ParquetWriter(temporary, item.schema, compression="zstd", use_dictionary=repeated) as writer,
        ):
            for table in tables:
                writer.write_table(table)
                rows += table.num_rows
        return item.path.name, rows


def _scaled(job: Job, number: int, item: ToWrite) -> Iterator[pa.Table]:
    """The kept rows of a shard, some at a time, under the columns of the whole, with weights of mean 1."""
    with pq.ParquetFile(job.place("kept", number, ".parquet")) as kept:
        for batch in kept.iter_batches(BLOCK_ROWS, use_threads=False):
            table = unify([item.schema.empty_table(), pa.Table.from_batches([batch])])
            if item.mean_weight > 0:
                scaled = np.asarray(table.column("weight")) / item.mean_weight
                table = table.set_column(table.schema.get_field_index("weight"), "weight", pa.array(scaled, pa.float64()))
            yield table.cast(item.schema)


@contextlib.contextmanager
def _frugally() -> Iterator[None]:
    """Arrow takes memory from the system's allocator, which gives it back: its own ones hold tens of megabytes for each worker."""
    usual = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(usual)
