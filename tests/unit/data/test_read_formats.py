"""Every format, plain and compressed, gives the same examples; what is written is read back."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.load import load
from acclimate.data.write import write
from acclimate.errors import InputError, RunError

KINDS = ("jsonl", "json", "csv", "tsv", "parquet")
COMPRESSIONS = ("", ".gz", ".zst", ".bz2")

#: Any unicode but NUL; no lone surrogates, since UTF-8 has none.
characters = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
texts = st.text(characters, min_size=1, max_size=40).filter(lambda text: bool(text.strip()))


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_format_and_compression_round_trips(tmp_path: Path, kind: str, compression: str) -> None:
    table = pa.table({"id": ["a", "b"], "text": ['two\nlines, "quoted"\t', "很好 👍"], "label": ["1", "x y"], "shop": ["p", "q"]})
    file = tmp_path / f"examples.{kind}{compression}"
    write(table, file)
    found = load(file, id="id")
    assert found.table.equals(table)
    assert (found.name, found.notes, found.skipped) == ("examples", (), 0)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_random_unicode_survives_writing_and_reading(tmp_path_factory: pytest.TempPathFactory, kind: str, rows: list) -> None:
    file = tmp_path_factory.mktemp("round") / f"rows.{kind}"
    ids = [f"r{row}" for row in range(len(rows))]
    write(pa.table({"id": ids, "text": [text for text, _ in rows], "note": [note for _, note in rows]}), file)
    found = load(file, text="text", id="id")
    assert found.texts == [text for text, _ in rows]
    assert found.table.column("note").to_pylist() == [note for _, note in rows]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv.gz", "a.parquet", "a.json.zst", "a.tsv.bz2"])
def test_equal_tables_give_equal_bytes(tmp_path: Path, name: str) -> None:
    table = pa.table({"id": ["1"], "text": ["x"]})
    for folder in ("one", "two"):
        write(table, tmp_path / folder / name)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_writing_to_an_unknown_suffix_or_an_impossible_folder_leaves_nothing(tmp_path: Path) -> None:
    table = pa.table({"id": ["1"], "text": ["x"]})
    with pytest.raises(InputError, match=r"xlsx.*Expected: a file ending in \.jsonl"):
        write(table, tmp_path / "out.xlsx")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="could not be written"):
        write(table, tmp_path / "file" / "out.csv")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    file = tmp_path / "excel.csv"
    file.write_bytes("\ufefftext;label\ngut;1\nschlecht;0\n".encode())
    found = load(file)
    assert found.texts == ["gut", "schlecht"]
    assert any("separated by ';'" in note for note in found.notes)


def test_a_json_file_of_json_lines_is_read_as_such(tmp_path: Path) -> None:
    file = tmp_path / "lines.json"
    file.write_text('{"text": "a"}\n\n{"text": "b"}\n')
    assert load(file).texts == ["a", "b"]


def test_a_json_file_of_one_object_over_several_lines_is_refused_as_an_object(tmp_path: Path) -> None:
    file = tmp_path / "object.json"
    file.write_text('{\n"text": "a"\n}\n')
    with pytest.raises(InputError, match="holds a JSON object"):
        load(file)


def test_patterns_and_lists_keep_the_order_of_sorted_files_and_give_unique_ids(tmp_path: Path) -> None:
    for folder, text in (("b", "second"), ("a", "first")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "part.jsonl").write_text(json.dumps({"text": text}) + "\n")
    by_pattern = load(str(tmp_path / "*" / "part.jsonl"))
    by_list = load([tmp_path / "a" / "part.jsonl", tmp_path / "b" / "part.jsonl"])
    assert by_pattern.texts == by_list.texts == ["first", "second"]
    assert by_pattern.ids == ["a/part.jsonl:0", "b/part.jsonl:0"]


def test_files_whose_extra_columns_disagree_in_type_are_joined_as_strings(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x", "year": 1999}\n')
    (tmp_path / "b.jsonl").write_text('{"text": "y", "year": "unknown"}\n')
    found = load([tmp_path / "a.jsonl", tmp_path / "b.jsonl"])
    assert found.table.column("year").to_pylist() == ["1999", "unknown"]


def test_mixed_values_in_one_json_column_become_strings(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x", "label": 1}\n{"text": "y", "label": "one"}\n')
    assert load(tmp_path / "a.jsonl").labels == ["1", "one"]


def test_a_saved_data_set_is_read_with_class_names(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])})
    part = datasets.Dataset.from_dict({"text": ["x", "y", "z"], "label": [1, 0, -1]}, features=features)
    datasets.DatasetDict({"train": part, "test": part.select([0])}).save_to_disk(str(tmp_path / "shop"))
    assert load(f"hf:{tmp_path / 'shop'}").labels == ["good", "bad", None]
    assert len(load(f"hf:{tmp_path / 'shop'}:test")) == 1
    with pytest.raises(InputError, match="has the splits test, train"):
        load(f"hf:{tmp_path / 'shop'}:dev")
