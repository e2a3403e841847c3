"""Data and configuration for other frameworks, against what these document of their formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.domain import Domain, from_columns
from acclimate.data.load import load
from acclimate.data.write import write
from acclimate.errors import InputError
from acclimate.export import FRAMEWORKS
from acclimate.export.rows import FORMS, choose_form, repeats
from acclimate.export.run import export

TURNS = [
    [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello 你好"},
        {"role": "user", "content": "why"},
        {"role": "assistant", "content": "because"},
    ],
    [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
    [{"role": "user", "content": "nobody answers"}],
]


def examples(form: str) -> Domain:
    if form == "text":
        return from_columns("raw", ["one text", "two\nlines", "三"])
    if form == "prompt":
        return from_columns("ward", ["a fever", "a broken leg", "发烧"], ["warm", "hurt", "warm"])
    chat = from_columns("chat", ["x", "y", "z"])
    return chat.with_column("messages", pa.array([orjson.dumps(turns).decode() for turns in TURNS], pa.string()))


def exported(form: str, to: str, place: Path, **more: Any) -> tuple[list[dict[str, Any]], dict[str, Any], Path]:
    """Rows, the training configuration, and the folder."""
    write(examples(form), place / "data.parquet")
    export(place / "data.parquet", place / "out", to=to, **more)
    rows = [json.loads(line) for line in (place / "out" / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    return rows, yaml.safe_load((place / "out" / "train.yaml").read_text(encoding="utf-8")), place / "out"


# What `data/README.md` of LLaMA-Factory and its arguments say: keys of a description, of its columns and tags, of a training.
LF_DESCRIPTION = {"file_name", "formatting", "columns", "tags", "ranking", "subset", "split", "folder", "num_samples"}
LF_COLUMNS = {"prompt", "query", "response", "history", "messages", "system", "tools", "chosen", "rejected", "kto_tag"}
LF_TAGS = {"role_tag", "content_tag", "user_tag", "assistant_tag", "observation_tag", "function_tag", "system_tag"}
LF_TRAINING = {
    "model_name_or_path", "trust_remote_code", "quantization_bit", "quantization_method", "stage", "do_train", "finetuning_type",
    "lora_rank", "lora_alpha", "lora_target", "use_dora", "dataset", "dataset_dir", "template", "cutoff_len", "packing",
    "output_dir",
    "logging_steps", "save_steps", "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate", "max_steps",
    "lr_scheduler_type", "warmup_steps", "seed", "report_to",
}  # fmt: skip


def check_llama_factory(rows: list[dict[str, Any]], config: dict[str, Any], folder: Path) -> None:
    assert set(config) <= LF_TRAINING
    assert config["stage"] in {"pt", "sft"}
    assert config["finetuning_type"] in {"lora", "full"}
    described = json.loads((folder / config["dataset_dir"] / "dataset_info.json").read_text())[config["dataset"]]
    assert set(described) <= LF_DESCRIPTION
    assert (folder / described["file_name"]).is_file()
    columns, tags = described["columns"], described.get("tags", {})
    assert set(columns) <= LF_COLUMNS
    assert set(tags) <= LF_TAGS
    for row in rows:
        assert all(name in row for name in columns.values())
        if described.get("formatting", "alpaca") == "alpaca":
            assert all(isinstance(row[name], str) for name in columns.values())
            assert ("response" in columns) == (config["stage"] == "sft")
            continue
        turns = row[columns["messages"]]
        if turns[0][tags["role_tag"]] == tags["system_tag"]:
            turns = turns[1:]
        roles = [turn[tags["role_tag"]] for turn in turns]
        assert roles == [tags["user_tag"], tags["assistant_tag"]] * (len(roles) // 2) != []  # others are skipped in silence
        assert all(isinstance(turn[tags["content_tag"]], str) for turn in turns)


# What `docs/dataset-formats` and `docs/config-reference` of axolotl say.
AXOLOTL_TRAINING = {
    "base_model", "trust_remote_code", "chat_template", "datasets", "dataset_prepared_path", "train_on_inputs", "sequence_len",
    "sample_packing", "adapter", "load_in_4bit", "peft_use_dora", "lora_r", "lora_alpha", "lora_dropout", "lora_target_linear",
    "output_dir", "micro_batch_size", "gradient_accumulation_steps", "learning_rate", "max_steps", "optimizer", "lr_scheduler",
    "warmup_steps", "weight_decay", "bf16", "gradient_checkpointing", "logging_steps", "seed",
}  # fmt: skip


def check_axolotl(rows: list[dict[str, Any]], config: dict[str, Any], folder: Path) -> None:
    assert set(config) <= AXOLOTL_TRAINING
    (data,) = config["datasets"]
    assert data["ds_type"] == "json"
    assert (folder / data["path"]).is_file()
    if data["type"] == "completion":
        assert all(isinstance(row[data["field"]], str) for row in rows)
    elif data["type"] == "chat_template":
        assert config["chat_template"].startswith("tokenizer_default")
        for row in rows:
            turns = row[data["field_messages"]]
            assert all(set(turn) == {"role", "content"} for turn in turns)
            assert {turn["role"] for turn in turns} & set(data["roles_to_train"])
    else:
        assert "{instruction}" in data["type"]["format"]
        assert data["type"]["no_input_format"] == data["type"]["format"]  # there is no input beside the instruction
        assert all(isinstance(row[data["type"][field]], str) for row in rows for field in ("field_instruction", "field_output"))


# What "Dataset formats and types", "SFT Trainer" and "Script utilities" of TRL say.
TRL_TRAINING = {
    "model_name_or_path", "trust_remote_code", "datasets", "dataset_text_field", "completion_only_loss", "max_length", "packing",
    "output_dir", "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate", "max_steps", "lr_scheduler_type",
    "warmup_steps", "weight_decay", "logging_steps", "seed", "report_to", "use_peft", "lora_r", "lora_alpha", "lora_dropout",
    "lora_target_modules", "use_dora", "load_in_4bit",
}  # fmt: skip


def check_trl(rows: list[dict[str, Any]], config: dict[str, Any], folder: Path) -> None:
    import datasets

    assert set(config) <= TRL_TRAINING
    (data,) = config["datasets"]
    assert set(data) <= {"path", "name", "data_dir", "data_files", "split", "columns", "fraction"}
    loaded = datasets.load_dataset(
        data["path"], data_files=str(folder / data["data_files"]), split=data["split"], cache_dir=str(folder.parent / "cache")
    ).select_columns(data["columns"])
    assert len(loaded) == len(rows)
    if "dataset_text_field" in config:
        assert all(isinstance(row[config["dataset_text_field"]], str) for row in loaded)
        return
    assert config["completion_only_loss"] is True
    for row in loaded:
        kinds = {type(row["prompt"]), type(row["completion"])}
        assert kinds in ({str}, {list})  # both standard, or both conversational
        if kinds == {list}:
            assert row["prompt"][-1]["role"] == "user"
            assert [turn["role"] for turn in row["completion"]] == ["assistant"]
        else:
            assert row["completion"].startswith(" ")  # they are joined as they are


CHECKS = {"llama-factory": check_llama_factory, "axolotl": check_axolotl, "trl": check_trl}


@pytest.mark.parametrize("parameters", ["full", "lora", "dora", "qlora"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("to", list(FRAMEWORKS))
def test_what_is_written_is_of_the_documented_format(to: str, form: str, parameters: str, tmp_path: Path) -> None:
    rows, config, folder = exported(
        form, to, tmp_path, settings={"parameters": parameters, "rank": 4, "batch_size": 6, "steps": 30}
    )
    CHECKS[to](rows, config, folder)
    assert config["max_steps"] == 30
    size = config.get("per_device_train_batch_size", config.get("micro_batch_size"))
    assert size * config["gradient_accumulation_steps"] == 6
    rank = config.get("lora_rank", config.get("lora_r"))
    assert rank == (None if parameters == "full" else 4)


@pytest.mark.parametrize("to", list(FRAMEWORKS))
def test_nothing_of_the_examples_is_lost(to: str, tmp_path: Path) -> None:
    rows, _, _ = exported("text", to, tmp_path / "a")
    assert [row["text"] for row in rows] == examples("text").texts
    rows, _, _ = exported("prompt", to, tmp_path / "b")
    assert [(row["prompt"], row["completion"].strip()) for row in rows] == list(
        zip(examples("prompt").texts, examples("prompt").labels, strict=True)
    )


def test_conversations_keep_their_turns_and_the_unanswered_are_counted(tmp_path: Path) -> None:
    for to in ("llama-factory", "axolotl"):
        write(examples("chat"), tmp_path / f"{to}.parquet")
        done = export(tmp_path / f"{to}.parquet", tmp_path / to, to=to)
        rows = [json.loads(line) for line in (tmp_path / to / "train.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [row["messages"] for row in rows] == TURNS[:2]
        assert done.notes == ("1 conversations were left out: they do not take turns, or hold no answer",)


def test_trl_learns_each_answer_once_after_all_that_came_before(tmp_path: Path) -> None:
    rows, _, _ = exported("chat", "trl", tmp_path)
    found = [(row["prompt"], row["completion"]) for row in rows]
    assert found == [(TURNS[0][:2], TURNS[0][2:3]), (TURNS[0][:4], TURNS[0][4:]), (TURNS[1][:1], TURNS[1][1:])]


def test_weights_become_shares_of_the_rows(tmp_path: Path) -> None:
    data = examples("text").with_column("weight", pa.array([1.0, 4.0, 0.0]))
    write(data, tmp_path / "w.parquet")
    done = export(tmp_path / "w.parquet", tmp_path / "out", to="trl")
    rows = [json.loads(line)["text"] for line in (tmp_path / "out" / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows == ["one text", "two\nlines", "two\nlines"]
    assert "1 of them not at all" in done.notes[0]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60).filter(lambda weights: sum(weights) > 1e-3))
def test_resampling_keeps_the_number_of_rows_and_rounds_each_share(weights: list[float]) -> None:
    array = np.asarray(weights)
    counts = repeats(array)
    shares = array / array.sum() * len(array)
    assert counts.sum() == len(array)
    assert (np.abs(counts - shares) < 1 + 1e-6).all()


def test_equal_weights_repeat_nothing() -> None:
    assert repeats(np.full(7, 0.3)).tolist() == [1] * 7
    with pytest.raises(InputError, match="cannot be averaged"):
        repeats(np.zeros(3))


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_files_are_read_back_with_labels_and_where_they_came_from(kind: str, tmp_path: Path) -> None:
    write(examples("prompt"), tmp_path / "selected.jsonl")
    grown = from_columns("grown", ["a high fever"], ["warm"], ids=["ward:0+1"])
    write(grown.with_column("origin", pa.array(['{"method": "eda"}'])), tmp_path / "augmented.parquet")
    export([tmp_path / "selected.jsonl", tmp_path / "augmented.parquet"], tmp_path / "out", to=kind)
    again = load(tmp_path / "out" / f"train.{kind}")
    assert again.texts == [*examples("prompt").texts, "a high fever"]
    assert again.labels == ["warm", "hurt", "warm", "warm"]
    assert again.table.column("kind").to_pylist() == ["selected"] * 3 + ["augmented"]


def test_equal_data_gives_equal_bytes(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        exported("chat", "axolotl", tmp_path / place)
    for name in ("train.jsonl", "train.yaml", "README.md"):
        assert (tmp_path / "a" / "out" / name).read_bytes() == (tmp_path / "b" / "out" / name).read_bytes()


def test_forms_that_examples_do_not_have_are_refused() -> None:
    with pytest.raises(InputError, match="without messages"):
        choose_form(examples("text"), "chat")
    with pytest.raises(InputError, match="without labels"):
        choose_form(examples("text"), "prompt")
    with pytest.raises(InputError, match="--form story"):
        choose_form(examples("text"), "story")
    assert choose_form(examples("prompt"), "text") == "text"
    assert [choose_form(examples(form), None) for form in FORMS] == list(FORMS)


def test_an_unknown_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'axolotl'"):
        export(tmp_path / "x.jsonl", tmp_path / "out", to="axolot")
