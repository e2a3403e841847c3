"""The command line, as a user types it: the stages chain, mistakes cost one message, and start-up is light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from acclimate.cli.main import main
from acclimate.data.load import load
from acclimate.data.write import write
from tests.shift import pool, sentences


@pytest.fixture
def files(tmp_path: Path, home: Path, encoder_folder: Path) -> Path:
    """A folder with a source, a target and an encoder, beside an empty cache."""
    home.mkdir()
    write(pool(60).table, tmp_path / "pool.jsonl.gz")
    write(sentences("clinic", 60, 9).table, tmp_path / "clinic.csv")
    (tmp_path / "encoder").symlink_to(encoder_folder)
    return tmp_path


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def test_stages_chain_through_files(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target, encoder = files / "pool.jsonl.gz", files / "clinic.csv", files / "encoder"
    code, out, _ = _run(capsys, "gap", source, target, "--model", encoder, "--json")
    assert code == 0
    assert {"mmd", "proxy-a", "coral", "divergence", "label-shift"} <= set(json.loads(out)["results"])

    code, out, _ = _run(
        capsys, "select", source, target, "--method", "dsir", "--budget", "50%", "--out", files / "p.parquet", "--json"
    )
    assert code == 0
    assert json.loads(out)["kept"] == len(load(files / "p.parquet"))

    code, out, _ = _run(capsys, "augment", target, "--times", 2, "--set", "synonyms=none", "--out", files / "grown.jsonl", "--json")
    assert code == 0
    assert json.loads(out)["made"] == 2 * 42  # 60 examples less 30% for the test

    code, _, err = _run(
        capsys, "tune", encoder, target, "--source", files / "p.parquet", "--augmented", files / "grown.jsonl",
        "--set", "steps=3", "--set", "batch_size=4", "--objectives", "mixup", "--out", files / "model",
    )  # fmt: skip
    assert code == 0, err

    code, out, _ = _run(capsys, "evaluate", files / "model", target, "--json")
    assert code == 0
    assert json.loads(out)["examples"] == 18
    assert set(json.loads(out)["metrics"]) == {"accuracy", "macro_f1", "log_loss", "calibration_error"}


def test_generated_rows_of_test_examples_are_removed_before_training(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A user augments the whole file, test rows included, and hands the result to `tune`."""
    target = files / "clinic.csv"
    _run(capsys, "augment", target, "--test", "none", "--times", 1, "--set", "synonyms=none", "--out", files / "all.jsonl")
    code, out, _ = _run(
        capsys, "tune", files / "encoder", target, "--augmented", files / "all.jsonl", "--out", files / "m", "--dry-run"
    )
    assert code == 0
    assert "'augmented': 60" not in out


def test_dry_runs_write_nothing(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(files.rglob("*"))
    source, target = files / "pool.jsonl.gz", files / "clinic.csv"
    for arguments in (
        ("gap", source, target),
        ("select", source, target, "--out", files / "x.parquet"),
        ("augment", target, "--out", files / "x.csv"),
        ("tune", files / "encoder", target, "--out", files / "x"),
    ):
        code, out, _ = _run(capsys, *arguments, "--dry-run")
        assert (code, out[:5]) == (0, "would")
    assert sorted(files.rglob("*")) == before


MISTAKES = {
    "a missing file": (("gap", "{0}/absent.csv", "{0}/clinic.csv"), "absent.csv"),
    "a missing column": (("select", "{0}/pool.jsonl.gz", "{0}/clinic.csv", "--text", "txt", "--out", "{0}/x.csv"), "text"),
    "an unknown selector": (("select", "{0}/pool.jsonl.gz", "{0}/clinic.csv", "--method", "dsri", "--out", "{0}/x.csv"), "'dsir'"),
    "an unknown setting": (("augment", "{0}/clinic.csv", "--set", "alhpa=0.1", "--out", "{0}/x.csv"), "'alpha'"),
    "a setting without a value": (("augment", "{0}/clinic.csv", "--set", "alpha", "--out", "{0}/x.csv"), "NAME=VALUE"),
    "a budget of nothing": (("select", "{0}/pool.jsonl.gz", "{0}/clinic.csv", "--budget", "0", "--out", "{0}/x.csv"), "budget"),
    "an unknown output format": (("augment", "{0}/clinic.csv", "--set", "synonyms=none", "--out", "{0}/x.docx"), ".docx"),
    "a model that is not there": (("tune", "{0}/nowhere", "{0}/clinic.csv", "--out", "{0}/x"), "nowhere"),
    "a folder that is no model": (("evaluate", "{0}", "{0}/clinic.csv"), "acclimate"),
    "a recipe that is not there": (("compare", "{0}/absent.yaml"), "absent.yaml"),
    "an unknown method": (("methods", "disr"), "'dsir'"),
    "an unknown demo": (("demo", "txt"), "'text'"),
    "an impossible test share": (("evaluate", "{0}", "{0}/clinic.csv", "--test", "1.5"), "test"),
    "an unknown option": (("gap", "a", "b", "--bogus"), "--bogus"),
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_costs_one_message_and_exit_code_2(mistake: str, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, named = MISTAKES[mistake]
    before = sorted(files.iterdir())
    code, out, err = _run(capsys, *(argument.format(files) for argument in arguments))
    assert code == 2
    assert named in err
    assert "Traceback" not in out + err
    assert sorted(path for path in files.iterdir() if path.name != "home") == [path for path in before if path.name != "home"]


def test_methods_are_listed_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capsys, "methods", "--json")
    listed = {(card["family"], card["name"]): card for card in json.loads(out)}
    assert code == 0
    assert {("gap", "mmd"), ("select", "dsir"), ("augment", "eda"), ("augment", "mixup"), ("tune", "coral")} <= set(listed)
    assert all({"name", "family", "modality", "paper", "settings", "needs"} <= set(card) for card in listed.values())


@pytest.mark.usefixtures("home")
def test_doctor_says_what_is_missing_and_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capsys, "doctor", "--json")
    findings = {finding["what"]: finding for finding in json.loads(out)}
    assert code == 0
    assert findings["asset:minilm"]["state"] == "missing"
    assert findings["torch"]["state"] == "ok"


def test_neither_importing_nor_asking_for_help_loads_torch() -> None:
    code = (
        "import sys, acclimate\n"
        "from acclimate.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as ended: assert not ended.code\n"
        "print('heavy:', sorted({'torch', 'transformers', 'sklearn', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("heavy: []")


def test_every_public_name_is_there_and_stays_a_verb() -> None:
    code = (
        "import acclimate as ac\n"
        "import acclimate.select.budget, acclimate.gap.mmd, acclimate.augment.run\n"
        "import acclimate.tune.probe, acclimate.evaluate.metrics\n"
        "assert all(callable(getattr(ac, name)) for name in ac.__all__ if name != '__version__')\n"
        "assert ac.select.__name__ == 'select'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
