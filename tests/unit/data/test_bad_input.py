"""Whatever is wrong with a file, the user gets one message: what was found and where, what was expected, how to fix it."""

from __future__ import annotations

import bz2
import gzip
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from acclimate.data.load import load
from acclimate.errors import InputError


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["some text"] * 50}), sink)
    return sink.getvalue()


LINES = b'{"text": "a longer line of text", "label": "x"}\n' * 200

CASES = {
    "malformed JSON line": ("a.jsonl", b'{"text": "a"}\n\n{"text": \n', {}, ["'a.jsonl', line 3", "malformed JSON"]),
    "array line": ("a.jsonl", b'{"text": "a"}\n[1]\n', {}, ["line 2", "a JSON array"]),
    "lone surrogate": ("a.jsonl", b'{"text": "\\ud800"}\n', {}, ["line 1", "malformed JSON"]),
    "malformed JSON array": ("a.json", b'[{"text": "a"},\n{"text": }]', {}, ["line 2", "malformed JSON"]),
    "number in array": ("a.json", b'[{"text": "a"}, 3]', {}, ["row 2", "a JSON number"]),
    "missing field": ("a.csv", b'text,label\n"two\nlines",x\nonly\n', {}, ["line 4", "1 fields", "2 fields"]),
    "open quote": ("a.csv", b'text,label\nfine,x\n"open,y\n', {}, ["line 3", "malformed record"]),
    "same column twice": ("a.csv", b"text,text\na,b\n", {}, ["two columns named 'text'"]),
    "Latin-1 in JSONL": ("a.jsonl", '{"text": "a"}\n{"text": "Köln"}\n'.encode("latin-1"), {}, ["line 2", "0xf6", "UTF-8"]),
    "Latin-1 in CSV": ("a.csv", "text\ncafé\n".encode("latin-1"), {}, ["line 2", "not UTF-8"]),
    "Latin-1 in JSON": ("a.json", '[\n{"text": "café"}]'.encode("latin-1"), {}, ["line 2", "0xe9", "UTF-8"]),
    "UTF-16": ("a.csv", "text,label\na,b\n".encode("utf-16"), {}, ["UTF-16", "iconv"]),
    "UTF-16 without mark": ("a.jsonl", '{"text": "a"}\n'.encode("utf-16-le"), {}, ["UTF-16"]),
    "empty file": ("a.jsonl", b"", {}, ["is empty"]),
    "blank file": ("a.csv", b"\n \n", {}, ["is empty"]),
    "empty gzip": ("a.csv.gz", gzip.compress(b""), {}, ["is empty"]),
    "header only": ("a.csv", b"text,label\n", {}, ["no usable row"]),
    "empty array": ("a.json", b"[]", {}, ["no usable row"]),
    "truncated gzip": ("a.jsonl.gz", gzip.compress(LINES)[:-20], {}, ["truncated", "gzip"]),
    "truncated zstd": ("a.jsonl.zst", zstandard.compress(LINES)[:-3], {}, ["truncated", "zstd"]),
    "truncated bzip2": ("a.jsonl.bz2", bz2.compress(LINES)[:-5], {}, ["truncated", "bzip2"]),
    "not gzip at all": ("a.jsonl.gz", LINES, {}, ["truncated or is not valid gzip"]),
    "truncated Parquet": ("a.parquet", _parquet()[:-40], {}, ["truncated or is not Parquet"]),
    "truncated compressed Parquet": ("a.parquet.gz", gzip.compress(_parquet())[:-4], {}, ["truncated", "gzip"]),
    "text named Parquet": ("a.parquet", LINES, {}, ["is not Parquet"]),
    "unsupported suffix": ("a.xlsx", b"PK", {}, ["'.xlsx'", ".jsonl, ", "convert"]),
    "no suffix": ("a", b"x", {}, ["'none'"]),
    "no text column": ("a.csv", b"p,q\n1,2\n3,4\n", {}, ["'p', 'q'", "--text COLUMN"]),
    "misspelt text column": ("a.csv", b"body,label\na,b\n", {"text": "boddy"}, ["no column 'boddy'", "did you mean 'body'?"]),
    "missing label column": ("a.csv", b"text,stars\na,b\n", {"label": "grade"}, ["no column 'grade'", "holds the label"]),
    "one column for two roles": ("a.csv", b"text,n\na,b\n", {"label": "text", "text": "text"}, ["both the text and the label"]),
    "null text": ("a.jsonl", b'{"text": "a"}\n{"text": null}\n', {}, ["line 2", "empty text"]),
    "blank text": ("a.csv", b"text,label\na,x\n  ,x\n", {}, ["line 3", "empty text"]),
    "text is a list": ("a.jsonl", b'{"text": ["a"]}\n', {"text": "text"}, ["line 1", "holds a list"]),
    "empty label": ("a.csv", b"text,label\na,x\nb,\n", {}, ["line 3", "empty label"]),
    "NaN label": ("a.csv", b"text,label\na,NaN\n", {}, ["line 2", "'NaN'"]),
    "label is a list": ("a.jsonl", b'{"text": "a", "label": ["x"]}\n', {}, ["line 1", "not one label"]),
    "duplicate ids": ("a.csv", b"id,text\n7,a\n8,b\n7,c\n", {}, ["line 4", "'7'", "line 2", "unique ids"]),
    "no id": ("a.jsonl", b'{"id": 1, "text": "a"}\n{"text": "b"}\n', {}, ["line 2", "no id"]),
    "negative weight": ("a.csv", b"text,weight\na,-1\n", {"weight": "weight"}, ["line 2", "'-1'"]),
    "weight is a word": ("a.csv", b"text,weight\na,big\n", {"weight": "weight"}, ["line 2", "'big'"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    name, content, named, fragments = CASES[case]
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        load(name, **named)
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert caught.value.expected
    assert caught.value.fix
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message


SKIPPED = (
    "malformed JSON line",
    "array line",
    "missing field",
    "open quote",
    "Latin-1 in JSONL",
    "null text",
    "blank text",
    "empty label",
)


@pytest.mark.parametrize("case", [*SKIPPED, "duplicate ids", "no id"])
def test_skipping_leaves_out_the_bad_row_and_counts_it(tmp_path: Path, case: str) -> None:
    name, content, named, _ = CASES[case]
    (tmp_path / name).write_bytes(content)
    found = load(tmp_path / name, on_bad_row="skip", **named)
    assert found.skipped == 1
    assert len(found) >= 1
    assert found.notes[-1].startswith("1 bad row was skipped: ")


def test_a_skipped_row_leaves_the_ids_of_the_others_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a"}\nbroken\n{"text": "c"}\n')
    assert load(file, on_bad_row="skip").ids == ["a:0", "a:2"]


def test_skipping_everything_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("x\ny\n")
    (tmp_path / "b.csv").write_text("text,label\n,x\n")
    for name, count in (("a.jsonl", 2), ("b.csv", 1)):
        with pytest.raises(InputError, match=f"all {count} were skipped"):
            load(tmp_path / name, on_bad_row="skip")


def test_a_missing_file_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "reviews.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(InputError, match=r"does not exist.*did you mean '.*reviews\.jsonl'"):
        load(tmp_path / "review.jsonl")
    with pytest.raises(InputError, match="neither does its folder"):
        load(tmp_path / "nowhere" / "a.jsonl")


def test_a_folder_and_an_empty_pattern_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder.*\*\.jsonl"):
        load(tmp_path)
    with pytest.raises(InputError, match="No file matches"):
        load(str(tmp_path / "*.jsonl"))
    with pytest.raises(InputError, match="No file was named"):
        load([])


def test_a_file_named_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(InputError, match="is named twice"):
        load([tmp_path / "a.jsonl", str(tmp_path / "a.jsonl")])


def test_a_file_without_the_text_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"body": "a"}\n')
    (tmp_path / "b.jsonl").write_text('{"note": "b"}\n')
    with pytest.raises(InputError, match=r"b\.jsonl' has no column 'body'"):
        load([tmp_path / "a.jsonl", tmp_path / "b.jsonl"])


def test_an_unknown_policy_for_bad_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'skip'"):
        load(tmp_path, on_bad_row="skp")  # type: ignore[arg-type]


def test_a_data_set_that_cannot_be_opened_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names no data set"):
        load("hf:")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="could not be read through datasets"):
        load(f"hf:{tmp_path / 'empty'}")
