"""A comparison without target labels, from recipe to report: ranked, offered, never recommended."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from acclimate.data.write import write
from acclimate.engine.storage import read_json
from acclimate.errors import InputError
from acclimate.evaluate.validators import METHODS
from acclimate.evaluate.validators.failures import failures, safest
from acclimate.pipeline import compare, prepare
from tests.shift import pool, sentences

RECIPE = """\
name: free
model: {encoder}
source: {{path: pool.csv}}
target: {{path: clinic.csv, test: 0.4, {target}}}
arms:
  - select: {{method: knn, budget: 40%}}
  - source: all
    tune: {{features: coral}}
seeds: 2
confirm: {{seeds: 0}}
workers: 1
"""


@pytest.fixture
def recipe(tmp_path: Path, home: Path, encoder_folder: Path):
    home.mkdir()
    write(pool(80).table, tmp_path / "pool.csv")
    write(sentences("clinic", 80, 9).table, tmp_path / "clinic.csv")

    def made(target: str, arms: str = "") -> Path:
        text = RECIPE.format(encoder=encoder_folder, target=target)
        (tmp_path / "recipe.yaml").write_text(text.replace("arms:\n", f"arms:\n{arms}"), encoding="utf-8")
        return tmp_path / "recipe.yaml"

    return made


@pytest.mark.parametrize("validator", METHODS)
def test_without_labels_every_validator_ranks_and_the_control_stays(recipe, tmp_path: Path, validator: str) -> None:
    outcome = compare(recipe(f"labels: 0, validation: {validator}"), tmp_path / "out")
    names = {"source-only", "random 40%", "knn 40%", "all source + coral on features"}
    assert {result.name for result in outcome.results} == names
    assert outcome.recommended == "source-only" == outcome.best_control["probe"]
    assert outcome.ranking is not None
    assert set(outcome.ranking.scores) == names
    best = max(("knn 40%", "all source + coral on features"), key=lambda name: sum(outcome.ranking.scores[name]))
    assert outcome.reason["arm"] == best
    assert outcome.reason["key"] in ("gate.offered", "gate.not_offered")
    assert (outcome.reason["worse"], outcome.reason["cells"]) == (failures()[validator].worse, failures()[validator].cells)
    assert all(not result.validation and result.validation_comparison is None for result in outcome.results)
    assert all(result.trained_on["target"] == 0 for result in outcome.results)
    evidence = pq.read_table(tmp_path / "out" / "evidence.parquet").to_pandas()
    assert set(evidence.split) == {"test"}
    assert {line["purpose"] for line in read_json(tmp_path / "out" / "ledger.json")} == {"test"}
    assert f"{failures()[validator].worse} of {failures()[validator].cells} measured cells" in (
        tmp_path / "out" / "report.html"
    ).read_text(encoding="utf-8")


def test_folds_of_no_labels_are_replaced_by_the_safest_validator(recipe) -> None:
    plan = prepare(recipe("labels: 0")).plan
    assert plan.validator == safest()
    assert plan.target.draw(plan.labels, 0).labelled.is_labelled is False


def test_too_few_labels_for_folds_name_the_way_out_and_it_works(recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="validation: label-free"):
        prepare(recipe("labels: 4"))
    outcome = compare(recipe("labels: 4, validation: label-free"), tmp_path / "out")
    assert outcome.best_control["probe"] == "everything" == outcome.recommended
    assert {result.trained_on["target"] for result in outcome.results} == {0.0, 4.0}


def test_a_sealed_validation_part_still_chooses_where_no_label_is_learned_from(recipe, tmp_path: Path) -> None:
    outcome = compare(recipe("labels: 0, validation: 0.3"), tmp_path / "out")
    assert outcome.ranking is None
    assert outcome.best_control["probe"] in ("source-only", "random 40%")
    assert all(len(result.validation) == 2 for result in outcome.results)


@pytest.mark.parametrize(
    "arm",
    [
        "  - augment: {method: eda, times: 2}\n",
        "  - select: {method: leep, budget: 40%}\n",
        "  - source: none\n",
    ],
)
def test_arms_that_need_target_labels_are_refused_before_anything_runs(recipe, arm: str) -> None:
    with pytest.raises(InputError, match="No target label is learned from"):
        prepare(recipe("labels: 0", arm))


def test_a_validator_without_unlabelled_examples_is_refused(recipe) -> None:
    with pytest.raises(InputError, match="judges models on unlabelled target examples"):
        prepare(recipe("validation: entropy"))


def test_texts_without_a_label_column_and_a_labelled_test_serve(recipe, tmp_path: Path) -> None:
    whole = sentences("clinic", 80, 9)
    write(whole.take(range(40)).without_labels().table, tmp_path / "texts.csv")
    write(whole.take(range(40, 80)).table, tmp_path / "rated.csv")
    asked = recipe("labels: 0, validation: entropy")
    asked.write_text(
        asked.read_text(encoding="utf-8").replace("clinic.csv, test: 0.4", "texts.csv, label: label, test: rated.csv"),
        encoding="utf-8",
    )
    with pytest.raises(InputError, match="label"):
        prepare(asked)  # the column that was named is not there
    asked.write_text(asked.read_text(encoding="utf-8").replace("label: label, ", ""), encoding="utf-8")
    outcome = compare(asked, tmp_path / "out")
    assert outcome.sizes["target_labelled"] == 0
    assert outcome.sizes["target_unlabelled"] == 40
    assert outcome.sizes["test"] == 40
    assert outcome.recommended == "source-only"
