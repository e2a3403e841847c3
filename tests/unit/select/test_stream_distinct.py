"""A pick of distinct rows from a pool read in pieces: what a pick in memory takes, whatever the pieces, engine and stops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.domain import from_columns
from acclimate.data.load import load
from acclimate.data.make import open_target
from acclimate.data.near_duplicates import TwinIndex
from acclimate.data.shards import Pool, pool
from acclimate.data.write import write
from acclimate.engine.base import engine
from acclimate.errors import InputError
from acclimate.features.word_kernels import encode
from acclimate.select.budget import Budget
from acclimate.select.pick import Pick
from acclimate.select.run import select
from acclimate.select.stream import near, run
from acclimate.select.stream.best import repeats_of_better
from acclimate.select.stream.choice import Choice
from acclimate.select.stream.run import select_stream

VOCABULARY = np.array([f"word{number}" for number in range(2000)])


def edited(words: list[str], share: float, draw: np.random.Generator) -> list[str]:
    changed = list(words)
    for place in draw.choice(len(words), round(share * len(words)), replace=False):
        changed[place] = f"edit{draw.integers(10**9)}"
    return changed


def texts() -> list[str]:
    """Documents, of which most come again: whole, with few of their words changed, or so many that they are others; in any order.

    None is near the threshold, where either way of looking may miss one pair in a hundred.
    """
    draw = np.random.default_rng(4)
    originals = [draw.choice(VOCABULARY, int(size)).tolist() for size in draw.integers(8, 60, 150)]
    rows = [" ".join(one) for one in originals]
    for number, one in enumerate(originals):
        rows += [" ".join(edited(one, share, draw)) for share in ((), (0.0, 0.1), (0.05, 0.1, 0.5))[number % 3]]
    rows += ["short", "Short!", "红色", "「红色」", "short again"]
    return [rows[row] for row in draw.permutation(len(rows))]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pool") / "pool.jsonl"
    write(pa.table({"text": texts()}), made)
    return made


def opened(file: Path) -> Pool:
    return pool(file, text="text", shard_bytes=9_000)


def target() -> Any:
    return open_target(from_columns("clinic", texts()[:20]))


def choice(budget: str | int, pick: str, **more: Any) -> Choice:
    return Choice("dsir", {"buckets": 4096}, Budget.parse(budget), Pick.parse({"how": pick, "distinct": True}), **more)


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.parquet"))}


@pytest.mark.parametrize("pick", ["top", "gumbel"])
@pytest.mark.parametrize("budget", [40, "30%", "900 tokens", 10_000])
def test_what_is_kept_is_what_is_kept_in_memory(tmp_path: Path, file: Path, pick: str, budget: Any) -> None:
    done = select_stream(opened(file), target(), tmp_path / "out", choice=choice(budget, pick, seed=3))
    whole = load(file, text="text")
    picked = select(whole, target(), method="dsir", buckets=4096, budget=budget, pick={"how": pick, "distinct": True}, seed=3)
    kept = picked.to_table()
    table = pa.concat_tables([pq.read_table(path) for path in done.paths])
    ordered = table.take(pa.array(np.argsort(np.asarray(table.column("rank")))))
    assert ordered.column("id").to_pylist() == kept.column("id").to_pylist()
    assert ordered.column("weight").to_pylist() == kept.column("weight").to_pylist()
    if budget != 10_000:  # with which memory goes on to the last row
        assert [note for note in done.notes if "passed over" in note] == [note for note in picked.notes if "passed over" in note]


def test_what_is_left_out_is_listed_with_what_stays_instead(tmp_path: Path, file: Path) -> None:
    done = select_stream(opened(file), target(), tmp_path / "out", choice=choice(10_000, "top"))
    listed = pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist()
    kept = set(done.to_domain().ids)
    whole = load(file, text="text")
    manifest = orjson.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert len(listed) == manifest["duplicates"] == len(whole) - len(kept) > 150
    assert manifest["duplicates"] >= manifest["passed_over"] > 150
    assert {row["id"] for row in listed} == set(whole.ids) - kept
    assert {row["kept"] for row in listed} <= kept
    assert min(row["similarity"] for row in listed) > 0.5
    assert any("passed over" in note for note in done.notes)
    assert any(f"all {len(kept)} distinct examples" in note for note in done.notes)


@pytest.mark.parametrize(("name", "workers"), [("local", 2), ("ray", 2)])
def test_what_is_written_depends_neither_on_the_engine_nor_on_workers_nor_on_pieces(
    tmp_path: Path, file: Path, name: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "ray":
        pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    alone = select_stream(opened(file), target(), tmp_path / "alone", choice=choice("40%", "top"))
    whole = select_stream(pool(file, text="text"), target(), tmp_path / "whole", choice=choice("40%", "top"))
    monkeypatch.setattr(near, "MEETING", 5_000)
    shared = select_stream(
        opened(file), target(), tmp_path / "shared", choice=choice("40%", "top"), engine=engine(name, workers=workers)
    )
    assert contents(tmp_path / "shared") == contents(tmp_path / "alone")
    assert shared.manifest["duplicates"] == alone.manifest["duplicates"]
    assert shared.to_domain().table == whole.to_domain().table


def test_a_stop_after_any_stage_loses_nothing(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    select_stream(opened(file), target(), tmp_path / "whole", choice=choice("40%", "top"))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signed: list[int] = []
    sign = near.sign
    monkeypatch.setattr(near, "sign", lambda job, shard: (signed.append(shard.number), sign(job, shard))[1])
    for place, stage in ((near, "meet"), (near, "decide"), (near, "repeats_of_better"), (run, "keep"), (run, "list_repeats")):
        with monkeypatch.context() as patch:
            patch.setattr(place, stage, stop)
            with pytest.raises(KeyboardInterrupt):
                select_stream(opened(file), target(), tmp_path / "out", choice=choice("40%", "top"))
    select_stream(opened(file), target(), tmp_path / "out", choice=choice("40%", "top"))
    assert sorted(signed) == list(range(len(opened(file).shards)))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_of_many_copies_that_differ_a_little_the_best_alone_stays(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    page = draw.choice(VOCABULARY, 80).tolist()
    copies = [" ".join(edited(page, 0.04, draw)) for _ in range(1500)]
    write(pa.table({"text": copies}), tmp_path / "pool.jsonl")
    done = select_stream(
        pool(tmp_path / "pool.jsonl", text="text", shard_bytes=100_000), target(), tmp_path / "out", choice=choice("100%", "top")
    )
    assert done.manifest["kept"] == 1
    scores = select(load(tmp_path / "pool.jsonl", text="text"), target(), method="dsir", buckets=4096, budget=1)
    assert done.to_domain().ids == scores.to_domain().ids


def test_a_row_that_repeats_the_test_stands_for_no_other(tmp_path: Path, file: Path) -> None:
    """What hygiene removed takes no part: it is listed as removed, once, and no row goes for being like it."""
    whole = load(file, text="text")
    also = {"exam": whole.take(np.arange(5)).without_labels()}
    done = select_stream(opened(file), target(), tmp_path / "out", choice=choice("100%", "top", also=also))
    removed = set(pq.read_table(tmp_path / "out" / "removed.parquet").column("id").to_pylist())
    listed = pq.read_table(tmp_path / "out" / "duplicates.parquet")
    assert removed
    assert not removed & {*listed.column("id").to_pylist(), *listed.column("kept").to_pylist(), *done.to_domain().ids}


def test_pictures_are_told_to_be_compared_in_memory(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [b"\x89PNG"]}), tmp_path / "pictures.parquet")
    with pytest.raises(InputError, match="holds pictures"):
        select_stream(
            pool(tmp_path / "pictures.parquet", image="image"),
            target(),
            tmp_path / "out",
            choice=Choice("random", {}, Budget.parse(1), Pick.parse({"distinct": True})),
        )
    assert not (tmp_path / "out" / "manifest.json").exists()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_rounds_over_pairs_give_what_going_through_the_rows_gives(
    tmp_path_factory: pytest.TempPathFactory, count: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("pairs")
    values = draw.integers(0, 6, count).astype(float)
    pairs = draw.integers(0, count, (int(draw.integers(0, 3 * count)), 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    for number, some in enumerate(np.array_split(pairs, 3)):
        np.save(folder / f"{number}.npy", some)
    roots = np.empty(count, np.int64)
    repeats_of_better(roots, sorted(folder.glob("*.npy")), values, folder)
    like = {row: {int(o) for p in pairs for o in p if row in p and o != row} for row in range(count)}
    stays: list[int] = []
    for row in sorted(range(count), key=lambda row: (-values[row], row)):
        if not like[row] & set(stays):
            stays.append(row)
    assert [row for row in range(count) if roots[row] == row] == sorted(stays)
    assert all(roots[row] == row or roots[row] in like[row] & set(stays) for row in range(count))


def test_the_rule_of_the_longer_text_is_that_of_hygiene() -> None:
    draw = np.random.default_rng(2)
    rule = near.HYGIENE
    for _ in range(300):
        words = draw.choice(VOCABULARY[:60], int(draw.integers(5, 30))).tolist()
        other = edited(words, float(draw.uniform(0, 0.5)), draw) + draw.choice(VOCABULARY[:60], int(draw.integers(0, 6))).tolist()
        starts, values = rule.elements(encode([" ".join(words), " ".join(other)]))
        twin = TwinIndex([" ".join(words)]).find([" ".join(other)])[0][0] >= 0
        assert bool(rule.alike(starts, values, np.array([[0, 1]]))[0]) == twin


def test_a_pair_that_may_reach_the_threshold_is_left_to_its_elements() -> None:
    low, high = near.HYGIENE.undecided
    assert near.HYGIENE.jaccard == pytest.approx(0.6)
    assert near.HYGIENE.bands == (60, 5)
    assert low < 0.6 * 300 < 0.75 * 300 < high <= 300
