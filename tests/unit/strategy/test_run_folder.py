"""A run's folder is locked, and a second start does only what is missing."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from acclimate.errors import RunError
from acclimate.strategy.run_folder import RunFolder


def test_a_finished_step_is_not_made_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    made = []

    def make() -> pa.Table:
        made.append(1)
        return pa.table({"x": [1]})

    with folder.locked():
        assert folder.step("key", make).equals(folder.step("key", make))
    assert made == [1]


def test_a_damaged_step_is_made_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        folder.step("key", lambda: pa.table({"x": [1]}))
        (tmp_path / "run" / "steps" / "key.parquet").write_bytes(b"PAR1 torn")
        assert folder.step("key", lambda: pa.table({"x": [2]})).column("x").to_pylist() == [2]


def test_two_processes_cannot_run_in_one_folder(tmp_path: Path) -> None:
    with RunFolder(tmp_path).locked(), pytest.raises(RunError, match="Another process"), RunFolder(tmp_path).locked():
        pass


def test_what_a_killed_process_left_half_written_is_swept_away(tmp_path: Path) -> None:
    leftover = tmp_path / "steps" / ".key.parquet.abc.part"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half")
    with RunFolder(tmp_path).locked():
        assert not leftover.exists()
