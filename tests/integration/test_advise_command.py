"""`acclimate advise`: on two files, on a recipe; as text, JSON, a page, and a recipe that `compare` takes as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import acclimate as ac
from acclimate.advising import Given, as_spec, with_labels, write_recipe
from acclimate.cli.main import app
from acclimate.data.make import make_target
from acclimate.data.write import write
from acclimate.errors import AcclimateError, InputError
from acclimate.pipeline import _arm, prepare
from acclimate.recipe import ArmSpec, read_recipe
from acclimate.strategy.advise.candidates import candidates
from acclimate.strategy.arms import Arm
from tests.shift import pool, sentences

ARMS = [one.arm for task in ("text-classification", "image-classification") for one in candidates(task) if not one.arm.is_control]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write(pool(160), tmp_path / "pool.parquet")
    write(sentences("clinic", 100, 3), tmp_path / "clinic.parquet")
    write(sentences("clinic", 60, 4).without_labels(), tmp_path / "bare.parquet")
    write(pool(160).without_labels(), tmp_path / "raw.parquet")
    return tmp_path


def say(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["advise", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_two_files_are_advised_on_in_words_with_figures(files: Path) -> None:
    said = say(files / "pool.parquet", files / "clinic.parquet")
    assert "What to try" in said
    assert "all source + target (control)" in said or "target only (control)" in said
    assert "gap (proxy A-distance, 0 to 2)" in said
    assert "at least" in said


def test_chinese_is_chinese(files: Path) -> None:
    said = say(files / "pool.parquet", files / "clinic.parquet", "--language", "zh")
    assert "实际走过的决策树" in said
    assert "What to try" not in said


def test_json_says_the_same_and_twice_the_same(files: Path) -> None:
    first, second = (
        json.loads(say(files / "pool.parquet", files / "clinic.parquet", "--json", "--fidelity", "probe")) for _ in range(2)
    )
    assert {**first, "seconds": 0} == {**second, "seconds": 0}
    assert first["suggestions"][0]["gain"] >= first["suggestions"][-1]["gain"]
    assert {step["name"] for step in first["rules"]} >= {"near-source", "label-shift"}
    assert first["traits"]["target_labels"] == 70


@pytest.mark.parametrize("labels", [None, 40])
def test_the_written_recipe_loads_and_holds_the_suggested_arms(files: Path, labels: int | None) -> None:
    place = files / "advised.yaml"
    more = [] if labels is None else ["--labels", labels]
    told = json.loads(
        say(files / "pool.parquet", files / "clinic.parquet", "--recipe", place, "--json", "--fidelity", "probe", *more)
    )
    recipe = read_recipe(place)
    suggested = [one["arm"] for one in told["suggestions"] if not one["control"]]
    assert [_arm(spec).name for spec in recipe.arms] == suggested
    assert recipe.target.labels == labels
    assert recipe.confirm.seeds == 0


@pytest.mark.assets
def test_the_written_recipe_is_planned_by_compare(files: Path) -> None:
    place = files / "advised.yaml"
    say(files / "pool.parquet", files / "clinic.parquet", "--recipe", place, "--fidelity", "probe")
    job = prepare(place)
    assert {arm.name for arm in job.plan.all_arms} >= {"target-only", "source-only", "everything"}
    assert len(job.plan.target.labelled) == 70


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_an_arm_is_the_same_after_a_recipe(arm: Arm) -> None:
    spec = yaml.safe_load(yaml.safe_dump(as_spec(arm)))
    assert _arm(ArmSpec.model_validate(spec)) == arm


@pytest.mark.assets
def test_a_recipe_without_arms_is_advised_on(files: Path) -> None:
    recipe = files / "recipe.yaml"
    recipe.write_text("source: {path: pool.parquet}\ntarget: {path: clinic.parquet, test: 0.4, labels: 30}\n", encoding="utf-8")
    out = files / "sub" / "advised.yaml"
    out.parent.mkdir()
    told = json.loads(say(recipe, "--json", "--recipe", out, "--fidelity", "probe"))
    assert told["traits"]["target_labels"] == 30
    again = read_recipe(out)
    assert again.target.test == 0.4
    assert prepare(out).plan.labels == 30


def test_a_page_is_written(files: Path) -> None:
    say(files / "pool.parquet", files / "clinic.parquet", "--html", files / "advice.html", "--language", "zh")
    assert "实际走过的决策树" in (files / "advice.html").read_text(encoding="utf-8")


def test_a_target_without_labels_gets_arms_without_labels(files: Path) -> None:
    told = json.loads(say(files / "pool.parquet", files / "bare.parquet", "--json", "--fidelity", "probe"))
    assert told["traits"]["target_labels"] == 0
    assert not [one for one in told["suggestions"] if "target" in one["arm"]]


def test_texts_without_labels_get_selection_and_pre_training(files: Path) -> None:
    told = json.loads(say(files / "raw.parquet", files / "bare.parquet", "--json"))
    assert told["traits"]["task"] == "causal-lm"
    assert "dapt" in told["suggestions"][0]["arm"]


def test_the_public_verb_takes_a_pool_and_a_target() -> None:
    advice = ac.advise(pool(100), make_target(sentences("clinic", 60, 3), test=0.3))
    assert advice.best.low <= advice.best.gain <= advice.best.high
    assert advice.arms


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pool.parquet"], "names no target"),
        (["none.yaml"], "cannot be read"),
        (["pool.parquet", "none.parquet"], "none.parquet"),
        (["pool.parquet", "clinic.parquet", "--language", "fr"], "en or zh"),
        (["pool.parquet", "clinic.parquet", "--fidelity", "guess"], "fidelity"),
        (["pool.parquet", "clinic.parquet", "--task", "regression"], "regression"),
        (["pool.parquet", "clinic.parquet", "--labels", "5000"], "5000"),
        (["pool.parquet", "clinic.parquet", "--minutes", "-1"], "some time"),
        (["pool.parquet", "clinic.parquet", "--label", "no_such"], "no_such"),
        (["raw.parquet", "bare.parquet", "--recipe", "r.yaml"], "language model"),
        (["pool.parquet", "bare.parquet", "--recipe", "r.yaml"], "labels"),
    ],
)
def test_careless_input_is_one_clear_message(files: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(AcclimateError, match=said):
        CliRunner().invoke(app, ["advise", *arguments], catch_exceptions=False)
    assert not (files / "r.yaml").exists()


def test_no_labels_can_be_asked_for_and_hides_them() -> None:
    target = make_target(sentences("clinic", 60, 3), test=0.3)
    bare = with_labels(target, 0)
    assert (len(bare.labelled), len(bare.unlabelled), bare.classes) == (0, 42, ())
    assert bare.unlabelled.classes == ()
    assert len(bare.test) == len(target.test)


def test_a_recipe_of_controls_alone_is_refused(tmp_path: Path) -> None:
    import dataclasses

    target = make_target(sentences("clinic", 60, 3), test=0.3)
    advice = ac.advise(pool(100), target)
    bare = dataclasses.replace(advice, suggestions=tuple(one for one in advice.suggestions if one.arm.is_control))
    with pytest.raises(InputError, match="controls"):
        write_recipe(bare, Given(pool(100), target, {}), tmp_path / "r.yaml")


def test_a_large_source_is_looked_into_without_reading_all(files: Path) -> None:
    write(pool(2000), files / "large.jsonl")
    told = json.loads(say(files / "large.jsonl", files / "clinic.parquet", "--stream", "--json"))
    assert told["traits"]["source_rows"] == pytest.approx(2000, rel=0.05)
    assert told["suggestions"]
