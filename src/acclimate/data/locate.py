"""From what a user names (a path, a pattern, several of them) to the files it means."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from acclimate.errors import InputError

PathLike = str | Path


def as_list(path: PathLike | Sequence[PathLike]) -> list[str]:
    """One path or several, as strings."""
    several = [path] if isinstance(path, (str, Path)) else list(path)
    if not several:
        raise InputError("No file was named", expected="at least one file", fix="give a path or a pattern")
    return [str(one) for one in several]


def expand(path: str) -> list[Path]:
    """The files that a path or a pattern means, sorted; ``~`` is the home folder.

    Raises:
        InputError: a pattern matches nothing. A plain path is given back unchecked.
    """
    plain = Path(path).expanduser()
    if plain.exists() or not glob.has_magic(path):
        return [plain]
    anchor = Path(plain.anchor)
    pattern = str(plain.relative_to(anchor)) if plain.anchor else str(plain)
    matches = sorted(match for match in anchor.glob(pattern) if match.is_file())
    if not matches:
        raise InputError(f"No file matches '{path}'", expected="at least one file", fix="check the pattern and the folder")
    return matches


def distinct_prefixes(files: Sequence[str], stems: Sequence[str]) -> list[str]:
    """What generated ids of each file start with: its stem, or its path below the common folder where stems repeat."""
    if len(set(stems)) == len(stems):
        return list(stems)
    common = os.path.commonpath([Path(file).absolute().parent for file in files])
    return [os.path.relpath(file, common) for file in files]
