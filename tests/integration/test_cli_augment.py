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


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in ("augment", "--guard", "none", *arguments)])
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
    code, printed, err = run(capsys, clinic, "--method", "noise", "--times", 2, "--set", "keyboard=azerty", "--out", out, "--json")
    assert code == 0, err
    assert json.loads(printed) == {"out": str(out), "method": "noise", "parents": 28, "made": 56, "refused": {}}
    assert "12 examples are set apart for the test" in err
    assert len(load(out)) == 56
    assert not list(clinic.parent.glob(".*.parts"))


def test_a_table_of_what_was_made_is_shown(clinic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed, _ = run(
        capsys, clinic, "--set", "synonyms=none", "--set", "operations=[swap]", "--out", clinic.parent / "g.jsonl"
    )
    assert code == 0
    assert "eda: 112 examples from 28" in printed


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
    )
    assert code == 0, err
    assert len(load(tmp_path / "g.csv")) == 40


def test_classes_are_balanced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(from_columns("p", [f"the nurse {row} was good" for row in range(20)], ["a"] * 15 + ["b"] * 5).table, tmp_path / "p.jsonl")
    settings = ("--set", "by=eda", "--set", "settings={synonyms: none}")
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
        arguments = (tmp_path / "docs.jsonl", "--method", "from-corpus", "--times", 2, "--set", llm, "--out", tmp_path / "qa.jsonl")
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
        code, _, err = run(
            capsys, clinic, "--method", "error-driven", "--times", 1, "--model", encoder_folder, "--set", llm, "--out", out
        )
    assert code == 0, err
    assert "the current model gets" in err


def test_a_mistake_is_told_before_anything_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "nowhere.csv"
    code, _, err = run(capsys, missing, "--method", "nois", "--out", tmp_path / "g.csv")
    assert (code, "did you mean 'noise'" in err) == (2, True)
    code, _, err = run(capsys, missing, "--method", "paraphrase", "--set", "llm={temprature: 1}", "--out", tmp_path / "g.csv")
    assert (code, "'llm'" in err) == (2, True)


def test_a_dry_run_writes_nothing(clinic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed, _ = run(capsys, clinic, "--method", "balance", "--out", clinic.parent / "g.csv", "--dry-run")
    assert code == 0
    assert "balance the classes of 28 examples" in printed
    assert not (clinic.parent / "g.csv").exists()
