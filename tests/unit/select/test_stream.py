"""Selection from pools read in pieces: the same as in memory, on every engine, whatever is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acclimate.data.domain import Domain, from_columns
from acclimate.data.load import load
from acclimate.data.make import make_target, open_target
from acclimate.data.shards import Pool, pool
from acclimate.data.write import write
from acclimate.engine.base import Engine, engine
from acclimate.errors import InputError, RunError
from acclimate.features.ngrams import hash_ngrams
from acclimate.select.base import Toolbox
from acclimate.select.budget import Budget
from acclimate.select.pick import Pick
from acclimate.select.run import select
from acclimate.select.stream import jobs, run
from acclimate.select.stream.choice import Choice
from acclimate.select.stream.folder import Streamed
from acclimate.select.stream.run import select_stream as stream

WARD = ("fever", "patient", "dose", "nurse", "ward", "pulse")
ROAD = ("car", "engine", "wheel", "road", "brake", "tyre", "dealer")
#: Every method that is promised to stream, with settings that suit a tiny pool.
STREAMED: dict[str, dict[str, Any]] = {
    "random": {},
    "centroid": {},
    "knn": {},
    "tfidf": {},
    "dsir": {"buckets": 4096},
    "moore-lewis": {},
    "classifier": {},
}


def texts(words: tuple[str, ...], count: int, seed: int) -> list[str]:
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice([*words, "the", "and", "of"], size=int(draw.integers(4, 12)))) + f" {row}" for row in range(count)]


def embed(contents: Any) -> Any:
    """A stand-in for an encoder: hashed counts; picklable, and a row depends on its text alone."""
    return np.asarray(hash_ngrams(list(contents), buckets=64, orders=(1,)).toarray(), dtype=np.float32) + 0.1


TOOLS = Toolbox(embed=embed)


def select_stream(
    pieces: Pool,
    wanted: Any,
    out: Path,
    *,
    method: str,
    budget: str | float = "20%",
    pick: str = "top",
    tools: Toolbox | None = None,
    runner: Engine | None = None,
    format: str = "parquet",  # noqa: A002 - as it is called there
    asked: dict[str, Any] | None = None,
    **settings: Any,
) -> Streamed:
    choice = Choice(method, settings, Budget.parse(budget), Pick.parse(pick), **(asked or {}))
    return stream(pieces, wanted, out, choice=choice, tools=tools, engine=runner, format=format)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pool")
    rows = [{"text": text, "kind": "ward"} for text in texts(WARD, 60, 0)] + [
        {"text": text, "kind": "road"} for text in texts(ROAD, 240, 1)
    ]
    order = np.random.default_rng(2).permutation(len(rows))
    table = pa.Table.from_pylist([rows[row] for row in order])
    write(table.slice(0, 200), made / "a.jsonl")
    write(table.slice(200), made / "b.jsonl.zst")
    return made


def opened(folder: Path, **settings: Any) -> Pool:
    return pool([folder / "a.jsonl", folder / "b.jsonl.zst"], text="text", label="kind", shard_bytes=2000, **settings)


def target() -> Any:
    return open_target(from_columns("clinic", texts(WARD, 25, 3)))


def contents(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(out.glob("part-*"))}


@pytest.mark.parametrize("method", STREAMED)
@pytest.mark.parametrize("pick", ["top", "gumbel"])
def test_what_is_kept_is_what_is_kept_in_memory(tmp_path: Path, folder: Path, method: str, pick: str) -> None:
    pieces = opened(folder)
    assert len(pieces.shards) > 4
    streamed = select_stream(
        pieces, target(), tmp_path / "out", method=method, budget=50, pick=pick, tools=TOOLS, asked={"seed": 5}, **STREAMED[method]
    )
    whole = load([folder / "a.jsonl", folder / "b.jsonl.zst"], text="text", label="kind")
    kept = select(whole, target(), method=method, budget=50, pick=pick, seed=5, tools=TOOLS, **STREAMED[method]).to_table()
    table = pa.concat_tables([pq.read_table(path) for path in streamed.paths])
    ordered = table.take(pa.array(np.argsort(np.asarray(table.column("rank")))))
    assert ordered.column("id").to_pylist() == kept.column("id").to_pylist()
    for name in ("text", "label", "score", "rank", "reason", "weight"):
        assert ordered.column(name).to_pylist() == kept.column(name).to_pylist(), name
    assert [int(i.rpartition(":")[2]) for i in ordered.column("id").to_pylist()] == ordered.column("position").to_pylist()


@pytest.mark.parametrize("method", STREAMED)
def test_processes_and_ray_write_the_bytes_of_one_process(tmp_path: Path, folder: Path, method: str, ray_engine: Any) -> None:
    made = {}
    for name, runner in {"one": engine(), "two": engine(workers=2), "ray": ray_engine}.items():
        done = select_stream(
            opened(folder), target(), tmp_path / name, method=method, budget="10%", tools=TOOLS, runner=runner, **STREAMED[method]
        )
        made[name] = contents(tmp_path / name)
        assert len(done) == 30
    assert made["one"] == made["two"] == made["ray"]


@pytest.fixture(scope="module")
def ray_engine() -> Any:
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    with engine("ray", workers=2) as running:
        yield running


def test_a_budget_of_tokens_is_spent_as_in_memory(tmp_path: Path, folder: Path) -> None:
    streamed = select_stream(opened(folder), target(), tmp_path / "out", method="dsir", budget="200 tokens", buckets=4096)
    whole = load([folder / "a.jsonl", folder / "b.jsonl.zst"], text="text", label="kind")
    kept = select(whole, target(), method="dsir", budget="200 tokens", buckets=4096)
    assert sorted(streamed.to_domain().ids) == sorted(kept.to_domain().ids)


def test_what_repeats_the_test_is_left_out_and_listed(tmp_path: Path, folder: Path) -> None:
    pieces = opened(folder)
    sealed = load(folder / "a.jsonl", text="text", label="kind").take(np.arange(12))
    clinic = make_target(
        from_columns("clinic", texts(WARD, 20, 9), ["ward", "road"] * 10),
        test=Domain("t", sealed.table.set_column(0, "id", pa.array([f"t{i}" for i in range(12)]))),
    )
    done = select_stream(pieces, clinic, tmp_path / "out", method="random", budget="100%")
    removed = pq.read_table(tmp_path / "out" / "removed.parquet")
    assert done.manifest["removed"] == removed.num_rows >= 12
    assert not set(done.to_domain().texts) & set(sealed.texts)
    assert set(removed.column("kind").to_pylist()) >= {"exact"}
    whole = load([folder / "a.jsonl", folder / "b.jsonl.zst"], text="text", label="kind")
    texts_of = dict(zip(whole.ids, whole.texts, strict=True))
    assert [texts_of[one] for one in removed.column("id").to_pylist()] == removed.column("text").to_pylist()


def test_a_large_pool_is_learned_from_by_a_sample_that_does_not_depend_on_the_pieces(tmp_path: Path, folder: Path) -> None:
    kept = []
    for number, bytes_each in enumerate((1500, 1500)):
        pieces = pool(folder / "a.jsonl", text="text", shard_bytes=bytes_each)
        done = select_stream(
            pieces,
            target(),
            tmp_path / str(number),
            method="classifier",
            budget=20,
            asked={"fit_rows": 80},
            runner=engine(workers=1 + number),
        )
        kept.append(contents(tmp_path / str(number)))
        assert sum(label == "ward" for label in load(done.paths, text="text", label="kind").labels) > 15
    assert kept[0] == kept[1]


def test_a_second_start_does_nothing_and_another_budget_clears_what_was_there(tmp_path: Path, folder: Path) -> None:
    out = tmp_path / "out"
    select_stream(opened(folder), target(), out, method="dsir", budget=30, buckets=4096)
    stamps = {file: file.stat().st_mtime_ns for file in out.iterdir()}
    select_stream(opened(folder), target(), out, method="dsir", budget=30, buckets=4096)
    assert {file: file.stat().st_mtime_ns for file in out.iterdir()} == stamps
    assert len(select_stream(opened(folder), target(), out, method="dsir", budget=10, buckets=4096)) == 10
    assert sorted(file.name for file in out.iterdir()) == ["manifest.json", "part-00000.parquet"]


def test_a_bad_line_in_a_late_shard_is_named_and_a_second_start_goes_on(tmp_path: Path, folder: Path) -> None:
    lines = (folder / "a.jsonl").read_bytes().splitlines(keepends=True)
    file = tmp_path / "pool.jsonl"
    file.write_bytes(b"".join([*lines[:170], b"not json\n", *lines[170:]]))
    with pytest.raises(InputError, match=r"pool\.jsonl', line 171: malformed JSON"):
        select_stream(pool(file, text="text", shard_bytes=1000), target(), tmp_path / "out", method="dsir", budget=10, buckets=4096)
    assert not list((tmp_path / "out").glob("part-*"))
    skipping = pool(file, text="text", shard_bytes=1000, on_bad_row="skip")
    done = select_stream(skipping, target(), tmp_path / "out", method="dsir", budget=10, buckets=4096)
    assert done.manifest["bad_rows"] == 1
    assert "line 171" in done.notes[-1]


def test_a_truncated_file_is_named_and_nothing_half_written_is_left(tmp_path: Path, folder: Path) -> None:
    whole = (folder / "b.jsonl.zst").read_bytes()
    cut = tmp_path / "cut.jsonl.zst"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.jsonl\.zst' is truncated"):
        select_stream(
            pool([folder / "a.jsonl", cut], text="text", label="kind"), target(), tmp_path / "out", method="random", budget=10
        )
    assert not list((tmp_path / "out").glob("[!.]*"))


def test_a_file_that_changes_between_two_readings_is_noticed(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pool.jsonl"
    file.write_bytes((folder / "a.jsonl").read_bytes())
    fit = run._Run.fit

    def meddle(self: Any, *args: Any) -> None:
        fit(self, *args)
        file.write_bytes(file.read_bytes().replace(b"fever", b"FEVER", 1))

    monkeypatch.setattr(run._Run, "fit", meddle)
    with pytest.raises(RunError, match="changed while the pool was read"):
        select_stream(pool(file, text="text"), target(), tmp_path / "out", method="dsir", budget=10, buckets=4096)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "herding"}, "needs the pool in memory"),
        ({"method": "dsir", "pick": "k-center"}, "compared with one another"),
        ({"method": "dsir", "format": "xml"}, "format 'xml'"),
        ({"method": "dsri"}, "Unknown selector"),
        ({"method": "dsir", "budget": "0"}, "budget is '0'"),
    ],
)
def test_what_cannot_be_done_in_pieces_is_refused_before_anything_is_read(
    tmp_path: Path, folder: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        select_stream(opened(folder), target(), tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other files"):
        select_stream(opened(folder), target(), tmp_path, method="random", budget=3)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


JOB = """
import os, signal, sys, time
from pathlib import Path
import tests.unit.select.test_stream as here
from acclimate.engine.base import engine
from acclimate.select.stream import jobs, run

slow = float(sys.argv[4])
inner = getattr(jobs, sys.argv[3])

def slowly(job, item):
    time.sleep(slow)
    (Path(sys.argv[2]).parent / "pids").open("a").write(f"{os.getpid()}\\n")
    return inner(job, item)

if __name__ == "__main__":
    import cloudpickle
    setattr(run, sys.argv[3], slowly)
    here.select_stream(here.opened(Path(sys.argv[1])), here.target(), Path(sys.argv[2]), method="dsir", budget=30, buckets=4096,
                      runner=engine(workers=int(sys.argv[5])))
"""


def start(tmp_path: Path, folder: Path, stage: str, pause: float, workers: int) -> subprocess.Popen[bytes]:
    script = tmp_path / "job.py"
    script.write_text(textwrap.dedent(JOB))
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}
    arguments = [sys.executable, str(script), str(folder), str(tmp_path / "out"), stage, str(pause), str(workers)]
    return subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, cwd=root)


def pids(tmp_path: Path, least: int) -> list[int]:
    """Of the processes that worked on the first ``least`` items."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = (tmp_path / "pids").read_text().split() if (tmp_path / "pids").exists() else []
        if len(found) >= least:
            return [int(pid) for pid in found]
        time.sleep(0.02)
    raise AssertionError("the job did not get there")


@pytest.mark.parametrize("stage", ["survey", "score", "keep"])
def test_a_job_that_is_killed_goes_on_and_writes_the_same(tmp_path: Path, folder: Path, stage: str) -> None:
    job = start(tmp_path, folder, stage, 0.1, 1)
    pids(tmp_path, 3)
    job.kill()
    job.communicate()
    assert not list((tmp_path / "out").glob("part-*"))
    select_stream(opened(folder), target(), tmp_path / "out", method="dsir", budget=30, buckets=4096)
    select_stream(opened(folder), target(), tmp_path / "undisturbed", method="dsir", budget=30, buckets=4096)
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")
    assert not list((tmp_path / "out").glob(".*"))


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path, folder: Path) -> None:
    job = start(tmp_path, folder, "score", 0.3, 2)
    worker = next(pid for pid in pids(tmp_path, 1) if pid != job.pid)
    os.kill(worker, signal.SIGKILL)
    _, errors = job.communicate(timeout=120)
    assert job.returncode == 0, errors.decode()
    select_stream(opened(folder), target(), tmp_path / "undisturbed", method="dsir", budget=30, buckets=4096)
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")


def slow_score(job: Any, item: Any) -> tuple[int, int]:
    """Scoring that tells which process works on which shard, and leaves time to kill it."""
    with (job.work / "began").open("a") as file:
        file.write(f"{os.getpid()} {item.shard.number}\n")
    time.sleep(0.3)
    return jobs.score(job, item)


def kill_one(out: Path, killed: list[tuple[int, int]]) -> None:
    """End the first process that works on the third shard or a later one, as the system does when memory is short."""
    end = time.monotonic() + 60
    while time.monotonic() < end and not killed:
        for file in out.glob(".work/*/began"):
            began = [tuple(map(int, line.split())) for line in file.read_text().splitlines() if " " in line]
            if len(began) > 2:
                os.kill(began[-1][0], signal.SIGKILL)
                killed.append(began[-1])
                return
        time.sleep(0.02)


def test_a_worker_of_ray_that_is_killed_changes_no_byte(
    tmp_path: Path, folder: Path, ray_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"method": "dsir", "budget": 30, "buckets": 4096}
    select_stream(opened(folder), target(), tmp_path / "undisturbed", **asked)
    monkeypatch.setattr(run, "score", slow_score)
    monkeypatch.setattr(run.shutil, "rmtree", lambda *_, **__: None)  # to look at who did what
    killed: list[tuple[int, int]] = []
    killer = threading.Thread(target=kill_one, args=(tmp_path / "out", killed))
    killer.start()
    select_stream(opened(folder), target(), tmp_path / "out", runner=ray_engine, **asked)
    killer.join()
    [(pid, shard)] = killed
    began = [tuple(map(int, line.split())) for line in next((tmp_path / "out").glob(".work/*/began")).read_text().splitlines()]
    assert pid != os.getpid()
    assert [other for other, number in began if number == shard and other != pid], "its shard was not done again"
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")


def test_the_manifest_says_what_was_made_of_what(tmp_path: Path, folder: Path) -> None:
    done = select_stream(opened(folder), target(), tmp_path / "out", method="dsir", budget=30, buckets=4096, format="jsonl.zst")
    manifest = orjson.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert (manifest["records"], manifest["usable"], manifest["kept"]) == (300, 300, 30)
    assert [Path(one["file"]).name for one in manifest["pool"]] == ["a.jsonl", "b.jsonl.zst"]
    assert all(len(digest) == 32 for one in manifest["pool"] for digest in one["shards"])
    assert len(load(done.paths, text="text", label="label")) == 30


def test_a_job_for_another_model_is_another_job(tmp_path: Path, folder: Path) -> None:
    first = select_stream(opened(folder), target(), tmp_path / "out", method="knn", budget=5, tools=TOOLS, asked={"models": ("a",)})
    other = select_stream(opened(folder), target(), tmp_path / "out", method="knn", budget=5, tools=TOOLS, asked={"models": ("b",)})
    assert first.manifest["key"] != other.manifest["key"]
