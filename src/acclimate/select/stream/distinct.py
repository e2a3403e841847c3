"""The verb for pools full of repetitions: keep the first of all rows that are nearly alike, whatever the pool's size."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acclimate.data.blocks import take
from acclimate.data.domain import unify
from acclimate.data.shards import Pool, rows_before
from acclimate.data.write import write
from acclimate.engine.base import Engine
from acclimate.engine.local import Local
from acclimate.engine.progress import meter
from acclimate.engine.storage import atomic_path, content_hash, file_hash, write_json, write_parquet
from acclimate.errors import InputError
from acclimate.features.minhash import MinHash
from acclimate.select.stream.folder import Streamed, check_format, finished, publish, working
from acclimate.select.stream.jobs import Job, load_scores
from acclimate.select.stream.near import Found, NearJob, ToList, duplicates, list_duplicates, near_bytes, near_key
from acclimate.select.stream.room import rewritten, room
from acclimate.select.stream.threshold import Threshold, chosen

#: Bytes of the texts of a part, about.
PART_BYTES = 256 << 20
#: Rows of ``duplicates.parquet`` that are held at once.
_LIST_ROWS = 1 << 17


def distinct(
    pool: Pool,
    out: Path,
    *,
    words: int = 1,
    permutations: int = 128,
    threshold: float = 0.8,
    engine: Engine | None = None,
    format: str = "parquet",  # noqa: A002 - the name users know
) -> Streamed:
    """Keep, of all rows that are nearly alike, the first in order of the pool, into files.

    Use when a pool was crawled or put together from several sources: repetitions waste a budget, and one that is in the target's
    source as well counts twice. Avoid when rows are templates that differ in what matters (a name, a number): raise the threshold.

    Args:
        pool: texts or conversations.
        out: a folder for the result: ``part-00000.parquet``, ..., ``duplicates.parquet`` (``id``; ``kept``, the id of the row that
            stays instead; ``similarity`` to it), ``manifest.json``.
        words, permutations, threshold: as in :class:`acclimate.features.minhash.MinHash`.
        engine: where the work is done; this process where not given.
        format: of the parts, one of :data:`acclimate.select.stream.folder.FORMATS`.

    Raises:
        InputError: a setting out of its range, pictures, a bad row (by file and line), a truncated file, or a folder that holds
            something else.
        RunError: the disk is full, or workers keep dying.
    """
    check_format(format)
    minhash = check_settings(words, permutations, threshold)
    engine = engine or Local()
    whole = content_hash("distinct", near_key(pool, minhash), format)
    with working(out) as work, engine, room(out, lambda: near_bytes(pool, minhash) + rewritten(pool), lambda: _so_far(work, pool)):
        done = finished(out, whole)
        if done is not None:
            return done
        begun = time.monotonic()
        found = duplicates(pool, engine, work, minhash)
        staged = found.job.work / f"parts-{format}"
        list_repeats(found, engine, staged)
        parts = _write(found, engine, staged, format)
        publish(staged, out)
        manifest = _manifest(found, engine, whole, parts, time.monotonic() - begun)
        write_json(out / "manifest.json", manifest)
        shutil.rmtree(work, ignore_errors=True)
        return Streamed(out, manifest)


def check_settings(words: int, permutations: int, threshold: float) -> MinHash:
    """The settings of :func:`distinct`, or an InputError that names the one out of its range."""
    if not 0 < threshold <= 1:
        raise InputError(f"A threshold of {threshold}", expected="more than 0 and at most 1", fix="0.8 is usual")
    if not 1 <= words <= 100:
        raise InputError(f"n-grams of {words} words", expected="1 to 100", fix="1, or 5 for web pages")
    if not 16 <= permutations <= 4096:
        raise InputError(f"{permutations} permutations", expected="16 to 4096", fix="128 is usual")
    return MinHash(words, permutations, threshold)


def _so_far(work: Path, pool: Pool) -> str:
    """What is finished of a job."""
    signed, copied = len(list(work.glob("near-*/signed/*.json"))), len(list(work.glob("near-*/kept/*.parquet")))
    return f"of {len(pool.shards)} pieces of the pool {signed} signed, of {copied} what stays written"


def _first_rows(found: Found) -> dict[int, int]:
    return rows_before(found.job.pool.shards, (one.records for one in found.shards))


# The list of what was left out


def list_repeats(found: Found, engine: Engine, out: Path) -> None:
    """Write ``duplicates.parquet`` into a folder: what is left out, which row stays instead, and how alike they are."""
    first, job = _first_rows(found), found.job
    items = [ToList(one.number, found, first) for one in found.shards]
    missing = [item for item in items if not job.place("listed", item.number, ".parquet").exists()]
    with meter("listing", found.duplicates, "duplicates") as advance:
        for _, (_, count) in engine.run(list_duplicates, job, missing):
            advance(count, count)
    tables = (pq.read_table(job.place("listed", item.number, ".parquet")) for item in items)
    schema = pa.schema([("id", pa.string()), ("kept", pa.string()), ("similarity", pa.float64())])
    with atomic_path(out / "duplicates.parquet") as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as file:
        for table in _rebatched(tables, _LIST_ROWS):
            file.write_table(table)


def with_repeats(manifest: dict[str, Any], job: Job, found: Found, threshold: Threshold) -> dict[str, Any]:
    """The manifest of a selection with how many rows repeat a better one, and how many of those come before the last one kept."""
    passed = _passed_over(job, found, threshold)
    note = f"{passed:,} examples were passed over because they nearly repeat a better one"
    notes = [*manifest["notes"], *([note] if passed else [])]
    return {**manifest, "duplicates": found.duplicates, "passed_over": passed, "notes": notes}


def _passed_over(job: Job, found: Found, threshold: Threshold) -> int:
    least, last, ties = np.inf, (0, 0), 0
    for one in found.shards:
        keys = load_scores(job, one.number)[0]
        rows = chosen(keys, threshold, ties)
        ties += int((keys == threshold.score).sum())
        if len(rows) and keys[rows].min() <= least:
            least = keys[rows].min()
            last = one.number, int(rows[keys[rows] == least][-1])
    scored, passed = dataclasses.replace(job, distinct=False), 0
    for one in found.shards:
        repeats = found.positions(one.number)
        keys = load_scores(scored, one.number)[0][repeats]
        before = repeats < last[1] if one.number == last[0] else one.number < last[0]
        passed += int(((keys > least) | ((keys == least) & before)).sum())
    return passed


def _rebatched(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The rows of tables in tables of one size, so that what is written does not depend on how they came."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        while sum(len(one) for one in held) >= rows:
            joined = pa.concat_tables(held)
            yield joined.slice(0, rows).combine_chunks()
            held = [joined.slice(rows)]
    if held and sum(len(one) for one in held):
        yield pa.concat_tables(held).combine_chunks()


# The rows that stay


@dataclasses.dataclass(frozen=True, eq=False)
class ToCopy:
    """Rows of a shard that go into one part: from which usable row to which, and where its file's records begin."""

    part: int
    number: int
    start: int
    stop: int
    first_row: int
    found: Found

    def file(self, job: NearJob) -> Path:
        """Where they are kept until the part is written."""
        return job.work / "kept" / f"{self.part:05d}-{self.number:06d}.parquet"


def copy_rows(job: NearJob, item: ToCopy) -> int:
    """Write rows of a shard that stay, whole; gives how many."""
    shown = slice(item.start, item.stop)
    stays = ~item.found.repeated(item.number)[shown]
    positions = np.asarray(job.positions(item.number)[shown][stays], np.int64)
    write_parquet(item.file(job), take(job.pool.shards[item.number], job.pool, positions, item.first_row))
    return len(positions)


@dataclasses.dataclass(frozen=True, eq=False)
class ToWrite:
    """A part of the result: which kept files it consists of, under which columns, and where to."""

    files: tuple[Path, ...]
    path: Path
    schema: pa.Schema


def write_part(job: NearJob, item: ToWrite) -> tuple[str, int]:  # noqa: ARG001 - what an engine calls
    """Write a part in the format of its name; gives the name and its rows."""
    table = unify([item.schema.empty_table(), *(pq.read_table(file) for file in item.files)]).combine_chunks()
    write(table, item.path)
    return item.path.name, table.num_rows


def _write(found: Found, engine: Engine, out: Path, format: str) -> list[dict[str, Any]]:  # noqa: A002
    job = found.job
    copies = list(_copies(found))
    missing = [item for item in copies if not item.file(job).exists()]
    with meter("keeping", len(missing)) as advance:
        for _, count in engine.run(copy_rows, job, missing):
            advance(1, count)
    schema = unify([pq.read_schema(item.file(job)).empty_table() for item in copies]).schema
    files: dict[int, list[Path]] = {}
    for item in copies:
        files.setdefault(item.part, []).append(item.file(job))
    parts = [ToWrite(tuple(group), out / f"part-{part:05d}.{format}", schema) for part, group in enumerate(files.values())]
    for _ in engine.run(write_part, job, [one for one in parts if not one.path.exists()]):
        pass  # the file is what is made
    rows = [sum(pq.read_metadata(file).num_rows for file in one.files) for one in parts]
    return [{"file": one.path.name, "rows": count, "sha256": file_hash(one.path)} for one, count in zip(parts, rows, strict=True)]


def _copies(found: Found) -> Iterator[ToCopy]:
    """Which rows of which shard go into which part: a row's part follows from the bytes of the texts kept before it alone."""
    before = 0
    first = _first_rows(found)
    for one in found.shards:
        stays = ~found.repeated(one.number)
        lengths = np.where(stays, found.job.mapped("lengths", one.number, np.uint32), 0).astype(np.int64)
        ends = before + np.cumsum(lengths)
        parts = (ends - lengths) // PART_BYTES
        for start, stop in _runs(parts):
            if stays[start:stop].any():
                yield ToCopy(int(parts[start]), one.number, start, stop, first[one.number], found)
        before = int(ends[-1]) if len(ends) else before


def _runs(values: NDArray[np.int64]) -> Sequence[tuple[int, int]]:
    """Where runs of equal values begin and end."""
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return [(start, stop) for start, stop in itertools.pairwise(edges) if start < stop]


def _manifest(found: Found, engine: Engine, key: str, parts: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """What the folder holds, and of what it was made."""
    from importlib.metadata import version

    pool, minhash = found.job.pool, found.job.minhash
    bad = sum(one.bad[1] for one in found.shards)
    notes = list(pool.notes)
    if bad:
        notes.append(f"{bad} bad rows were skipped: {'; '.join([reason for one in found.shards for reason in one.bad[0]][:5])}")
    digests = {one.number: one.digest for one in found.shards}
    usable = int(found.bases[-1])
    number, size = minhash.bands
    return {
        "key": key,
        "acclimate": version("acclimate"),
        "settings": {**dataclasses.asdict(minhash), "bands": number, "values_in_a_band": size},
        "pool": [
            {"file": file, "bytes": bytes_, "shards": [digests[s.number] for s in pool.shards if s.file == file]}
            for file, bytes_ in pool.sizes
        ],
        "records": sum(one.records for one in found.shards),
        "bad_rows": bad,
        "usable": usable,
        "duplicates": found.duplicates,
        "clusters": found.clusters,
        "largest_cluster": found.largest,
        "kept": usable - found.duplicates,
        "parts": parts,
        "notes": notes,
        "seconds": round(seconds, 3),
        "engine": f"{engine.name}, {engine.workers} workers",
    }
