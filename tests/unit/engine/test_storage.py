"""Files are whole or absent, and names depend on content alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from acclimate.engine.storage import atomic_path, content_hash, read_json, write_json, write_parquet
from acclimate.errors import RunError


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


def test_a_full_disk_gives_one_clear_error_and_leaves_nothing() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match="space"), full.open("wb", buffering=0) as file:
        file.write(b"x")


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
