"""The command line, as a user types it: the stages chain, mistakes cost one message, and start-up is light."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from transformers import ViTConfig, ViTModel

from acclimate.cli.main import main
from acclimate.cli.output import print_table
from acclimate.data.domain import from_columns
from acclimate.data.load import load, target
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
    told = json.loads(out)
    assert told["made"] + sum(told["refused"].values()) == 2 * 42  # 60 examples less 30% for the test
    assert told["made"] > 60

    code, _, err = _run(
        capsys, "tune", encoder, target, "--source", files / "p.parquet", "--augmented", files / "grown.jsonl",
        "--set", "steps=3", "--set", "batch_size=4", "--objectives", "mixup", "--out", files / "model",
    )  # fmt: skip
    assert code == 0, err

    code, out, _ = _run(capsys, "evaluate", files / "model", target, "--json")
    assert code == 0
    assert json.loads(out)["examples"] == 18
    assert set(json.loads(out)["metrics"]) == {"accuracy", "macro_f1", "log_loss", "calibration_error"}


def test_a_training_is_rehearsed_carried_out_and_exported(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = ("tune", files / "encoder", files / "clinic.csv", "--out", files / "m", "--set", "steps=3", "--set", "batch_size=4")
    machine = ("--hardware", "accumulate=2", "--hardware", "precision=bfloat16")
    code, out, err = _run(capsys, *order, *machine, "--dry-run", "--json")
    assert code == 0, err
    takes = json.loads(out)["takes"]
    assert (takes["steps"], takes["parts"], takes["precision"]) == (3, 2, "bfloat16")
    assert takes["trainable"] == takes["parameters"] > 0
    assert min(takes["seconds"], takes["memory_mib"]) > 0
    code, out, _ = _run(capsys, *order, *machine, "--dry-run")
    assert all(word in out for word in ("parameters", "memory", "time", "in 2 parts"))
    assert not (files / "m").exists()
    code, _, err = _run(capsys, *order, *machine)
    assert code == 0, err
    assert json.loads((files / "m" / "acclimate.json").read_text())["hardware"]["parts"] == 2
    code, out, err = _run(capsys, "export", files / "m", "--to", "transformers", "--out", files / "plain", "--json")
    assert code == 0, err
    assert json.loads(out)["command"].startswith("BertForTokenClassification")
    code, out, err = _run(capsys, "export", files / "clinic.csv", "--to", "axolotl", "--out", files / "data", "--set", "steps=7")
    assert code == 0, err
    assert "axolotl train train.yaml" in out
    assert "max_steps: 7" in (files / "data" / "train.yaml").read_text()


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
    "an unknown hardware setting": (
        ("tune", "{0}/encoder", "{0}/clinic.csv", "--hardware", "precison=float32", "--out", "{0}/x"),
        "'precision'",
    ),
    "an unknown program to export to": (("export", "{0}/clinic.csv", "--to", "axolot", "--out", "{0}/x"), "'axolotl'"),
    "a setting that is no YAML": (("augment", "{0}/clinic.csv", "--set", "alpha=[1", "--out", "{0}/x.csv"), "NAME=VALUE"),
    "a folder in place of a file": (("augment", "{0}/clinic.csv", "--out", "{0}"), "--out"),
    "a file in place of a folder": (("tune", "{0}/encoder", "{0}/clinic.csv", "--out", "{0}/clinic.csv"), "is a file"),
    "an unknown objective": (
        ("tune", "{0}/encoder", "{0}/clinic.csv", "--objectives", "mixpu", "--out", "{0}/x", "--dry-run"),
        "'mixup'",
    ),
    "an unknown way of learning": (
        ("tune", "{0}/encoder", "{0}/clinic.csv", "--learn", "self-trainig", "--out", "{0}/x", "--dry-run"),
        "'self-training'",
    ),
    "an unknown model, dry": (("tune", "asset:minlm", "{0}/clinic.csv", "--out", "{0}/x", "--dry-run"), "'minilm'"),
    "a folder that is no model, dry": (("evaluate", "{0}", "{0}/clinic.csv", "--dry-run"), "acclimate"),
    "an unknown measure, dry": (("gap", "{0}/pool.jsonl.gz", "{0}/clinic.csv", "--methods", "mmd,corl", "--dry-run"), "'coral'"),
    "an impossible setting, dry": (
        ("select", "{0}/pool.jsonl.gz", "{0}/clinic.csv", "--method", "knn", "--set", "k=0", "--out", "{0}/x.csv", "--dry-run"),
        "k=0",
    ),
    "a test file that is not there": (("augment", "{0}/clinic.csv", "--test", "{0}/tst.csv", "--out", "{0}/x.csv"), "tst.csv"),
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


def _unlabelled(files: Path) -> Path:
    """A target whose labels stand in a column that no guess finds."""
    table = sentences("clinic", 40, 3).table
    write(table.rename_columns(["code" if name == "label" else name for name in table.column_names]), files / "ward.jsonl")
    return files / "ward.jsonl"


def test_a_test_that_cannot_be_sealed_is_refused_and_never_augmented(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, out = _unlabelled(files), files / "grown.jsonl"
    code, _, err = _run(capsys, "augment", target, "--set", "synonyms=none", "--out", out)
    assert (code, out.exists()) == (2, False)
    assert "--label" in err
    code, _, err = _run(capsys, "augment", target, "--label", "code", "--set", "synonyms=none", "--out", out)
    assert (code, "12 examples are set apart" in err) == (0, True)


def test_what_repeats_a_test_example_gets_no_children(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = load(files / "clinic.csv").table
    twice = pa.concat_tables([table, table.set_column(0, "id", pa.array([f"again {row}" for row in range(table.num_rows)]))])
    write(twice, files / "twice.csv")
    code, _, err = _run(capsys, "augment", files / "twice.csv", "--times", 1, "--set", "synonyms=none", "--out", files / "g.jsonl")
    assert code == 0, err
    test = target(files / "twice.csv").test.inputs.texts
    parents = {row["origin"]["parents"][0] for row in _with_origin(files / "g.jsonl")}
    texts = dict(zip(twice.column("id").to_pylist(), twice.column("text").to_pylist(), strict=True))
    assert parents
    assert not {texts[parent] for parent in parents} & set(test)


def _with_origin(file: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [{**row, "origin": json.loads(row["origin"])} for row in rows]


def test_selecting_for_a_target_without_labels_says_that_nothing_is_sealed(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("select", files / "pool.jsonl.gz", _unlabelled(files), "--method", "dsir", "--out", files / "x.csv")
    code, _, err = _run(capsys, *arguments, "--dry-run")
    assert code == 0
    assert "nothing of it is sealed" in err


def test_source_and_target_may_name_their_columns_differently(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `select` wrote has our column names, whatever the target calls its own."""
    target = _unlabelled(files)
    _run(capsys, "select", files / "pool.jsonl.gz", target, "--method", "dsir", "--out", files / "p.parquet")
    tune = ("tune", files / "encoder", target, "--label", "code", "--out", files / "m", "--dry-run", "--json")
    code, out, err = _run(capsys, *tune, "--source", files / "p.parquet")
    assert code == 0, err
    assert json.loads(out)["trained_on"]["source"] == len(load(files / "p.parquet"))
    table = pool(60).table
    write(table.rename_columns([f"the {name}" for name in table.column_names]), files / "odd.csv")
    named = ("--source-text", "the text", "--source-label", "the label")
    code, out, err = _run(capsys, *tune, "--source", files / "odd.csv", *named)
    assert code == 0, err
    assert json.loads(out)["trained_on"]["source"] > 0


def test_a_number_in_powers_of_ten_is_a_number(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = _run(
        capsys, "tune", files / "encoder", files / "clinic.csv", "--set", "lr=2e-5", "--out", files / "m", "--dry-run"
    )
    assert code == 0, err


def test_a_test_file_may_number_its_rows_as_the_target_does(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "other").mkdir()
    write(sentences("clinic", 12, 77).table, files / "other" / "clinic.csv")
    arguments = ("augment", files / "clinic.csv", "--test", files / "other" / "clinic.csv", "--set", "synonyms=none")
    code, out, err = _run(capsys, *arguments, "--out", files / "grown.csv", "--json")
    assert code == 0, err
    assert json.loads(out)["parents"] == 60


def test_ctrl_c_ends_with_one_message_and_exit_code_3(tmp_path: Path) -> None:
    """The command is caught while it waits for a file, so the moment does not depend on the machine."""
    pipe = tmp_path / "slow.jsonl"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "acclimate.cli.main", "augment", str(pipe), "--out", str(tmp_path / "x.csv")]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    with running, pipe.open("w"):  # opens as soon as the command reads
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 3
    assert "Interrupted" in err
    assert "start the same command again" in err
    assert "Traceback" not in err


def test_what_a_method_needs_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = _run(capsys, "methods", "--json")
    needs = {(card["family"], card["name"]): card["needs"] for card in json.loads(out)}
    assert needs["gap", "label-shift"] == ["embeddings", "source labels"]
    assert needs["tune", "coral"] == ["unlabelled target texts"]


def test_a_title_is_not_broken_by_a_narrow_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("a title of seven words, not four", ("n",), [(1,)])
    assert capsys.readouterr().out.splitlines()[0] == "a title of seven words, not four"


def test_a_selection_by_task_ranks_the_domains_and_picks_as_told(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target, encoder = files / "pool.jsonl.gz", files / "clinic.csv", files / "encoder"
    code, out, err = _run(
        capsys, "select", source, target, "--by", "task", "--model", encoder, "--budget", "20",
        "--pick", "gumbel", "--pick", "per=class", "--json",
    )  # fmt: skip
    assert code == 0, err
    told = json.loads(out)
    assert told["kept"] == 20
    assert set(told["ranking"]["mean_rank"]) == {"shop", "film"}
    assert {"low", "high"} <= set(told["ranking"]["scores"]["logme"][0])
    assert told["ranking"]["notes"]
    code, out, err = _run(capsys, "select", source, target, "--by", "task", "--model", encoder)
    assert code == 0
    assert "95% interval" in out
    assert "nothing was written" in out


def test_base_models_are_ranked_with_intervals(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = files / "encoder"
    code, out, err = _run(capsys, "models", files / "clinic.csv", "--rank", encoder, "--json")
    assert code == 0, err
    scores = json.loads(out)["scores"][str(encoder)]
    assert all(score["low"] <= score["score"] <= score["high"] for score in scores.values())


def test_positions_are_those_of_the_file_although_rows_were_removed(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = files / "pool.jsonl.gz", files / "clinic.csv"
    pool_texts = load(source).texts
    write(from_columns("bench", [pool_texts[0].upper(), "another text"]).table, files / "bench.csv")
    code, _, err = _run(
        capsys, "select", source, target, "--method", "random", "--budget", "100%", "--out", files / "p.jsonl",
        "--decontaminate", files / "bench.csv", "--removed", files / "gone.csv",
    )  # fmt: skip
    assert code == 0, err
    picked = load(files / "p.jsonl")
    positions = picked.table.column("position").to_pylist()
    assert [pool_texts[position] for position in positions] == picked.texts
    assert 0 not in positions
    assert pool_texts[0] in (files / "gone.csv").read_text()


def test_pictures_are_selected_and_only_parquet_holds_them(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for kind, centre in (("light", 200), ("dark", 40)):
        for row in range(12):
            place = files / "pets" / kind / f"{row}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(centre - 40, centre + 40, (8, 8), dtype=np.uint8)).save(place)
    write(load(files / "pets").take(range(6)).table, files / "wanted.parquet")
    tiny = ViTConfig(image_size=8, patch_size=4, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    ViTModel(tiny).save_pretrained(files / "vit")
    (files / "vit" / "preprocessor_config.json").write_text('{"size": {"height": 8, "width": 8}}')
    code, _, err = _run(
        capsys, "select", files / "pets", files / "wanted.parquet", "--test", "none", "--method", "classifier",
        "--budget", "3", "--model", files / "vit", "--out", files / "p.jsonl",
    )  # fmt: skip
    assert code == 0, err
    assert "only written to Parquet" in err
    code, _, err = _run(capsys, "select", files / "pets", files / "wanted.parquet", "--test", "none", "--method", "dsir")
    assert code == 2
    assert "'dsir' cannot serve here: the source 'pets' holds images" in err
    assert "or use 'classifier'" in err


SEARCH = """
model: encoder
source: {path: pool.jsonl.gz}
target: {path: clinic.csv, test: 0.3, validation: cv3}
arms: [{source: all}]
search: {sampler: random, trials: 4, fresh: 1, space: {C: {low: 0.1, high: 10, log: true}, target_weight: [1, 5]}}
"""


def test_a_search_is_carried_out_goes_on_and_explains_mistakes(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, run = files / "search.yaml", files / "run"
    recipe.write_text(SEARCH, encoding="utf-8")
    code, out, err = _run(capsys, "search", recipe, "--out", run, "--workers", 1, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert [trial["state"] for trial in told["trials"]] == ["complete"] * 4
    assert {"best", "recommended", "gains", "importance", "spread", "notes"} <= set(told)
    assert {"report.html", "trials.parquet", "search.json", "ledger.json", "trials.db"} <= {
        p.name for p in (run / "search").iterdir()
    }
    assert {opening["purpose"] for opening in json.loads((run / "search" / "ledger.json").read_text())} == {"validation"}

    code, out, _ = _run(capsys, "search", recipe, "--out", run, "--workers", 1, "--trials", 6, "--json")
    again = json.loads(out)["trials"]
    assert (code, len(again)) == (0, 6)
    assert again[:4] == [{**trial, "against": later["against"]} for trial, later in zip(told["trials"], again, strict=False)]

    code, out, _ = _run(capsys, "search", recipe, "--out", run, "--workers", 1, "--language", "zh")
    assert code == 0
    assert "Verdict:" in out
    assert "设置搜索" in (run / "search" / "report.html").read_text(encoding="utf-8")

    code, _, err = _run(capsys, "search", recipe, "--sampler", "tep")
    assert code == 2
    assert "did you mean 'tpe'" in err
    code, _, err = _run(capsys, "search", recipe, "--out", files / "other", "--storage", "nonsense://place")
    assert code == 2
    assert "nonsense://place" in err
