"""A disk that is full, really: one message with an exit code, nothing that looks whole and is not, and a next start that goes on.

Two ways to fill one: a small file system in memory, which takes root, and a limit on the size of a file, which the system keeps for
anyone. On both the command line is run as users run it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acclimate.cli.main import main
from acclimate.data import shards
from acclimate.data.write import write
from acclimate.engine.base import engine

ROWS = 6_000
WORDS = np.array([f"word{number}" for number in range(4_000)])
SELECT = ("select", "--method", "dsir", "--set", "buckets=4096", "--budget", "40%", "--test", "none")
COMMANDS = {
    "dsir": (*SELECT,),
    "classifier": ("select", "--method", "classifier", "--budget", "40%", "--test", "none", "--parts", "jsonl.zst"),
    "distinct": ("distinct",),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A pool of 3.4 MB in two files, of which every tenth row repeats another, and a target."""
    folder = tmp_path_factory.mktemp("data")
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(WORDS, 60)) for _ in range(ROWS)]
    texts[9::10] = texts[4::10]
    write(pa.table({"text": texts[: ROWS // 2]}), folder / "a.jsonl")
    write(pa.table({"text": texts[ROWS // 2 :]}), folder / "b.jsonl")
    write(pa.table({"text": texts[:40]}), folder / "target.csv")
    return str(folder / "*.jsonl"), str(folder / "target.csv")


@pytest.fixture
def many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of 200 kB, as pools of gigabytes have of 64 MB."""
    monkeypatch.setattr(shards.pool, "__kwdefaults__", {**shards.pool.__kwdefaults__, "shard_bytes": 200_000})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB, which :func:`grow` makes larger."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"a file system cannot be mounted here ({made.stderr.decode().strip()}); the limit on files is tested instead")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def grow(disk: Path, kilobytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(disk)], check=True)


def arguments(name: str, files: tuple[str, str], out: Path, *more: str) -> list[str]:
    verb, *rest = COMMANDS[name]
    given = files if verb == "select" else files[:1]
    return [verb, *given, "--out", str(out), "--text", "text", *rest, *more]


def start(name: str, files: tuple[str, str], out: Path, *more: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments(name, files, out, *more))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def contents(out: Path) -> dict[str, bytes]:
    """Parts and lists."""
    return {file.name: file.read_bytes() for file in sorted(out.glob("*.*")) if file.name[0] != "." and file.suffix != ".json"}


def check_message(message: str, out: Path) -> None:
    """It names the file, says how much is missing, and how to go on; once."""
    assert "Traceback" not in message
    assert message.count("acclimate: ") == message.count("Expected: ") == message.count("Fix: ") == 1
    assert f"'{out}/" in message
    assert re.search(r"at most about [\d.]+ [kM]B more for '", message)
    assert "what is finished is kept" in message


def check_nothing_looks_whole(out: Path) -> None:
    assert not (out / "manifest.json").exists()
    assert contents(out) == {}
    end = time.monotonic() + 10
    while list(out.rglob("*.part")) and time.monotonic() < end:
        time.sleep(0.05)  # another worker was writing when the first one found no room
    assert not list(out.rglob("*.part"))


def fill(
    name: str, files: tuple[str, str], disk: Path, capsys: pytest.CaptureFixture[str], sizes: tuple[int, ...], *more: str
) -> list[str]:
    """Start on disks that grow until one is large enough; gives the folders of the files at which each one was full."""
    out, places = disk / "out", []
    for kilobytes in sizes:
        grow(disk, kilobytes)
        code = start(name, files, out, *more)
        if code == 0:
            return places
        message = capsys.readouterr().err
        assert code == 1, message
        check_message(message, out)
        check_nothing_looks_whole(out)
        places.append(re.search(r"/([^/']*)/[^/']*' could not be written", message).group(1))  # type: ignore[union-attr]
    raise AssertionError(f"no room after {places}")


def check_same(name: str, files: tuple[str, str], out: Path, calm: Path) -> None:
    """The folder is that of a job that nothing disturbed."""
    assert start(name, files, calm) == 0
    assert contents(out) == contents(calm)
    assert sorted(file.name for file in out.iterdir()) == sorted(file.name for file in calm.iterdir())
    rows = sum(pq.read_table(file).num_rows for file in calm.glob("part-*.parquet"))
    assert rows == {"dsir": 2400, "classifier": 0, "distinct": 5400}[name]  # of .jsonl.zst they are not counted


@pytest.mark.usefixtures("many_pieces")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_disk_that_fills_up_stops_a_job_at_any_stage_and_more_room_lets_it_go_on(
    name: str, files: tuple[str, str], small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = fill(name, files, small_disk, capsys, (64, 100, 250, 1000, 2500, 4000, 10_000))
    assert len(set(places)) > 1, places
    check_same(name, files, small_disk / "out", tmp_path / "calm")


@pytest.mark.usefixtures("many_pieces")
@pytest.mark.parametrize("runner", ["local", "ray"])
def test_a_disk_that_fills_up_while_workers_write_gives_the_same_message(
    runner: str, files: tuple[str, str], small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if runner == "ray":
        pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    with engine(runner, workers=2):  # one cluster for both starts; no room for the first thing that a worker writes
        places = fill("dsir", files, small_disk, capsys, (12, 10_000), "--workers", "2", "--engine", runner)
    assert places == ["statistic"]
    check_same("dsir", files, small_disk / "out", tmp_path / "calm")


LIMITED = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0})); from acclimate.cli.main import main; main({1})"
)


@pytest.mark.parametrize(("name", "limit", "place"), [("dsir", 100_000, "kept"), ("distinct", 300_000, "signed")])
def test_files_that_may_not_grow_are_told_as_a_full_disk_is(
    name: str, limit: int, place: str, files: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code = LIMITED.format(limit, arguments(name, files, out))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    check_message(ended.stderr, out)
    check_nothing_looks_whole(out)
    assert f"/{place}/" in ended.stderr
    assert start(name, files, out) == 0
    check_same(name, files, out, tmp_path / "calm")
