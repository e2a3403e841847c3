"""Columns are found by name, guesses are announced, and every value gets one spelling."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pytest

from acclimate.data.load import load
from acclimate.data.write import write


def _load(tmp_path: Path, columns: dict, **named):
    file = tmp_path / "shop.parquet"
    write(pa.table(columns), file)
    return load(file, **named)


@pytest.mark.parametrize(
    ("text", "label", "domain"),
    [("body", "stars", "source"), ("Review Text", "Class", "site"), ("评论", "标签", "来源"), ("正文", "类别", "领域")],
)
def test_common_names_are_guessed_and_announced(tmp_path: Path, text: str, label: str, domain: str) -> None:
    found = _load(tmp_path, {domain: ["p", "q"], label: ["a", "b"], text: ["x", "y"]})
    assert (found.texts, found.labels, found.domains) == (["x", "y"], ["a", "b"], ["p", "q"])
    for column, role in ((text, "text"), (label, "label"), (domain, "domain")):
        assert any(f"column '{column}' was taken for the {role}" in note for note in found.notes)


def test_canonical_names_need_no_announcement(tmp_path: Path) -> None:
    assert _load(tmp_path, {"id": [1, 2], "text": ["x", "y"], "label": ["a", "b"], "domain": ["p", "q"]}).notes == ()


def test_a_named_column_wins_over_a_guess_and_the_guess_keeps_its_name(tmp_path: Path) -> None:
    found = _load(tmp_path, {"text": ["x", "y"], "reply": ["r", "s"]}, text="reply")
    assert found.texts == ["r", "s"]
    assert found.table.column("text_original").to_pylist() == ["x", "y"]


def test_other_columns_stay_in_their_type(tmp_path: Path) -> None:
    found = _load(tmp_path, {"text": ["x", "y"], "votes": [1, None], "tags": [["a"], []]})
    assert found.table.column_names == ["id", "text", "votes", "tags"]
    assert found.table.column("votes").to_pylist() == [1, None]


@pytest.mark.parametrize("values", [[0, 1, 1], [0.0, 1.0, 1.0], ["0", "1.0", " 1 "], ["0.00", "1", "1"]])
def test_a_label_is_spelt_one_way_whatever_its_type(tmp_path: Path, values: list) -> None:
    assert _load(tmp_path, {"text": ["x", "y", "z"], "label": values}).labels == ["0", "1", "1"]


def test_fractions_and_booleans_keep_their_value_as_labels(tmp_path: Path) -> None:
    assert _load(tmp_path, {"text": ["x", "y"], "label": [0.5, 2.0]}).labels == ["0.5", "2"]
    assert _load(tmp_path, {"text": ["x", "y"], "label": [True, False]}).labels == ["true", "false"]


def test_null_labels_mean_unlabelled_and_are_announced(tmp_path: Path) -> None:
    found = _load(tmp_path, {"text": ["x", "y"], "label": ["a", None]})
    assert found.labels == ["a", None]
    assert any("1 of 2 examples have no label" in note for note in found.notes)
    assert "label" not in _load(tmp_path, {"text": ["x"], "label": pa.array([None], pa.string())}, label="label").table.column_names


def test_weights_are_numbers_and_default_to_one(tmp_path: Path) -> None:
    found = _load(tmp_path, {"text": ["x", "y"], "weight": [2, None]})
    assert found.table.schema.field("weight").type == pa.float64()
    assert found.weights.tolist() == [2.0, 1.0]


def test_ids_count_rows_where_there_is_no_id_column(tmp_path: Path) -> None:
    assert _load(tmp_path, {"text": ["x", "y"]}).ids == ["shop:0", "shop:1"]
    assert _load(tmp_path, {"text": ["x", "y"], "uid": [3, 3]}).ids == ["shop:0", "shop:1"], "not unique, so no id"
    assert _load(tmp_path, {"text": ["x", "y"], "uid": [3, 4]}).ids == ["3", "4"]


def test_a_column_too_varied_for_classes_is_not_guessed_as_label_or_domain(tmp_path: Path) -> None:
    rows = [f"text {row}" for row in range(30)]
    found = _load(tmp_path, {"text": rows, "rating": [row / 7 for row in range(30)], "source": [f"url/{row}" for row in range(30)]})
    assert found.labels == [None] * 30
    assert found.domains == ["shop"] * 30
    assert _load(tmp_path, {"text": rows, "rating": [row / 7 for row in range(30)]}, label="rating").is_labelled


def test_an_origin_column_is_only_taken_when_it_holds_origins(tmp_path: Path) -> None:
    assert "origin_original" in _load(tmp_path, {"text": ["x"], "origin": ["Leeds"]}).table.column_names
    assert "origin" in _load(tmp_path, {"text": ["x"], "origin": ['{"method": "eda", "parents": ["a"]}']}).table.column_names


def test_the_only_column_of_strings_is_the_text(tmp_path: Path) -> None:
    found = _load(tmp_path, {"n": [1, 2], "quip": ["x", "y"]})
    assert found.texts == ["x", "y"]
    assert any("'quip' was taken for the text" in note for note in found.notes)


def test_a_nan_in_a_column_of_floats_is_a_bad_label_but_a_missing_weight(tmp_path: Path) -> None:
    found = _load(tmp_path, {"text": ["x", "y"], "label": [1.0, math.nan]}, on_bad_row="skip")
    assert (found.labels, found.skipped) == (["1"], 1)
