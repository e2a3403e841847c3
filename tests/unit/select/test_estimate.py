"""What a dry run says of a pool: counts and bytes beside those of the whole job, and that nothing of it stays."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from acclimate.cli.main import main
from acclimate.data.domain import from_columns
from acclimate.data.make import open_target
from acclimate.data.shards import pool
from acclimate.data.write import write
from acclimate.errors import InputError
from acclimate.select.base import Toolbox
from acclimate.select.budget import Budget
from acclimate.select.pick import Pick
from acclimate.select.stream import estimate as measuring
from acclimate.select.stream.choice import Choice
from acclimate.select.stream.estimate import estimate
from acclimate.select.stream.run import select_stream

WORDS = np.array([f"word{number}" for number in range(3000)])
ROWS = 8_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4.5 MB of rows, of which every fourth comes again with two words changed."""
    made = tmp_path_factory.mktemp("pool")
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(WORDS, 60)) for _ in range(ROWS)]
    texts[3::4] = [f"{text} once more" for text in texts[1::4]]
    for suffix in (".jsonl", ".jsonl.zst", ".parquet"):
        write(pa.table({"text": texts}), made / f"pool{suffix}")
    return made


def embed(contents: Any) -> Any:
    return np.array([[len(text), text.count("1"), text.count("2"), 1.0] for text in contents], np.float32)


def asked(method: str, budget: Any, **pick: Any) -> Choice:
    settings = {"buckets": 4096} if method == "dsir" else {}
    return Choice(method, settings, Budget.parse(budget), Pick.parse(pick))


TARGET = open_target(from_columns("clinic", [" ".join(WORDS[row : row + 20]) for row in range(30)]))


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.zst", ".parquet"])
@pytest.mark.parametrize(
    ("method", "budget", "pick"),
    [("dsir", 2000, {}), ("classifier", "10%", {"how": "gumbel"}), ("knn", "150k tokens", {}), ("dsir", "20%", {"distinct": True})],
)
def test_rows_and_bytes_are_those_of_the_job(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, method: str, budget: Any, pick: dict[str, Any]
) -> None:
    monkeypatch.setattr(measuring, "PIECE_BYTES", 600_000)  # as small beside this pool as pieces are beside a large one
    pieces = pool(folder / f"pool{suffix}", text="text")
    told = estimate(pieces, TARGET, choice=asked(method, budget, **pick), tools=Toolbox(embed=embed))
    done = select_stream(pieces, TARGET, tmp_path / "out", choice=asked(method, budget, **pick), tools=Toolbox(embed=embed))
    kept_bytes = sum(path.stat().st_size for path in done.paths)
    assert told.rows == pytest.approx(ROWS, rel=0.03)
    assert told.kept == pytest.approx(len(done), rel=0.1)
    assert told.disk_bytes[1] == pytest.approx(kept_bytes, rel=0.25)
    assert told.disk_bytes[0] > told.disk_bytes[1]
    assert told.measured_bytes < pieces.bytes or suffix != ".jsonl"


def test_what_comes_before_is_counted_and_workers_share_what_grows(folder: Path) -> None:
    pieces = pool(folder / "pool.jsonl", text="text", shard_bytes=500_000)
    alone = estimate(pieces, TARGET, choice=asked("dsir", 500), started=1000.0)
    assert 1000 < alone.seconds == alone.cpu_seconds < 1100
    four = estimate(pieces, TARGET, choice=asked("dsir", 500), workers=4, started=1000.0)
    assert four.cpu_seconds > four.seconds > 1000
    one_piece = estimate(pool(folder / "pool.jsonl", text="text"), TARGET, choice=asked("dsir", 500), workers=4)
    assert one_piece.seconds == one_piece.cpu_seconds, "a pool of one piece keeps one worker busy"


def test_nothing_of_the_measurement_stays(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    estimate(pool(folder / "pool.jsonl", text="text"), TARGET, choice=asked("random", 500))
    with pytest.raises(InputError):
        estimate(pool(folder / "pool.jsonl", text="text"), TARGET, choice=asked("herding", 500))
    assert not list(tmp_path.iterdir())


def test_a_slow_method_is_measured_on_less(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = pool(folder / "pool.jsonl", text="text")
    whole = estimate(pieces, TARGET, choice=asked("dsir", 500))  # the last of several looks, each larger than the one before
    assert whole.measured_bytes == pieces.bytes
    monkeypatch.setattr(measuring, "SECONDS", 1e-6)
    little = estimate(pieces, TARGET, choice=asked("dsir", 500))
    assert little.measured_bytes == 3 * measuring.FIRST_BYTES
    assert little.rows == pytest.approx(ROWS, rel=0.03)


def test_vectors_that_are_remembered_do_not_make_a_dry_run_endless(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def pieces_of(pieces: Any, each: int) -> Any:
        looked.append(each)
        return cut(pieces, each)

    cut = measuring._pieces
    monkeypatch.setattr(measuring, "_pieces", pieces_of)
    estimate(pool(folder / "pool.jsonl", text="text"), TARGET, choice=asked("random", 500))
    assert len(looked) > 2
    assert all(after <= measuring.GROWTH * before for before, after in itertools.pairwise(looked))


def test_the_command_tells_it_and_writes_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(pa.table({"text": ["one two three", "four five six"]}), tmp_path / "target.csv")
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as ended:
        main(["select", str(folder / "pool.jsonl"), str(tmp_path / "target.csv"), "--test", "none", "--text", "text", "--method",
              "random", "--budget", "10%", "--out", str(out), "--dry-run", "--json"])  # fmt: skip
    assert ended.value.code == 0
    told = orjson.loads(capsys.readouterr().out)
    assert told["kept"] == pytest.approx(ROWS / 10, rel=0.03)
    assert told["cpu_seconds"] > 0
    assert not out.exists()
    assert {field.name for field in dataclasses.fields(measuring.Estimate)} <= set(told)
