"""Pools read in pieces give what reading whole gives, wherever the pieces are cut."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.bad_rows import BadRows
from acclimate.data.blocks import Reading, blocks, take
from acclimate.data.domain import Domain
from acclimate.data.load import load
from acclimate.data.pieces import Wanted
from acclimate.data.shards import Pool, pool
from acclimate.data.write import write
from acclimate.errors import InputError

WORDS = ("fever", "don't", "ein", "Köter", "中文", '"quoted"', "a,b", "line\nbreak", "\t", "🙂", "é", "\\n")


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [
        {"text": " ".join(draw.choices(WORDS, k=draw.randrange(1, 9))) + "x", "stars": row % 5, "shop": f"shop {row % 3}"}
        for row in range(count)
    ]


def read_in_pieces(pieces: Pool, roles: tuple[str, ...] = ()) -> tuple[list[str], list[str], pa.Table]:
    """Ids and texts of all blocks, and all rows taken one shard at a time."""
    ids, texts, tables, before = [], [], [], {}
    for shard in pieces.shards:
        first = before.get(shard.file, 0)
        reading = Reading(BadRows(pieces.on_bad_row))
        positions, records = [], 0
        offsets: list[int] = []
        for block in blocks(shard, Wanted.of(pieces, roles), reading, first):
            ids += block.domain.ids
            texts += block.domain.texts
            positions += block.positions.tolist()
            records = block.records
            if block.offsets is not None:
                assert not offsets or block.offsets[0] >= offsets[-1]
                offsets = [*offsets[:-1], *block.offsets.tolist()]
        assert len(reading.digest) == 32
        if positions:
            tables.append(take(shard, pieces, np.array(positions), first))
            if offsets:  # nothing but the chosen records is read: the same rows
                assert take(shard, pieces, np.array(positions), first, np.array(offsets)).equals(tables[-1])
                some = np.array(positions[::3])
                assert take(shard, pieces, some, first, np.array(offsets)).equals(take(shard, pieces, some, first))
        assert bool(offsets) >= (bool(records) and shard.kind == "jsonl" and not shard.compression)
        before[shard.file] = first + records
    return ids, texts, pa.concat_tables(tables, promote_options="permissive")


def written(folder: Path, suffix: str, table: pa.Table) -> Path:
    file = folder / f"pool{suffix}"
    if suffix == ".parquet":
        pq.write_table(table, file, row_group_size=7)
    else:
        write(table, file)
    return file


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".parquet", ".jsonl.gz", ".jsonl.zst", ".csv.bz2"])
@pytest.mark.parametrize("shard_bytes", [1, 300, 1 << 20])
def test_pieces_of_any_size_give_the_rows_of_the_whole(tmp_path: Path, suffix: str, shard_bytes: int) -> None:
    file = written(tmp_path, suffix, pa.Table.from_pylist(rows(60)))
    whole = load(file, text="text", label="stars", domain="shop")
    pieces = pool(file, text="text", label="stars", domain="shop", shard_bytes=shard_bytes)
    if suffix in (".jsonl", ".csv", ".tsv", ".parquet") and shard_bytes == 300:
        assert len(pieces.shards) > 3
    for roles in ((), ("label", "domain")):
        ids, texts, table = read_in_pieces(pieces, roles)
        assert ids == whole.ids
        assert texts == whole.texts
        assert table.to_pylist() == whole.table.to_pylist()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=20), min_size=1, max_size=12),
    st.integers(1, 80),
)
def test_any_text_survives_any_cut(tmp_path_factory: pytest.TempPathFactory, texts: list[str], shard_bytes: int) -> None:
    texts = [text if text.strip() else "x" for text in texts]
    folder = tmp_path_factory.mktemp("cut")
    for suffix in (".jsonl", ".csv"):
        file = written(folder, suffix, pa.table({"text": texts, "row": list(range(len(texts)))}))
        assert read_in_pieces(pool(file, text="text", shard_bytes=shard_bytes))[1] == load(file, text="text").texts


def test_blank_lines_own_ids_and_bad_lines_are_met_as_in_a_whole_reading(tmp_path: Path) -> None:
    lines = [
        b'{"id": "a", "text": "one"}',
        b"",
        b'{"id": "b", "text": 2}',
        b'{"id": "c", "te\\u0078t": "three"}',
        b"nonsense",
        b'{"id": "d", "text": " "}',
    ]
    file = tmp_path / "pool.jsonl"
    file.write_bytes(b"\n".join([*lines, b'{"id": "e", "text": "last"}']))
    for cut in (1, 40, 10_000):
        pieces = pool(file, on_bad_row="skip", shard_bytes=cut)
        ids, texts, _ = read_in_pieces(pieces)
        assert (ids, texts) == (["a", "b", "c", "e"], ["one", "2", "three", "last"])
        with pytest.raises(InputError, match=r"pool\.jsonl', line 5: malformed JSON"):
            read_in_pieces(pool(file, shard_bytes=cut))


def test_a_bad_row_of_csv_and_parquet_is_named_by_its_place(tmp_path: Path) -> None:
    table = tmp_path / "pool.csv"
    table.write_text("text,stars\n" + "".join(f'"fine {row}\nindeed",1\n' for row in range(30)) + "only one field\n")
    with pytest.raises(InputError, match=r"pool\.csv', line 62: 1 fields"):
        read_in_pieces(pool(table, shard_bytes=100))
    parquet = tmp_path / "pool.parquet"
    pq.write_table(pa.table({"text": ["a"] * 9 + [" "]}), parquet, row_group_size=4)
    with pytest.raises(InputError, match=r"pool\.parquet', row 10: an empty text"):
        read_in_pieces(pool(parquet, shard_bytes=1))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_truncated_file_is_an_error_and_not_an_end(tmp_path: Path, suffix: str) -> None:
    data = b"".join(orjson.dumps(row) + b"\n" for row in rows(20_000))
    packed = gzip.compress(data) if suffix == ".gz" else zstandard.compress(data)
    file = tmp_path / f"pool.jsonl{suffix}"
    file.write_bytes(packed[: len(packed) * 2 // 3])
    with pytest.raises(InputError, match="is truncated"):
        read_in_pieces(pool(file, text="text"))


def test_a_remote_file_is_read_as_a_local_one(tmp_path: Path) -> None:
    import fsspec

    table = pa.Table.from_pylist(rows(50))
    local = written(tmp_path, ".jsonl", table)
    with fsspec.open("memory://bucket/pool.jsonl", "wb") as remote:
        remote.write(local.read_bytes())
    there = pool("memory://bucket/*.jsonl", text="text", shard_bytes=200)
    assert len(there.shards) > 3
    assert read_in_pieces(there)[1] == load(local, text="text").texts


def test_conversations_and_pictures_are_read_in_pieces(tmp_path: Path) -> None:
    turns = [[{"role": "user", "content": f"question {row}"}, {"role": "assistant", "content": "answer"}] for row in range(9)]
    file = written(tmp_path, ".jsonl", pa.table({"messages": turns}))
    pieces = pool(file, shard_bytes=300)
    assert pieces.modality == "chat"
    assert read_in_pieces(pieces)[1] == load(file).texts


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pool.json", b"[]", "JSON array"),
        ("pool.jsonl", b"", "is empty"),
        ("pool.jsonl", "é".encode("utf-16"), "UTF-16"),
        ("pool.parquet", b"PAR1 no", "truncated or is not Parquet"),
        ("pool.jsonl", b'{"number": 1}\n', "no column that looks like"),
    ],
)
def test_files_that_cannot_serve_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        pool(file)


def test_nothing_is_wrong_with_a_domain_of_a_block(tmp_path: Path) -> None:
    file = written(tmp_path, ".jsonl", pa.Table.from_pylist(rows(5)))
    shard = pool(file, text="text").shards[0]
    block = next(blocks(shard, Wanted.of(pool(file, text="text")), Reading(BadRows())))
    assert isinstance(block.domain, Domain)
    assert block.domain.modality == "text"
