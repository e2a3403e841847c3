"""Files are whole or absent, and names depend on content alone."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from acclimate.engine.storage import (
    atomic_path,
    content_hash,
    new_array,
    read_json,
    write_array,
    write_json,
    write_parquet,
    write_text,
)
from acclimate.errors import NoRoomError, RunError


def test_a_failure_while_writing_leaves_the_old_file_and_no_remains(tmp_path: Path) -> None:
    place = tmp_path / "file.txt"
    place.write_text("old")

    def fail_half_way() -> None:
        with atomic_path(place) as temporary:
            temporary.write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail_half_way()
    assert place.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]


def test_a_folder_that_cannot_be_written_gives_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(RunError, match="could not be written"), atomic_path(tmp_path / "file" / "x.json"):
        pass


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may have more than 64 kB: what a full disk does, for anyone."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


LARGE = np.random.default_rng(0).random(100_000)
WRITERS: dict[str, Callable[[Path], object]] = {
    "parquet": lambda path: write_parquet(path, pa.table({"x": LARGE})),
    "array": lambda path: write_array(path, LARGE),
    "mapped": lambda path: new_array(path, np.float64, len(LARGE)),
    "text": lambda path: write_text(path, "x" * 100_000),
    "json": lambda path: write_json(path, LARGE.tolist()),
}


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("writer", WRITERS)
def test_no_room_gives_one_clear_error_and_leaves_nothing(tmp_path: Path, writer: str) -> None:
    with pytest.raises(NoRoomError, match=r"file' could not be written: .*File too large.* bytes are free there"):
        WRITERS[writer](tmp_path / "file")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), ()])
@pytest.mark.parametrize("kind", [np.float64, np.uint8, np.bool_])
def test_arrays_are_written_as_numpy_writes_them(tmp_path: Path, shape: tuple[int, ...], kind: type[np.generic]) -> None:
    array = np.ones(shape, kind).T
    write_array(tmp_path / "ours.npy", array)
    np.save(tmp_path / "theirs.npy", np.ascontiguousarray(array).reshape(array.shape))
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "theirs.npy").read_bytes()


def test_a_new_mapped_array_is_zeros_that_stay_when_written(tmp_path: Path) -> None:
    array = new_array(tmp_path / "array", np.int64, 1000)
    assert not array.any()
    array[7] = 5
    array.flush()
    assert np.fromfile(tmp_path / "array", np.int64)[7] == 5


def test_equal_tables_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_parquet(tmp_path / name, pa.table({"x": [1, 2], "y": ["é", None]}))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_json_round_trip_and_stable_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": [0.1, None]})
    write_json(tmp_path / "b.json", {"a": [0.1, None], "b": 1})
    assert read_json(tmp_path / "a.json") == {"a": [0.1, None], "b": 1}
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_hashes_tell_parts_apart_and_ignore_the_process() -> None:
    assert content_hash("ab", "c") != content_hash("a", "bc")
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    code = "from acclimate.engine.storage import content_hash; print(content_hash(['x', 1, None]))"
    other = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == content_hash(["x", 1, None])
