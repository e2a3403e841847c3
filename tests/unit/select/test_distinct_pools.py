"""Near duplicates inside a pool: planted ones are found, others stay, and nothing depends on how the pool was read."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acclimate.data.shards import Pool, pool
from acclimate.data.write import write
from acclimate.engine.base import engine
from acclimate.engine.local import Local
from acclimate.errors import InputError
from acclimate.features.minhash import MinHash
from acclimate.select.stream import distinct as verb
from acclimate.select.stream import near
from acclimate.select.stream.distinct import distinct
from acclimate.select.stream.near import duplicates

VOCABULARY = np.array([f"word{n}" for n in range(3000)])


def document(rng: np.random.Generator, size: int = 120) -> list[str]:
    return VOCABULARY[np.minimum(rng.zipf(1.3, size) - 1, 2999)].tolist()


def edited(words: list[str], share: float, rng: np.random.Generator) -> list[str]:
    """``share`` of the words replaced by ones that no document has."""
    changed = list(words)
    for number, place in enumerate(rng.choice(len(words), round(share * len(words)), replace=False)):
        changed[place] = f"edit{rng.integers(10**9)}x{number}"
    return changed


def planted(count: int = 300, seed: int = 0) -> tuple[list[str], dict[int, int]]:
    """Texts, and of each that repeats an earlier one which it repeats: exact, 2, 5 and 10 per cent of words edited."""
    rng = np.random.default_rng(seed)
    originals = [document(rng) for _ in range(count)]
    texts, of = [" ".join(one) for one in originals], {}
    for row in range(0, count, 3):
        of[len(texts)] = row
        texts.append(" ".join(edited(originals[row], (0.0, 0.02, 0.05, 0.1)[row % 4], rng)))
    return texts, of


def written(folder: Path, texts: list[str], suffix: str = ".jsonl", **columns: Any) -> Path:
    file = folder / f"pool{suffix}"
    write(pa.table({"text": texts, "note": [f"n{n % 7}" for n in range(len(texts))], **columns}), file)
    return file


def found_in(pieces: Pool, work: Path, minhash: MinHash | None = None) -> list[int]:
    """Rows that repeat an earlier one."""
    found = duplicates(pieces, Local(), work, minhash)
    first, rows = 0, []
    for one in found.shards:
        rows += (found.positions(one.number) + first).tolist()
        first += one.records
    return rows


def test_planted_duplicates_are_found_and_nothing_else_is(tmp_path: Path) -> None:
    texts, of = planted()
    done = distinct(pool(written(tmp_path, texts), text="text", shard_bytes=20_000), tmp_path / "out")
    listed = pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist()
    repeated = {int(row["id"].split(":")[1]): int(row["kept"].split(":")[1]) for row in listed}
    assert repeated.items() <= of.items()
    assert len(repeated) >= len(of) - 1  # with a tenth of the words edited the similarity is .82: one in some hundred is missed
    assert done.manifest["duplicates"] == done.manifest["clusters"] == len(repeated)
    assert done.manifest["largest_cluster"] == 2
    assert [row for row in range(len(texts)) if row not in repeated] == [int(key.split(":")[1]) for key in done.to_domain().ids]


def test_similarities_are_those_of_the_texts(tmp_path: Path) -> None:
    texts, of = planted(40)
    distinct(pool(written(tmp_path, texts), text="text"), tmp_path / "out", permutations=2048)
    for row in pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist():
        share = (0.0, 0.02, 0.05, 0.1)[of[int(row["id"].split(":")[1])] % 4]
        kept = 120 - round(share * 120)
        assert row["similarity"] == pytest.approx(kept / (240 - kept), abs=0.04)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ".jsonl.zst"])
@pytest.mark.parametrize("named", [True, False])
def test_what_is_written_depends_neither_on_shards_nor_on_ranges_nor_on_runs(
    tmp_path: Path, suffix: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "PART_BYTES", 25_000)
    texts, _ = planted(120)
    ids = {"key": [f"doc {n}" for n in range(len(texts))]} if named else {}
    file = written(tmp_path, texts, suffix, **ids)
    if suffix == ".parquet":
        pq.write_table(pq.read_table(file), file, row_group_size=23)
    results = []
    for shard_bytes, meeting, run in ((1 << 26, near.MEETING, near.RUN), (9_000, 200, 8), (40_000, 1000, 30)):
        monkeypatch.setattr(near, "MEETING", meeting)
        monkeypatch.setattr(near, "RUN", run)
        monkeypatch.setattr(near, "_PAIRS", run)
        out = tmp_path / f"out-{shard_bytes}"
        done = distinct(pool(file, text="text", id="key" if named else None, shard_bytes=shard_bytes), out)
        results.append((done.manifest["parts"], (out / "duplicates.parquet").read_bytes(), done.manifest["duplicates"]))
    assert len(results[0][0]) > 2
    assert results[0][2] > 30
    assert results[0] == results[1] == results[2]
    assert pq.read_table(out / "duplicates.parquet").column("kept")[0].as_py().startswith("doc " if named else "pool:")


@pytest.mark.parametrize(("name", "workers"), [("local", 2), ("ray", 2)])
def test_what_is_written_depends_neither_on_the_engine_nor_on_workers(tmp_path: Path, name: str, workers: int) -> None:
    if name == "ray":
        pytest.importorskip("ray")
    texts, _ = planted(90)
    pieces = pool(written(tmp_path, texts), text="text", shard_bytes=20_000)
    assert len(pieces.shards) > 2
    alone = distinct(pieces, tmp_path / "alone")
    shared = distinct(pieces, tmp_path / "shared", engine=engine(name, workers=workers))
    assert shared.manifest["parts"] == alone.manifest["parts"]
    assert (tmp_path / "shared" / "duplicates.parquet").read_bytes() == (tmp_path / "alone" / "duplicates.parquet").read_bytes()


def test_a_second_start_signs_only_what_is_missing_and_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, _ = planted(120)
    pieces = pool(written(tmp_path, texts), text="text", shard_bytes=12_000)
    signed: list[int] = []

    def noted(job: near.NearJob, shard: Any) -> near.SignedShard:
        if len(signed) == 4:
            raise KeyboardInterrupt
        signed.append(shard.number)
        return sign(job, shard)

    sign = near.sign
    monkeypatch.setattr(near, "sign", noted)
    with pytest.raises(KeyboardInterrupt):
        distinct(pieces, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    first = list(signed)
    monkeypatch.setattr(near, "sign", lambda job, shard: (signed.append(shard.number), sign(job, shard))[1])
    again = distinct(pieces, tmp_path / "out")
    assert first == [0, 1, 2, 3]
    assert sorted(signed) == list(range(len(pieces.shards)))  # none of them twice
    assert not (tmp_path / "out" / ".work").exists()
    signed.clear()
    assert distinct(pieces, tmp_path / "out").manifest == again.manifest
    assert signed == []
    assert distinct(pieces, tmp_path / "fresh").manifest["parts"] == again.manifest["parts"]


def test_stopping_after_any_stage_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, _ = planted(60)
    pieces = pool(written(tmp_path, texts), text="text", shard_bytes=12_000)
    whole = distinct(pieces, tmp_path / "whole").manifest["parts"]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for place, stage in (
        (near, "meet"),
        (near, "read_again"),
        (near, "decide"),
        (near, "_join"),
        (verb, "list_duplicates"),
        (verb, "copy_rows"),
        (verb, "write_part"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, stage, stop)
            with pytest.raises(KeyboardInterrupt):
                distinct(pieces, tmp_path / "out")
    assert distinct(pieces, tmp_path / "out").manifest["parts"] == whole


def test_a_chain_is_one_cluster_whose_first_row_stays(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    words = [f"w{n}" for n in range(200)]
    links = [list(words)]
    for step in range(6):
        links.append([f"new{step}-{n}" if 14 * step <= n < 14 * step + 14 else word for n, word in enumerate(links[-1])])
    texts = [" ".join(one) for one in links]
    order = rng.permutation(len(texts))
    file = written(tmp_path, ["something else altogether that nobody wrote before", *(texts[row] for row in order)])
    for shard_bytes in (1 << 20, 1000):
        assert found_in(
            pool(file, text="text", shard_bytes=shard_bytes), tmp_path / str(shard_bytes), MinHash(permutations=512)
        ) == [2, 3, 4, 5, 6, 7]


def test_short_texts_repeat_only_what_is_equal_but_for_case_width_and_punctuation(tmp_path: Path) -> None:
    texts = [
        "good 👍",
        "good 👎",
        "Good 👍!",
        "the dog bit the man"[:15],
        "man bit the dog",
        "?!",
        "!?",
        "?!",
        "红",
        "蓝",
        "「红」",
        "a b",
        "b a",
    ]
    assert found_in(pool(written(tmp_path, texts), text="text"), tmp_path / "work") == [2, 7, 10]


def test_chinese_and_accented_texts_are_compared_by_their_words(tmp_path: Path) -> None:
    chinese = "这家酒店的位置非常好服务也很周到早餐的种类很多房间干净整洁下次还会再来住"
    accented = "Élan vital où naît l’été dernier, des forêts brûlées près d’Orléans, là où l’âme s’égare sans bruit ni fièvre"
    texts = [
        chinese,
        chinese.replace("非常", "特别") + "！",
        accented,
        accented.upper().replace("É", "E\u0301"),
        "今天天气很好我们一起去公园散步然后吃了一顿很美味的晚饭大家都觉得非常开心",
    ]
    assert found_in(pool(written(tmp_path, texts), text="text"), tmp_path / "work") == [1, 3]


def test_longer_n_grams_tell_an_order_of_words_from_another(tmp_path: Path) -> None:
    words = [f"w{n}" for n in range(40)]
    file = written(tmp_path, [" ".join(words), " ".join(reversed(words)), " ".join(words) + " end"])
    assert found_in(pool(file, text="text"), tmp_path / "bag") == [1, 2]
    assert found_in(pool(file, text="text"), tmp_path / "pairs", MinHash(words=2)) == [2]


def test_thousands_of_copies_are_compared_in_linear_time(tmp_path: Path) -> None:
    texts = ["the same old story told once again to all of us"] * 4000
    found = duplicates(pool(written(tmp_path, texts), text="text"), Local(), tmp_path / "work")
    assert (found.duplicates, found.clusters, found.largest) == (3999, 1, 4000)
    pairs = np.load(next(found.job.work.glob("pairs-*/*.alike.npy")))
    assert len(pairs) < 5 * 4000


def test_bad_rows_count_as_records_and_are_told(tmp_path: Path) -> None:
    long = "one two three four five six seven eight nine ten"
    file = tmp_path / "pool.jsonl"
    file.write_bytes(b"\n".join([orjson.dumps({"text": long}), b"{broken", orjson.dumps({"text": long.upper()})]) + b"\n")
    with pytest.raises(InputError, match="line 2"):
        distinct(pool(file, text="text"), tmp_path / "out")
    done = distinct(pool(file, text="text", on_bad_row="skip"), tmp_path / "out")
    assert (done.manifest["records"], done.manifest["bad_rows"], done.manifest["kept"]) == (3, 1, 1)
    assert pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist() == [
        {"id": "pool:2", "kept": "pool:0", "similarity": 1.0}
    ]
    assert "1 bad rows were skipped" in done.notes[-1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"threshold": 0.0}, "threshold of 0"), ({"words": 0}, "n-grams of 0"), ({"permutations": 4}, "4 permutations")],
)
def test_a_setting_out_of_range_is_told_before_anything_is_read(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        distinct(pool(written(tmp_path, ["one"]), text="text"), tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_conversations_are_compared_by_what_they_read_as(tmp_path: Path) -> None:
    def talk(question: str) -> list[dict[str, str]]:
        return [
            {"role": "user", "content": question},
            {"role": "assistant", "content": "the bridge by the mill was built in the spring of that year"},
        ]

    questions = [
        "when was the old bridge built?",
        "When was the OLD bridge built",
        "who won the race on the river last summer, and by how much?",
    ]
    file = tmp_path / "talks.jsonl"
    file.write_bytes(b"".join(orjson.dumps({"messages": talk(question)}) + b"\n" for question in questions))
    done = distinct(pool(file), tmp_path / "out")
    assert done.to_domain().ids == ["talks:0", "talks:2"]
    assert done.to_domain().modality == "chat"


def test_pictures_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "pictures.parquet"
    pq.write_table(pa.table({"image": [b"\x89PNG"]}), file)
    with pytest.raises(InputError, match="holds pictures"):
        distinct(pool(file, image="image"), tmp_path / "out")


def test_a_killed_job_goes_on_where_it_stopped(tmp_path: Path) -> None:
    texts, _ = planted(1500)
    file = written(tmp_path, texts)
    code = (
        "import sys; from pathlib import Path; from acclimate.data.shards import pool; "
        "from acclimate.select.stream.distinct import distinct; "
        "distinct(pool(sys.argv[1], text='text', shard_bytes=8_000), Path(sys.argv[2]))"
    )
    out = tmp_path / "out"
    job = subprocess.Popen([sys.executable, "-c", code, str(file), str(out)])
    deadline = time.monotonic() + 60
    while len(list(out.glob(".work/near-*/signed/*.json"))) < 5 and job.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    job.kill()
    assert job.wait() == -signal.SIGKILL
    signed = {place: place.stat().st_mtime_ns for place in out.glob(".work/near-*/signed/*.json")}
    assert len(signed) >= 5
    pieces = pool(file, text="text", shard_bytes=8_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verb.shutil, "rmtree", lambda *_, **__: None)  # to look at what was kept
        again = distinct(pieces, out)
    assert {place: place.stat().st_mtime_ns for place in signed} == signed
    assert again.manifest["parts"] == distinct(pool(file, text="text"), tmp_path / "fresh").manifest["parts"]
