"""New examples straight into a file: parents in chunks, finished chunks kept beside it for a second start."""

from __future__ import annotations

import collections
import dataclasses
import importlib.metadata
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from acclimate.augment.base import PROVIDED, Augmenter, Count, Predict, settings_of
from acclimate.augment.guard.run import Sieve, Sifted, refusals
from acclimate.augment.run import check_modality, expander, sifted, times_of
from acclimate.data.domain import Domain
from acclimate.data.images import described
from acclimate.data.write import check_pictures, writing
from acclimate.engine.progress import track
from acclimate.engine.storage import content_hash, write_parquet
from acclimate.errors import RunError

#: Parents of a chunk: of what is cheap enough to lose some thousands of. A dear method says ``parents_at_once`` itself.
_PARENTS = 4096
_NOTES, _COUNTS = b"acclimate.notes", b"acclimate.refused"
#: Rows of the finished file that are read and written at once.
_ROWS = 16_384


@dataclasses.dataclass(frozen=True)
class Grown:
    """What was written.

    Attributes:
        made: new examples.
        kept: chunks of ``chunks`` that an earlier start had finished.
        samples: (parent id, new content) of a few.
        notes: what a user should know, and what guards refused; counts added up over chunks.
        refused: new examples that guards refused, by the name of the guard.
        removed: those examples, and why.
    """

    made: int
    chunks: int
    kept: int
    samples: list[tuple[str, str]]
    notes: tuple[str, ...]
    refused: Mapping[str, int]
    removed: pa.Table


def augment_to_file(
    parents: Domain,
    out: Path,
    *,
    method: str,
    times: int | None = None,
    seed: int = 0,
    workers: int = 1,
    style: Domain | None = None,
    predict: Predict | None = None,
    sieve: Sieve | None = None,
    off: Sequence[str] = (),
    models: Sequence[str] = (),
    **settings: Any,
) -> Grown:
    """Write new examples of ``parents`` into ``out``; see :func:`acclimate.augment.run.augment`.

    Memory holds the parents and what one chunk of them becomes. Chunks lie in ``.NAME.parts`` beside the file, each under a name
    made from its parents' content, the method, its settings, ``times`` and ``seed``, and from what guards compare with; they go
    when the file is whole. A method that has to see all parents at once (``balance``, ``error-driven``) is one chunk.

    Args:
        sieve: the guards that new examples pass; none are asked without it.
        off: guards that were switched off, which is told.
        models: names the models behind ``predict`` and the guards' teacher; a part of the names of chunks.

    Raises:
        InputError: what :func:`acclimate.augment.run.augment` raises; pictures and a format that cannot hold them.
        RunError: the folder cannot be written, or another process is writing this file.
    """
    augmenter = expander(method, settings, predict=predict, style=style, training=parents)
    check_modality(augmenter, parents)
    check_pictures(out, parents.table.schema)
    many = times_of(augmenter, times)
    guarded = ["" if sieve is None else sieve.fingerprint, list(off), list(models)]
    folder = out.parent / f".{out.name}.parts"
    with _alone(folder, out):
        files, kept = [], 0
        for chunk in track(list(_chunks(parents, augmenter)), "Chunks"):
            file = folder / f"{_key(chunk, augmenter, many, seed, guarded)}.parquet"
            if file.is_file():
                kept += 1
                if sieve is not None:
                    sieve.remember(Domain(parents.name, pq.read_table(file)))
            else:
                _keep(sifted(augmenter, chunk, many, seed, workers, sieve, off), file, augmenter.method)
            files.append(file)
        grown = _join(files, out, kept, augmenter.method)
        shutil.rmtree(folder)
    return grown


def _chunks(parents: Domain, augmenter: Augmenter) -> Iterator[Domain]:
    """The parents in parts; one empty part where there are none, so that the columns are written."""
    size = len(parents) if getattr(augmenter, "whole", False) else getattr(augmenter, "parents_at_once", _PARENTS)
    for start in range(0, max(len(parents), 1), max(size, 1)):
        yield Domain(parents.name, parents.table.slice(start, size))


def _key(chunk: Domain, augmenter: Augmenter, times: int, seed: int, guarded: Sequence[Any]) -> str:
    """Made from all that decides what a chunk becomes, and from the columns that are handed on."""
    sink = pa.BufferOutputStream()
    table = chunk.table.combine_chunks()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.take(pa.array(range(len(chunk)), pa.int64())))  # a slice would bring its neighbours' bits
    version = importlib.metadata.version("acclimate")
    handed = [getattr(augmenter, name).fingerprint for name in PROVIDED if getattr(augmenter, name, None) is not None]
    return content_hash(version, augmenter.method, settings_of(augmenter), handed, times, seed, guarded, bytes(sink.getvalue()))


def _keep(sifted: Sifted, file: Path, method: str) -> None:
    said = refusals(method, sifted.made, sifted.counts)  # told of all chunks together when they are joined
    own = [note for note in sifted.kept.notes if note not in said]
    notes = [[note.template, list(note.numbers)] if isinstance(note, Count) else note for note in own]
    write_parquet(_refused(file), sifted.removed)
    told = {_NOTES: orjson.dumps(notes), _COUNTS: orjson.dumps(dict(sifted.counts))}
    write_parquet(file, sifted.kept.table.replace_schema_metadata(told))


def _refused(file: Path) -> Path:
    """Where what guards refused of a chunk lies; it is written first, so that it is there when the chunk is."""
    return file.with_suffix(".refused")


def _join(files: list[Path], out: Path, kept: int, method: str) -> Grown:
    """The chunks one after another in the finished file, and what they told."""
    schemas = [pq.read_schema(file) for file in files]
    notes = [
        Count(note[0], *note[1]) if isinstance(note, list) else str(note)
        for schema in schemas
        for note in orjson.loads(schema.metadata[_NOTES])
    ]
    schema = pa.unify_schemas([schema.remove_metadata() for schema in schemas], promote_options="permissive")
    made = 0
    samples: list[tuple[str, str]] = []
    with writing(out, schema) as put:
        for file in files:
            for batch in pq.ParquetFile(file).iter_batches(_ROWS):
                table = _as(pa.Table.from_batches([batch]), schema)
                put(table)
                made += table.num_rows
                samples += _samples(table, 3 - len(samples))
    refused: collections.Counter[str] = collections.Counter()
    for schema in schemas:
        refused.update(orjson.loads(schema.metadata[_COUNTS]))
    removed = pa.concat_tables([pq.read_table(_refused(file)) for file in files], promote_options="permissive")
    told = (*Count.total(notes), *refusals(method, made + removed.num_rows, refused))
    return Grown(made, len(files), kept, samples, told, dict(refused), removed)


def _as(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with the columns of a schema; those that it lacks are null."""
    columns = [
        table.column(field.name).cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _samples(table: pa.Table, count: int) -> list[tuple[str, str]]:
    """(parent id, new content) of one child of each of the first parents; of a picture what it is."""
    column = "image" if "image" in table.column_names else "text"
    if column not in table.column_names or count < 1:
        return []
    first: dict[str, str] = {}
    for row in table.slice(0, 256).select(["origin", column]).to_pylist():
        if len(first) < count:
            shown = row[column] if column == "text" else described(row[column])
            first.setdefault(orjson.loads(row["origin"])["parents"][0], shown)
    return list(first.items())


def _alone(folder: Path, out: Path) -> filelock.BaseFileLock:
    """A lock that no other process writing the same file holds; it lies beside the chunks and ends with the process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / "lock")
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise RunError(
            f"'{out}' is being written by another process",
            expected="one process at a time",
            fix="wait for it, or name another file",
        ) from error
    except OSError as error:
        raise RunError(
            f"Nothing can be written beside '{out}': {error.strerror or error}",
            expected="a writable folder with free space",
            fix="choose another place",
        ) from error
    return lock
