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
        main(["augment", "--guard", "none", *map(str, arguments)])
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
    assert len(grown) == 14
    assert grown.modality == "image"
    assert all(len(orjson.loads(origin)["parents"]) == 2 for origin in grown.table.column("origin").to_pylist())


def test_a_method_of_style_without_a_style_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _augment(_folder(tmp_path / "t", 0), "--method", "histogram", "--out", tmp_path / "g.parquet", "--dry-run") == 2
    assert "--style FILE" in capsys.readouterr().err
