"""Same recipe, same seed: the same bytes, whatever the hash seed, the worker count and the name of the folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from acclimate.data.write import write
from tests.integration.test_faults import RECIPE, contents
from tests.shift import pool, sentences


def _compare(folder: Path, encoder: Path, workers: int, hash_seed: str) -> dict[str, bytes]:
    folder.mkdir()
    write(pool(80).table, folder / "pool.csv")
    write(sentences("clinic", 80, 9).table, folder / "clinic.csv")
    (folder / "recipe.yaml").write_text(RECIPE.format(encoder=encoder), encoding="utf-8")
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "ACCLIMATE_HOME": str(folder / "home")}
    code = (
        "from acclimate.pipeline import compare; from acclimate.recipe import read_recipe\n"
        f"recipe = read_recipe({str(folder / 'recipe.yaml')!r}).model_copy(update={{'workers': {workers}}})\n"
        f"compare(recipe, {str(folder / 'run')!r})"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    return {name: data for name, data in contents(folder / "run").items() if name != "recipe.yaml"}  # it names folder and workers


def test_bytes_do_not_depend_on_hash_seed_or_worker_count(tmp_path: Path, encoder_folder: Path) -> None:
    one = _compare(tmp_path / "one", encoder_folder, workers=1, hash_seed="1")
    two = _compare(tmp_path / "two", encoder_folder, workers=2, hash_seed="2")
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []
