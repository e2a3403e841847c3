"""Language models on the command line: tuned without labels, measured, and what they forgot; recipes with stages before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acclimate.cli.main import main
from acclimate.data.domain import from_columns
from acclimate.data.make import make_target
from acclimate.data.write import write
from acclimate.features.embeddings import Embedder
from acclimate.pipeline import _arm
from acclimate.recipe import ArmSpec, Recipe, read_recipe
from acclimate.strategy.arms import TARGET_ONLY
from acclimate.strategy.plan import Plan
from acclimate.strategy.units import Bench
from acclimate.tune.settings import TuneSettings
from tests.causal import make_causal
from tests.shift import pool, sentences
from tests.small_models import make_masked


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def test_a_language_model_is_tuned_and_measured_without_labels(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    model = make_causal(tmp_path / "base")
    for name, seed in (("mine", 1), ("held", 2)):
        write(from_columns(name, sentences("clinic", 40, seed=seed).texts, None).table, tmp_path / f"{name}.jsonl")
    write(from_columns("general", [f"a general text, number {n}" for n in range(20)], None).table, tmp_path / "general.jsonl")
    code, _, err = run(
        capsys, "tune", model, tmp_path / "mine.jsonl", "--text", "text", "--out", tmp_path / "made",
        "--replay", tmp_path / "general.jsonl", "--corpus", tmp_path / "held.jsonl",
        "--pretrain", "{method: dapt, steps: 4, lr: 0.003}",
        "--set", "steps=8", "--set", "batch_size=4", "--set", "lr=0.003", "--set", "packing=true", "--set", "replay=0.25",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads((tmp_path / "made" / "acclimate.json").read_text())["base"] == f"{model} + dapt"
    arguments = (tmp_path / "held.jsonl", "--text", "text", "--general", tmp_path / "general.jsonl", "--json")
    code, out, err = run(capsys, "evaluate", tmp_path / "made", *arguments)
    assert code == 0, err
    told = json.loads(out)
    assert told["examples"] == 40
    metrics = told["metrics"]
    assert metrics["forgotten, low"] <= metrics["forgotten"] <= metrics["forgotten, high"]
    gained = metrics["general bits_per_byte after"] - metrics["general bits_per_byte before"]
    assert metrics["forgotten"] == pytest.approx(gained, abs=1e-6)
    assert {"loss", "perplexity", "bits_per_byte"} <= set(metrics)


RECIPE = """
model: "{model}"
source: {{path: pool.jsonl}}
target: {{path: clinic.jsonl}}
arms:
  - source: all
    tune: {{pretrain: [{stage}]}}
"""


def test_a_recipe_names_stages_before_fine_tuning(tmp_path: Path) -> None:
    write(pool(30).table, tmp_path / "pool.jsonl")
    write(sentences("clinic", 30, 1).table, tmp_path / "clinic.jsonl")
    file = tmp_path / "recipe.yaml"
    file.write_text(RECIPE.format(model=tmp_path, stage="{method: dapt, steps: 2}, tapt"))
    recipe = read_recipe(file)
    assert isinstance(recipe, Recipe)
    assert str(_arm(recipe.arms[0])) == "all source + target + dapt(steps=2) + tapt"
    file.write_text(RECIPE.format(model=tmp_path, stage="{method: dapt, stpes: 2}"))
    with pytest.raises(Exception, match="steps"):
        read_recipe(file)


def test_an_arm_goes_on_pretraining_on_its_own_material(tmp_path: Path) -> None:
    base = make_masked(tmp_path / "base")
    target = make_target(sentences("clinic", 40, 1), test=sentences("clinic", 20, 2, "test"))
    plan = Plan(
        source=pool(40), target=target, arms=(), model=str(base), tune=TuneSettings(steps=2, batch_size=4), workers=1, labels=None
    )
    spec = ArmSpec.model_validate({"source": "all", "tune": {"pretrain": [{"method": "tapt", "steps": 4, "lr": 3e-3}]}})
    bench = Bench(plan, Embedder(str(base), cache=None, device="cpu"), "tiny", tmp_path / "checkpoints")
    arm = _arm(spec)
    first, again = (bench.carry_out(arm, "fine-tune", 0) for _ in range(2))
    plain = bench.carry_out(_arm(ArmSpec(source="all")), "fine-tune", 0)
    assert first.predictions.equals(again.predictions)
    assert not first.predictions.equals(plain.predictions)
    assert bench.key(arm, "fine-tune", 0) != bench.key(TARGET_ONLY, "fine-tune", 0)
    assert not list((tmp_path / "checkpoints").rglob("*"))
