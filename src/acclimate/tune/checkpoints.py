"""Checkpoints that are whole or absent, and that belong to one training alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from acclimate.engine.storage import read_json, write_json
from acclimate.errors import InputError

#: Names the training whose checkpoints lie beside it.
OWNER = "training.json"
#: Where a checkpoint is written before it is renamed into its place.
STAGING = "staging"
PREFIX = "checkpoint-"


def place(folder: Path) -> Path:
    """The folder for checkpoints inside the user's ``folder``; it is acclimate's own and is removed when training ends.

    Raises:
        InputError: ``folder`` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"'{folder}' is a file", expected="a folder", fix="choose another place")
    return folder / ".training"


def claim(folder: Path, key: str) -> Path | None:
    """Take ``folder`` for the training called ``key``; returns its last whole checkpoint, or None where it starts afresh.

    Checkpoints of another training (other data, other settings) are removed.
    """
    owner = folder / OWNER
    if not owner.is_file() or read_json(owner) != {"key": key}:
        release(folder)
        write_json(owner, {"key": key})
    shutil.rmtree(folder / STAGING, ignore_errors=True)
    whole = _checkpoints(folder)
    return whole[-1] if whole else None


def publish(folder: Path, step: int) -> None:
    """Put the staged checkpoint of ``step`` in its place by one rename, then drop the older ones."""
    (folder / STAGING / f"{PREFIX}{step}").rename(folder / f"{PREFIX}{step}")
    for old in _checkpoints(folder)[:-1]:
        shutil.rmtree(old)


def release(folder: Path) -> None:
    """Remove the checkpoints and their folder."""
    shutil.rmtree(folder, ignore_errors=True)


def _checkpoints(folder: Path) -> list[Path]:
    """Whole checkpoints, earliest step first."""
    found = [path for path in folder.glob(f"{PREFIX}*") if path.name.removeprefix(PREFIX).isdecimal()]
    return sorted(found, key=lambda path: int(path.name.removeprefix(PREFIX)))
