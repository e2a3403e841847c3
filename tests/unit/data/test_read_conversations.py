"""Conversations come in from every layout that data sets use, as one list of turns and the text it reads as."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from acclimate.data.conversations import read_conversation
from acclimate.data.load import load, target
from acclimate.data.values import Bad
from acclimate.data.write import write
from acclimate.errors import InputError

CHAT = [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "Hello!"}]
SHAREGPT = [{"from": "human", "value": "你好"}, {"from": "gpt", "value": "Hello!"}]
TEXT = "user: 你好\nassistant: Hello!"


@pytest.mark.parametrize("column", ["messages", "conversations", "对话"])
@pytest.mark.parametrize("turns", [CHAT, SHAREGPT, json.dumps(CHAT), {"messages": CHAT}])
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_every_layout_is_guessed_and_reads_the_same(tmp_path: Path, column: str, turns: object, suffix: str) -> None:
    if suffix == "jsonl":
        (tmp_path / "talks.jsonl").write_text(json.dumps({column: turns, "label": "polite"}) + "\n", encoding="utf-8")
    else:
        write(pa.table({column: [turns], "label": ["polite"]}), tmp_path / "talks.parquet")
    found = load(tmp_path / f"talks.{suffix}")
    assert (found.modality, found.conversations, found.texts, found.labels) == ("chat", [CHAT], [TEXT], ["polite"])
    assert bool(found.notes) == (column != "messages")


def test_conversations_of_a_csv_are_json(tmp_path: Path) -> None:
    write(pa.table({"dialog": [json.dumps(SHAREGPT)]}), tmp_path / "talks.csv")
    assert load(tmp_path / "talks.csv").conversations == [CHAT]
    assert load(tmp_path / "talks.csv", messages="dialog").conversations == [CHAT]


def test_texts_win_only_where_nothing_is_a_conversation(tmp_path: Path) -> None:
    write(pa.table({"text": ["a summary"], "messages": [CHAT]}), tmp_path / "both.parquet")
    found = load(tmp_path / "both.parquet")
    assert (found.texts, found.table.column("text_original").to_pylist()) == ([TEXT], ["a summary"])
    assert load(tmp_path / "both.parquet", text="text").modality == "text"
    write(pa.table({"conversation": ["just a sentence"]}), tmp_path / "sentence.csv")
    assert load(tmp_path / "sentence.csv").modality == "text"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty conversation"),
        ([], "empty conversation"),
        ("{not json", "malformed JSON"),
        ("7", "holds a int, not a list of turns"),
        (["hello"], "turn 1 of 1 is a str"),
        ([CHAT[0], {"text": "x"}], "turn 2 of 2 says not who speaks; its keys are text"),
        ([{"role": "user", "content": None}], "turn 1 of 1 has no text as its content"),
        ([{"role": " ", "content": "x"}], "turn 1 of 1 has the role ' '"),
        ([{"role": "user", "content": "  "}], "nothing is said"),
    ],
)
def test_a_malformed_conversation_says_what_is_wrong(value: object, reason: str) -> None:
    read = read_conversation(value, "talk")
    assert isinstance(read, Bad)
    assert reason in read.reason


def test_content_in_parts_becomes_its_text() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "image", "url": "x"}, {"type": "text", "text": "two"}]
    assert read_conversation([{"role": "user", "content": parts}], "talk") == [{"role": "user", "content": "one\ntwo"}]


def test_bad_conversations_are_named_or_skipped_and_counted(tmp_path: Path) -> None:
    lines = [json.dumps({"messages": value}) for value in (CHAT, [{"role": "user"}], CHAT)]
    (tmp_path / "talks.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=r"talks\.jsonl', line 2: turn 1 of 1 has no text"):
        load(tmp_path / "talks.jsonl")
    found = load(tmp_path / "talks.jsonl", on_bad_row="skip")
    assert (len(found), found.skipped, found.ids) == (2, 1, ["talks:0", "talks:2"])


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    write(pa.table({"conversations": [SHAREGPT, CHAT], "id": ["a", "b"]}), tmp_path / "talks.parquet")
    found = load(tmp_path / "talks.parquet")
    write(found, tmp_path / f"again.{suffix}")
    again = load(tmp_path / f"again.{suffix}", name="talks")
    assert again.fingerprint == found.fingerprint
    assert again.table.column_names == ["id", "text", "messages"]


def test_a_target_of_conversations_loses_what_repeats_its_test(tmp_path: Path) -> None:
    talks = [[{"role": "user", "content": f"question {row // 2}"}] for row in range(20)]
    write(pa.table({"messages": talks, "label": ["a", "b"] * 10}), tmp_path / "talks.parquet")
    made = target(tmp_path / "talks.parquet", test=0.3, messages="messages")
    assert made.inputs.modality == "chat"
    assert made.hygiene["removed"]["labelled"]["exact"] > 0
    assert not {*made.labelled.texts} & {*made.test.inputs.texts}
