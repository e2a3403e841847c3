"""The folder that a job on a pool writes into: its parts and manifest, unfinished work, one job at a time."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock

from acclimate.data.domain import Domain
from acclimate.data.load import load
from acclimate.engine.storage import check_local, file_hash, read_json
from acclimate.errors import InputError, RunError

#: Of parts.
FORMATS = ("parquet", "jsonl", "jsonl.gz", "jsonl.zst", "csv")
#: What may lie beside parts: rows that were left out, and why.
LISTS = ("removed.parquet", "duplicates.parquet")


@dataclasses.dataclass(frozen=True, eq=False)
class Streamed:
    """What was kept of a pool, in files.

    Attributes:
        folder: where they are.
        manifest: what ``manifest.json`` says: method, budget, threshold, counts, input files and shards, parts.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def paths(self) -> list[Path]:
        """The parts, in order of the pool."""
        return [self.folder / part["file"] for part in self.manifest["parts"]]

    @property
    def notes(self) -> list[str]:
        """What a user should know about the choice."""
        return list(self.manifest["notes"])

    def __len__(self) -> int:
        return int(self.manifest["kept"])

    def to_domain(self) -> Domain:
        """The kept examples with their weights, in order of the pool, in memory."""
        return load([str(path) for path in self.paths])


def check_format(name: str) -> None:
    """Raise an InputError for a format that parts cannot have."""
    if name not in FORMATS:
        raise InputError(f"The format '{name}' of parts", expected=f"one of {', '.join(FORMATS)}", fix="leave it out for Parquet")


@contextlib.contextmanager
def working(out: Path) -> Iterator[Path]:
    """The folder of unfinished work, while nobody else works there.

    Raises:
        InputError: ``out`` is a file or remote, holds something that is not a selection, or another process works there.
        RunError: it cannot be written.
    """
    check_local(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"'{out}' is a file", expected="a folder for the parts of the result", fix="name a folder")
    work, is_new = out / ".work", not out.exists()
    if out.is_dir() and not (out / "manifest.json").exists() and not work.exists() and any(out.iterdir()):
        raise InputError(f"'{out}' holds other files", expected="an empty or a new folder", fix="name another one")
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"'{out}' cannot be written ({error.strerror})", expected="a writable folder", fix="choose another"
        ) from error
    lock = filelock.FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise InputError(
            f"Another process is selecting into '{out}'", expected="one at a time", fix="wait for it, or choose another folder"
        ) from error
    try:
        _sweep(out, work)  # of a start that was killed; they take room
        yield work
    finally:
        _sweep(out, work)  # of workers that ended with their engine
        lock.release()
        with contextlib.suppress(OSError):
            (out / ".lock").unlink()
            work.rmdir()  # where nothing is left to go on with
            if is_new:
                out.rmdir()  # where nothing came of it


def _sweep(out: Path, work: Path) -> None:
    """Remove what was being written by whoever is gone."""
    for left in (*out.glob(".*.part"), *work.rglob(".*.part")):
        left.unlink(missing_ok=True)


def finished(out: Path, key: str) -> Streamed | None:
    """What is there already, if it is what was asked for and every part is whole; otherwise it is cleared away."""
    file = out / "manifest.json"
    if file.exists():
        manifest = read_json(file)
        if manifest.get("key") == key and all(
            (out / part["file"]).exists() and file_hash(out / part["file"]) == part["sha256"] for part in manifest["parts"]
        ):
            return Streamed(out, manifest)
        file.unlink()
    for left in (*out.glob("part-*"), *(out / name for name in LISTS)):
        left.unlink(missing_ok=True)
    return None


def publish(staged: Path, out: Path) -> None:
    """Move parts and lists, all of which are whole, to where users look for them; the manifest comes after them."""
    for file in sorted(staged.glob("[!.]*")):
        file.replace(out / file.name)
