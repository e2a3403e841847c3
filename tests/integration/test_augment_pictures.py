"""Pictures through the command line: a folder in, a Parquet file of new pictures out, the test part and its repeats left alone."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from acclimate.cli.main import main
from acclimate.data.load import load
from tests.unit.augment.image.image_parents import picture


def _folder(root: Path, first: int, count: int = 10) -> Path:
    for row in range(count):
        file = root / ("cat", "dog")[row % 2] / f"{row}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(first + row, 20, 20, grey=False))
    return root


def _augment(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["augment", *map(str, arguments)])
    return int(ended.value.code or 0)


def test_pictures_take_the_style_of_a_folder_that_is_cleaned_of_the_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = _folder(tmp_path / "target", 0)
    out = tmp_path / "grown.parquet"
    style = _folder(tmp_path / "style", 0, count=13)  # ten of them are the target's, its test included
    assert _augment(target, "--method", "fourier", "--style", style, "--times", 2, "--out", out) == 0
    said = capsys.readouterr()
    assert "removed 3 style examples that repeat a test example" in said.err
    assert "PNG, 20 × 20" in said.out
    grown = load(out)
    assert "guards refused 4 of 14 new examples of 'fourier': unchanged 2, repeated 2" in said.err  # some met their own style
    assert len(grown) == 10
    assert grown.modality == "image"
    assert all(len(orjson.loads(origin)["parents"]) == 2 for origin in grown.table.column("origin").to_pylist())


def test_new_pictures_go_into_a_folder_of_classes_and_come_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (_folder(tmp_path / "target", 0), "--method", "geometric", "--times", 2, "--test", "none", "--out")
    assert _augment(*arguments, tmp_path / "grown") == 0
    assert _augment(*arguments, tmp_path / "grown.parquet") == 0
    folder, file = load(tmp_path / "grown"), load(tmp_path / "grown.parquet")
    place = {name: row for row, name in enumerate(folder.ids)}
    assert place.keys() == set(file.ids)
    order = [place[name] for name in file.ids]
    assert folder.take(order).fingerprint == file.fingerprint
    assert folder.table.column("origin").take(order).to_pylist() == file.table.column("origin").to_pylist()
    assert {path.name for path in (tmp_path / "grown").iterdir()} == {"cat", "dog", "metadata.jsonl"}
    capsys.readouterr()
    assert _augment(*arguments, tmp_path / "grown") == 2
    assert "holds other files" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*"))


def test_pictures_do_not_go_into_files_of_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _augment(_folder(tmp_path / "target", 0), "--method", "colour", "--out", tmp_path / "g.csv") == 2
    assert "g.parquet" in capsys.readouterr().err


def test_a_method_of_style_without_a_style_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _augment(_folder(tmp_path / "t", 0), "--method", "histogram", "--out", tmp_path / "g.parquet", "--dry-run") == 2
    assert "--style FILE" in capsys.readouterr().err
