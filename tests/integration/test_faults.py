"""`kill -9` at any moment loses nothing: started again, a comparison ends with the very bytes of an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from acclimate.data.write import write
from tests.shift import pool, sentences

KILLS = 20
RECIPE = """\
name: small
model: {encoder}
source: {{path: pool.csv}}
target: {{path: clinic.csv, labels: 24, test: 0.3, validation: cv2}}
arms:
  - select: {{method: dsir, budget: 30%}}
  - augment: [{{method: eda, times: 1, synonyms: none}}, {{method: mixup}}]
seeds: 2
confirm: {{seeds: 2, all_arms: true}}
workers: 1
tune: {{steps: 6, batch_size: 4, checkpoint_every: 2, lr: 1.0e-3}}
"""
#: Everything that must come out the same; costs and logs hold measured seconds.
SAME = ("evidence.parquet", "ledger.json", "recipe.yaml", "selection", "augmented")


@pytest.fixture
def recipe(tmp_path: Path, encoder_folder: Path) -> Path:
    write(pool(80).table, tmp_path / "pool.csv")
    write(sentences("clinic", 80, 9).table, tmp_path / "clinic.csv")
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(encoder=encoder_folder), encoding="utf-8")
    return tmp_path / "recipe.yaml"


def _start(recipe: Path, out: Path) -> int:
    """Run a comparison in a forked child: this process has paid for the imports, and has run no torch code a fork could break."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ["ACCLIMATE_HOME"] = str(out.parent / "home")
        from acclimate.pipeline import compare

        compare(recipe, out)
        code = 0
    except BaseException as error:  # a forked child must never return into pytest
        sys.stderr.write(f"{error!r}\n")
    finally:
        os._exit(code)


def contents(folder: Path) -> dict[str, bytes]:
    files = [
        file for name in SAME for file in ([folder / name] if (folder / name).is_file() else sorted((folder / name).rglob("*")))
    ]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.is_file()}


def test_twenty_kills_at_random_moments_change_no_byte(recipe: Path, tmp_path: Path) -> None:
    import acclimate.pipeline  # noqa: F401 - imported before forking

    started = time.monotonic()
    assert os.waitpid(_start(recipe, tmp_path / "calm" / "run"), 0)[1] == 0
    whole = time.monotonic() - started

    rng = random.Random(0)
    killed = 0
    out = tmp_path / "stormy" / "run"
    while killed < KILLS:
        child = _start(recipe, out)
        # Finished steps make each start shorter; a fraction of the whole keeps the moments spread over all that is left.
        time.sleep(rng.uniform(0.05, 0.35) * whole)
        os.kill(child, signal.SIGKILL)
        if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            killed += 1
        else:  # it finished before the signal: begin again, so that every kill hits work in progress
            _forget(out)
    assert os.waitpid(_start(recipe, out), 0)[1] == 0
    assert contents(out) == contents(tmp_path / "calm" / "run")
    assert not list(out.rglob("*.part"))
    assert pq.read_table(out / "evidence.parquet").num_rows > 0


def _forget(out: Path) -> None:
    """Remove what a finished run made, and what it cached."""
    import shutil

    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(out.parent / "home", ignore_errors=True)
