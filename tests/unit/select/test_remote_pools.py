"""Pools on remote stores: read as local ones, with clear messages for what is missing; results are written to folders."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from acclimate.cli.main import main
from acclimate.data.domain import from_columns
from acclimate.data.make import open_target
from acclimate.data.shards import Pool, pool
from acclimate.data.write import write
from acclimate.engine.base import engine
from acclimate.errors import InputError, RunError
from acclimate.select.budget import Budget
from acclimate.select.pick import Pick
from acclimate.select.stream.choice import Choice
from acclimate.select.stream.distinct import distinct
from acclimate.select.stream.folder import Streamed
from acclimate.select.stream.run import select_stream

WORDS = ("fever", "patient", "dose", "car", "engine", "road", "rain", "noon", "house")


def texts(count: int) -> list[str]:
    draw = np.random.default_rng(0)
    return [" ".join(draw.choice(WORDS, 9)) + f" {row // 2}" for row in range(count)]


@pytest.fixture
def local(tmp_path: Path) -> Path:
    folder = tmp_path / "local"
    for number, suffix in enumerate((".jsonl", ".jsonl.zst", ".csv", ".parquet")):
        write(pa.table({"text": texts(240)[60 * number : 60 * number + 60]}), folder / f"p{number}{suffix}")
    return folder


def read(names: list[str]) -> Pool:
    return pool(names, text="text", shard_bytes=1500)


def chosen(pieces: Pool, out: Path, **how: Any) -> Streamed:
    target = open_target(from_columns("clinic", ["fever of the patient", "a dose for the patient"]))
    return select_stream(pieces, target, out, choice=Choice("dsir", {"buckets": 4096}, Budget.parse(30), Pick()), **how)


def rows(done: Streamed) -> list[dict[str, Any]]:
    """Without the name of the file, which is a URL there."""
    return pa.concat_tables([pq.read_table(path) for path in done.paths]).drop_columns(["file"]).to_pylist()


def test_a_remote_pool_is_chosen_from_as_a_local_one(tmp_path: Path, local: Path) -> None:
    names = sorted(local.iterdir())
    there = []
    for name in names:
        there.append(f"memory://far/{tmp_path.name}/{name.name}")
        with fsspec.open(there[-1], "wb") as file:
            file.write(name.read_bytes())
    here = chosen(read([str(name) for name in names]), tmp_path / "here")
    away = chosen(read(there), tmp_path / "away")
    assert rows(away) == rows(here)
    assert all(row["file"].startswith("memory://") for row in pq.read_table(away.paths[0]).to_pylist())
    kept = distinct(read(there), tmp_path / "distinct-away")
    assert kept.manifest["kept"] == distinct(read([str(name) for name in names]), tmp_path / "distinct-here").manifest["kept"] < 240


def test_a_url_is_read_by_several_processes(tmp_path: Path, local: Path) -> None:
    names = sorted(local.iterdir())
    here = chosen(read([str(name) for name in names]), tmp_path / "here")
    away = chosen(read([f"file://{name}" for name in names]), tmp_path / "away", engine=engine(workers=2))
    assert rows(away) == rows(here)


@pytest.mark.parametrize(
    ("url", "package"), [("s3://b/x.jsonl", "s3fs"), ("gs://b/*.jsonl", "gcsfs"), ("hf://datasets/a/b/x.csv", "huggingface_hub")]
)
def test_a_store_whose_package_is_missing_is_told_by_the_name_of_the_package(
    url: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.registry import _registry

    monkeypatch.setitem(sys.modules, package, None)  # as where it is not installed
    monkeypatch.delitem(_registry, url.partition(":")[0], raising=False)
    with pytest.raises(InputError, match=rf"needs the package {package}, which is not installed.*pip install {package}"):
        pool(url)


def test_a_store_that_nobody_knows_is_told() -> None:
    with pytest.raises(InputError, match=r"'nowhere://x/y\.jsonl' cannot be read"):
        pool("nowhere://x/y.jsonl")


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(InputError, match=r"'example\.org' holds a password") as told:
        pool("https://user:sesame@example.org/pool.jsonl")
    assert "sesame" not in str(told.value)


class Flaky(MemoryFileSystem):
    """A store that answers for a while."""

    protocol = "flaky"
    answers = 4

    def _open(self, path: str, mode: str = "rb", **settings: Any) -> Any:
        Flaky.answers -= 1
        if Flaky.answers == 0:
            raise TimeoutError("no answer")
        return super()._open(path, mode, **settings)


def test_a_store_that_fails_half_way_is_told_and_the_next_start_goes_on(tmp_path: Path, local: Path) -> None:
    fsspec.register_implementation("flaky", Flaky, clobber=True)
    Flaky.answers = 10**6
    with fsspec.open("flaky://near/p0.jsonl", "wb") as file:
        file.write((local / "p0.jsonl").read_bytes())
    pieces = read(["flaky://near/p0.jsonl"])
    Flaky.answers = 4
    with pytest.raises(InputError, match=r"cannot be read \(TimeoutError: no answer"):
        chosen(pieces, tmp_path / "out")
    assert not list((tmp_path / "out").glob("[!.]*"))
    Flaky.answers = 10**6
    assert rows(chosen(pieces, tmp_path / "out")) == rows(chosen(read([str(local / "p0.jsonl")]), tmp_path / "here"))


def test_a_store_that_breaks_off_a_file_is_told(tmp_path: Path, local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fsspec.open(f"memory://far/{tmp_path.name}.jsonl", "wb") as file:
        file.write((local / "p0.jsonl").read_bytes())
    pieces = pool(f"memory://far/{tmp_path.name}.jsonl", text="text")
    from fsspec.implementations.memory import MemoryFile

    def broken(*_: object) -> bytes:
        raise ConnectionResetError("the line is dead")

    monkeypatch.setattr(MemoryFile, "read", broken)
    monkeypatch.setattr(MemoryFile, "readinto", broken)
    with pytest.raises(RunError, match=r"could not be read to its end \(ConnectionResetError: the line is dead\)"):
        chosen(pieces, tmp_path / "out")


@pytest.mark.parametrize("out", ["s3://bucket/picked/", "gs://bucket/picked.parquet"])
@pytest.mark.parametrize("verb", ["select", "distinct"])
def test_a_result_for_a_remote_store_is_refused_before_anything_is_read(
    verb: str, out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    files = ["pool.jsonl", "target.csv"] if verb == "select" else ["pool.jsonl"]
    for name in files:
        (tmp_path / name).write_text("text\n")
    with pytest.raises(SystemExit) as ended:
        main([verb, *files, "--out", out])
    assert ended.value.code == 2
    assert "names a remote store" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)


def test_the_library_refuses_it_too(tmp_path: Path, local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for write_it in (
        lambda: chosen(read([str(local / "p0.jsonl")]), Path("s3://bucket/picked")),
        lambda: distinct(read([str(local / "p0.jsonl")]), Path("s3://bucket/picked")),
        lambda: write(pa.table({"text": ["x"]}), "s3://bucket/x.parquet"),
    ):
        with pytest.raises(InputError, match="names a remote store"):
            write_it()
    assert [path.name for path in tmp_path.iterdir()] == ["local"]
