"""`acclimate augment` as a user types it: every kind of method, into every format, from where it stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acclimate.cli.main import main
from acclimate.data.domain import from_columns
from acclimate.data.load import load
from acclimate.data.write import write
from tests.answering import answering, obliging
from tests.shift import sentences
from tests.small_models import make_masked

#: The guards that need no packaged model or word list.
GUARDED = ("--guard", "no-polarity", "--guard", "no-agreement")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in ("augment", *arguments)])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


@pytest.fixture
def clinic(tmp_path: Path, home: Path) -> Path:
    home.mkdir()
    write(sentences("clinic", 40, 9).table, tmp_path / "clinic.csv")
    return tmp_path / "clinic.csv"


@pytest.mark.parametrize("ending", ["parquet", "jsonl.zst", "csv"])
def test_noise_goes_into_every_format_and_the_test_is_set_apart(
    clinic: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = clinic.parent / f"grown.{ending}"
    arguments = (clinic, "--method", "noise", "--times", 2, "--set", "keyboard=azerty", "--out", out, "--json", *GUARDED)
    code, printed, err = run(capsys, *arguments)
    assert code == 0, err
    told = json.loads(printed)
    refused = told.pop("refused")
    made = 56 - sum(refused.values())
    assert told == {"out": str(out), "method": "noise", "parents": 28, "made": made}
    assert list(refused) == ["leakage", "unchanged", "negation", "number", "repeated"]
    assert "12 examples are set apart for the test" in err
    assert len(load(out)) == made
    assert not list(clinic.parent.glob(".*.parts"))


def test_a_table_of_what_was_made_is_shown(clinic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("--set", "synonyms=none", "--set", "operations=[swap]", "--guard", "none")
    code, printed, err = run(capsys, clinic, *settings, "--out", clinic.parent / "g.jsonl")
    assert code == 0
    assert "eda: 112 examples from 28" in printed
    assert "all guards are switched off" in err


def test_what_guards_refuse_is_counted_and_written_where_asked(
    clinic: Path, encoder_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    removed, settings = clinic.parent / "removed.jsonl", ("--set", "synonyms=none", "--set", "operations=[delete]", "--times", 40)
    arguments = (*settings, "--guard", "no-polarity", "--model", encoder_folder, "--removed", removed)
    code, printed, err = run(capsys, clinic, *arguments, "--out", clinic.parent / "g.jsonl", "--json")
    assert code == 0, err
    told = json.loads(printed)
    assert min(told["refused"]["repeated"], told["refused"]["agreement"]) > 0
    assert f"guards refused {sum(told['refused'].values())} of 1120 new examples of 'eda'" in err
    assert "the guard 'polarity' is switched off" in err
    rows = [json.loads(line) for line in removed.read_text().splitlines()]
    assert len(rows) == 1120 - told["made"]
    grown = load(clinic.parent / "g.jsonl")
    assert {"agreement", "repeated"} <= json.loads(grown.table.column("origin")[0].as_py())["guards"].keys()
    assert not {row["id"] for row in rows} & set(grown.ids)


def test_a_model_of_the_users_fills_masked_words(clinic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = make_masked(tmp_path / "masked")
    code, _, err = run(
        capsys,
        clinic,
        "--method",
        "masked-lm",
        "--times",
        1,
        "--set",
        f"model={model}",
        "--out",
        tmp_path / "g.csv",
        "--test",
        "none",
        "--guard",
        "none",
    )
    assert code == 0, err
    assert len(load(tmp_path / "g.csv")) == 40


def test_classes_are_balanced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(from_columns("p", [f"the nurse {row} was good" for row in range(20)], ["a"] * 15 + ["b"] * 5).table, tmp_path / "p.jsonl")
    settings = ("--set", "by=eda", "--set", "settings={synonyms: none}", "--guard", "none")
    code, printed, err = run(
        capsys, tmp_path / "p.jsonl", "--method", "balance", *settings, "--test", "none", "--out", tmp_path / "g.jsonl", "--json"
    )
    assert code == 0, err
    assert json.loads(printed)["made"] == 10


def test_documents_without_labels_become_conversations(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.mkdir()
    write(from_columns("d", ["Insulin moves sugar.", "Blood is red."]).table, tmp_path / "docs.jsonl")
    with answering(obliging) as server:
        llm = f"llm={json.dumps(server.llm())}"
        arguments = (
            tmp_path / "docs.jsonl",
            "--method",
            "from-corpus",
            "--times",
            2,
            "--set",
            llm,
            "--out",
            tmp_path / "qa.jsonl",
            *GUARDED,
        )
        code, _, err = run(capsys, *arguments)
        assert code == 0, err
        asked = len(server.asked)
        code, _, err = run(capsys, *arguments)
        assert len(server.asked) == asked
    assert "4 answers were kept from before" in err
    assert load(tmp_path / "qa.jsonl", messages="messages").modality == "chat"


def test_a_method_that_follows_errors_is_handed_the_probe(
    clinic: Path, encoder_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = clinic.parent / "g.parquet"
    with answering(obliging) as server:
        llm = f"llm={json.dumps(server.llm())}"
        arguments = ("--method", "error-driven", "--times", 1, "--model", encoder_folder, "--set", llm, "--out", out)
        code, _, err = run(capsys, clinic, *arguments, "--guard", "no-polarity")
    assert code == 0, err
    assert "the current model gets" in err


def test_a_mistake_is_told_before_anything_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "nowhere.csv"
    code, _, err = run(capsys, missing, "--method", "nois", "--out", tmp_path / "g.csv")
    assert (code, "did you mean 'noise'" in err) == (2, True)
    code, _, err = run(capsys, missing, "--method", "paraphrase", "--set", "llm={temprature: 1}", "--out", tmp_path / "g.csv")
    assert (code, "'llm'" in err) == (2, True)


def test_texts_have_no_folder_to_go_into(clinic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, clinic, "--set", "synonyms=none", "--out", clinic.parent / "grown")
    assert (code, "--out" in err, ".jsonl" in err) == (2, True, True)
    assert not (clinic.parent / "grown").exists()


def test_a_dry_run_writes_nothing(clinic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed, _ = run(capsys, clinic, "--method", "balance", "--out", clinic.parent / "g.csv", "--dry-run")
    assert code == 0
    assert "balance the classes of 28 examples" in printed
    assert not (clinic.parent / "g.csv").exists()
