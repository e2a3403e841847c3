"""`acclimate distinct`: what a user types, sees and finds in the folder."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from acclimate.cli.main import main
from acclimate.data.load import load

LONG = "the river was high that spring and the old bridge by the mill did not hold"


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["distinct", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def file(tmp_path: Path) -> Path:
    texts = [LONG, "something else", LONG.upper() + "!", "something else again", LONG.replace("spring", "autumn")]
    file = tmp_path / "pool.jsonl"
    file.write_bytes(b"".join(orjson.dumps({"body": text, "stars": row}) + b"\n" for row, text in enumerate(texts)))
    return file


@pytest.mark.parametrize("parts", ["parquet", "jsonl.zst"])
def test_the_first_of_what_is_alike_stays_with_all_its_columns(
    file: Path, tmp_path: Path, parts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert command(str(file), "--out", str(out), "--text", "body", "--parts", parts, "--json") == 0
    told = orjson.loads(capsys.readouterr().out)
    assert (told["usable"], told["duplicates"], told["clusters"], told["largest_cluster"], told["kept"]) == (5, 2, 1, 3, 3)
    kept = load(out / f"part-00000.{parts}", text="text")
    assert kept.texts == [LONG, "something else", "something else again"]
    listed = load(out / "duplicates.parquet", text="kept").table.to_pydict()
    assert listed["id"] == ["pool:2", "pool:4"]
    assert orjson.loads((out / "manifest.json").read_bytes())["parts"][0]["rows"] == 3


def test_a_stricter_threshold_keeps_more_and_a_table_is_shown(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(str(file), "--out", str(tmp_path / "out"), "--text", "body", "--threshold", "1", "--words", "2") == 0
    shown = capsys.readouterr().out
    assert "kept 4 of 5" in shown
    assert "duplicates.parquet" in shown


def test_a_dry_run_writes_nothing(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(str(file), "--out", str(tmp_path / "out"), "--text", "body", "--dry-run") == 0
    assert "in 1 pieces" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_else_is_left_alone(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(str(file), "--out", str(tmp_path), "--text", "body") == 2
    assert "holds other files" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pool.jsonl"]
