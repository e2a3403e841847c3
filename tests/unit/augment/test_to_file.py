"""New examples into a file: the same as in memory, in chunks that a second start keeps."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import filelock
import orjson
import pyarrow as pa
import pytest

from acclimate.augment import to_file
from acclimate.augment.guard.base import Context
from acclimate.augment.guard.run import Guards, Sieve, Sifted
from acclimate.augment.run import augment as guarded
from acclimate.augment.run import grow
from acclimate.augment.to_file import augment_to_file
from acclimate.data.domain import Domain, from_columns
from acclimate.data.load import load
from acclimate.errors import RunError

#: What methods make, before any guard.
augment = functools.partial(guarded, guard="none")

EDA = {"method": "eda", "synonyms": "none", "times": 2}


def parents(count: int = 50) -> Domain:
    domain = from_columns("p", [f'the nurse, number {row}, was\n"very" good 好' for row in range(count)], ["a", "b"] * (count // 2))
    return domain.with_column("page", pa.array(range(count)))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_file, "_PARENTS", 16)


@pytest.mark.parametrize("name", ["g.parquet", "g.jsonl", "g.json", "g.csv", "g.tsv", "g.jsonl.gz", "g.csv.zst", "g.parquet.bz2"])
def test_the_file_holds_what_augmenting_in_memory_gives(name: str, tmp_path: Path, small_chunks: None) -> None:  # noqa: ARG001
    grown = augment_to_file(parents(), tmp_path / name, **EDA)
    expected = augment(parents(), **EDA)
    read = load(tmp_path / name)
    assert (read.ids, read.texts, read.labels) == (expected.ids, expected.texts, expected.labels)
    assert read.table.column("origin").to_pylist() == expected.table.column("origin").to_pylist()
    assert [str(value) for value in read.table.column("page").to_pylist()] == [str(row // 2) for row in range(100)]
    assert (grown.made, grown.chunks, grown.kept) == (100, 4, 0)
    unguarded = "all guards are switched off: new examples were not checked"
    assert (*grown.notes, unguarded) == tuple(map(str, expected.notes))
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_equal_runs_give_equal_bytes(tmp_path: Path, small_chunks: None) -> None:  # noqa: ARG001
    for name in ("a.parquet", "b.parquet", "a.jsonl.gz", "b.jsonl.gz"):
        augment_to_file(parents(), tmp_path / name, **EDA)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_a_second_start_does_only_what_is_missing(tmp_path: Path, small_chunks: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    out = tmp_path / "g.jsonl"
    augment_to_file(parents(), tmp_path / "whole.jsonl", **EDA)
    kept = to_file._keep
    done: list[Path] = []

    def stop_after_two(sifted: Sifted, file: Path, method: str) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(file)
        kept(sifted, file, method)

    monkeypatch.setattr(to_file, "_keep", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        augment_to_file(parents(), out, **EDA)
    assert not out.exists()
    monkeypatch.setattr(to_file, "_keep", kept)
    grown = augment_to_file(parents(), out, **EDA)
    assert (grown.chunks, grown.kept) == (4, 2)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


#: Of six words one is left out: many of the copies are equal, within a chunk and across chunks.
LESS = {"method": "eda", "operations": ["delete"], "times": 6}
GUARD = "unchanged, negation, number, repeated"


def alike() -> Domain:
    """Parents whose copies repeat those of the parents before them, in other chunks too."""
    texts = [f"one of {'two' if row % 3 else '12'} nurses {'not ' if row % 2 else ''}here" for row in range(48)]
    return from_columns("p", texts, ["a", "b"] * 24)


def sieve(domain: Domain, guard: str = GUARD, sealed: Domain | None = None) -> Sieve:
    return Guards.parse(guard).sieve(Context(domain, domain, {} if sealed is None else {"test": sealed}))


def test_guards_are_asked_of_every_chunk_and_their_counts_add_up(tmp_path: Path, small_chunks: None) -> None:  # noqa: ARG001
    whole = grow(alike(), guard=GUARD, **LESS)
    grown = augment_to_file(alike(), tmp_path / "g.jsonl", sieve=sieve(alike()), off=Guards.parse(GUARD).off, **LESS)
    read = load(tmp_path / "g.jsonl")
    assert grown.chunks == 3
    assert read.ids == whole.kept.ids
    assert read.table.column("origin").to_pylist() == whole.kept.table.column("origin").to_pylist()
    said = [orjson.loads(origin)["guards"] for origin in read.table.column("origin").to_pylist()]
    assert all(scores.keys() >= {"unchanged", "repeated"} for scores in said)
    assert grown.refused == whole.counts
    assert min(grown.refused["number"], grown.refused["repeated"]) > 0
    by_id = {row["id"]: row for row in whole.removed.to_pylist()}
    assert {row["id"]: row for row in grown.removed.to_pylist()} == by_id
    assert grown.removed.num_rows == len(by_id)
    assert sorted(map(str, grown.notes)) == sorted(map(str, whole.notes))


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_repetitions_are_found_across_a_second_start(
    missing: int,
    tmp_path: Path,
    small_chunks: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    augment_to_file(alike(), tmp_path / "whole.jsonl", sieve=sieve(alike()), **LESS)
    out, written = tmp_path / "g.jsonl", []
    keep = to_file._keep
    with monkeypatch.context() as patched:
        patched.setattr(to_file.shutil, "rmtree", lambda _: None)  # as if killed before the chunks were removed
        patched.setattr(to_file, "_keep", lambda sifted, file, method: (written.append(file), keep(sifted, file, method)))
        augment_to_file(alike(), out, sieve=sieve(alike()), **LESS)
    written[missing].unlink()
    grown = augment_to_file(alike(), out, sieve=sieve(alike()), **LESS)
    assert grown.kept == 2
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.parametrize("change", ["guards", "test", "models"])
def test_chunks_that_other_guards_passed_are_not_taken(
    change: str,
    tmp_path: Path,
    small_chunks: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, sealed = tmp_path / "g.jsonl", from_columns("t", ["one text of the test"])
    with monkeypatch.context() as patched:
        patched.setattr(to_file.shutil, "rmtree", lambda _: None)
        augment_to_file(alike(), out, sieve=sieve(alike(), "leakage, number", sealed), models=("a",), **LESS)
    other = {
        "guards": {"sieve": sieve(alike(), "leakage", sealed), "models": ("a",)},
        "test": {"sieve": sieve(alike(), "leakage, number", from_columns("t", ["another"])), "models": ("a",)},
        "models": {"sieve": sieve(alike(), "leakage, number", sealed), "models": ("b",)},
    }
    assert augment_to_file(alike(), out, **other[change], **LESS).kept == 0


@pytest.mark.parametrize("change", ["seed", "times", "alpha", "content"])
def test_chunks_of_another_job_are_not_taken_for_this_ones(
    change: str,
    tmp_path: Path,
    small_chunks: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "g.jsonl"
    with monkeypatch.context() as patched:
        patched.setattr(to_file.shutil, "rmtree", lambda _: None)  # as if killed before the chunks were removed
        augment_to_file(parents(), out, **EDA)
    given = {**EDA, **{"seed": {"seed": 1}, "times": {"times": 3}, "alpha": {"alpha": 0.3}}.get(change, {})}
    domain = parents().with_column("page", pa.array(range(50, 100))) if change == "content" else parents()
    grown = augment_to_file(domain, out, **given)
    assert grown.kept == 0
    assert load(out).texts == augment(domain, **given).texts


def test_killed_without_warning_it_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "g.parquet"
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from acclimate.augment import to_file\n"
        "from acclimate.augment.expand.eda import Eda\n"
        "from test_to_file import EDA, parents\n"
        "to_file._PARENTS = 8\n"
        "expand = Eda.expand\n"
        "Eda.expand = lambda self, *given: (time.sleep(0.15), expand(self, *given))[1]\n"
        "print(to_file.augment_to_file(parents(), Path(sys.argv[1]), **EDA).kept)"
    )
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(root / "src"), str(root)])}
    command = [sys.executable, "-c", code, str(out)]
    first = subprocess.Popen(command, env=environment)
    folder = tmp_path / ".g.parquet.parts"
    until = time.monotonic() + 60
    while len(list(folder.glob("*.parquet"))) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not out.exists()
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(second.stdout) >= 3
    assert load(out).texts == augment(parents(), **EDA).texts


def test_one_process_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / ".g.csv.parts"
    folder.mkdir()
    with filelock.FileLock(folder / "lock"), pytest.raises(RunError, match="another process"):
        augment_to_file(parents(), tmp_path / "g.csv", **EDA)


def test_memory_holds_a_chunk_and_not_all_that_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domain, peaks = parents(600), {}
    for size in (16, 600):
        monkeypatch.setattr(to_file, "_PARENTS", size)
        monkeypatch.setattr(to_file, "_ROWS", 16 * size)
        augment_to_file(domain.take([0]), tmp_path / "warm.jsonl", **EDA)
        tracemalloc.start()
        augment_to_file(domain, tmp_path / f"{size}.jsonl", **{**EDA, "times": 16})
        peaks[size] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[16] < peaks[600] / 5


def test_nothing_to_do_writes_the_columns(tmp_path: Path) -> None:
    grown = augment_to_file(parents(2).take([]), tmp_path / "g.parquet", **EDA)
    assert grown.made == 0
    assert (tmp_path / "g.parquet").is_file()


def test_a_method_that_sees_all_parents_is_one_chunk(tmp_path: Path, small_chunks: None) -> None:  # noqa: ARG001
    domain = from_columns("p", [f"the nurse number {row}" for row in range(40)], ["a"] * 30 + ["b"] * 10)
    grown = augment_to_file(domain, tmp_path / "g.jsonl", method="balance", settings={"synonyms": "none"})
    assert (grown.chunks, grown.made) == (1, 20)
    assert {orjson.loads(origin)["method"] for origin in load(tmp_path / "g.jsonl").table.column("origin").to_pylist()} == {
        "balance"
    }
