"""A recipe, from files to report: what a user gets, and what a second start does."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from acclimate.data.load import load
from acclimate.data.write import write
from acclimate.engine.storage import read_json
from acclimate.errors import InputError
from acclimate.pipeline import compare, prepare, run
from acclimate.recipe import parse_recipe, read_recipe
from acclimate.tune.adapted import Adapted
from tests.shift import pool, sentences

RECIPE = """\
name: small
model: {encoder}
source: {{path: pool.csv, on_bad_row: skip}}
target: {{path: clinic.csv, labels: 24, test: 0.4, validation: cv2}}
arms:
  - select: {{method: knn, budget: 40%}}
    augment: {{method: eda, times: 2, synonyms: none}}
  - source: all
    tune: {{target_weight: 5}}
seeds: 3
confirm: {{seeds: 1}}
tune: {{steps: 3, batch_size: 4}}
workers: 1
"""


@pytest.fixture
def recipe(tmp_path: Path, home: Path, encoder_folder: Path) -> Path:
    home.mkdir()
    write(pool(80).table, tmp_path / "pool.csv")
    write(sentences("clinic", 80, 9).table, tmp_path / "clinic.csv")
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(encoder=encoder_folder), encoding="utf-8")
    return tmp_path / "recipe.yaml"


def test_a_run_leaves_evidence_report_and_model(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = run(recipe, out)
    names = [arm.name for arm in prepare(recipe).plan.all_arms]
    evidence = pq.read_table(out / "evidence.parquet").to_pandas()
    assert set(evidence.arm) == set(names)
    assert {"target-only", "source-only", "everything", "random 40%"} <= set(names)
    assert len(evidence[evidence.fidelity == "probe"]) == len(names) * 3 * 2  # seeds × (test, validation)
    assert outcome.recommended in names
    assert "small" in (out / "report.html").read_text(encoding="utf-8")
    assert Adapted.load(out / "models" / "recommended").classes == ("bad", "good")
    ledger = read_json(out / "ledger.json")
    assert {line["reader"] for line in ledger} == {"evaluate"}
    assert sum(line["purpose"] == "test" for line in ledger) == len(names) * 3 + 2
    assert parse_recipe((out / "recipe.yaml").read_text(encoding="utf-8")) == read_recipe(recipe)
    kept = [pq.read_table(file) for file in sorted((out / "selection").iterdir())]
    assert all({"score", "weight", "rank", "reason", "position"} <= set(table.column_names) for table in kept)
    assert len(kept) == 2  # the knn arm's and the random control's
    refused = pq.read_table(out / "augmented" / "removed.parquet")
    assert {"arm", "id", "reason", "detail", "text", "parent_text"} <= set(refused.column_names)
    (grown,) = next(iter(outcome.quality.values()))
    assert grown.kept + refused.num_rows == grown.made == sum(grown.refused.values()) + grown.kept
    assert grown.coverage["both"] >= grown.coverage["parents"] > 0


def test_what_a_run_found_goes_to_other_programs(recipe: Path, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard
    from transformers import AutoModelForTokenClassification

    from acclimate.export.run import export

    outcome = run(recipe, tmp_path / "out")
    arm = "knn 40% + target + eda(synonyms=none, times=2)"
    assert arm in [result.name for result in outcome.results]
    done = export(tmp_path / "out", tmp_path / "trl", to="trl", arm=arm)
    assert any(note.startswith("verdict: probe: ") for note in done.notes)
    export(tmp_path / "out", tmp_path / "files", to="parquet", arm=arm)
    kinds = load(tmp_path / "files" / "train.parquet").table.column("kind").to_pylist()
    (learned,) = [result.trained_on for result in outcome.results if result.name == arm and result.fidelity == "probe"]
    assert {kind: kinds.count(kind) for kind in set(kinds)}.keys() == learned.keys()
    assert done.rows == len(kinds)
    with pytest.raises(InputError, match="Unknown arm 'kn'"):
        export(tmp_path / "out", tmp_path / "x", to="trl", arm="kn")
    own, plain = tmp_path / "out" / "models" / "recommended", tmp_path / "plain"
    export(tmp_path / "out", plain, to="transformers")
    assert AutoModelForTokenClassification.from_pretrained(plain).config.id2label == {0: "bad", 1: "good"}
    for folder in (own, plain):
        card = ModelCard.load(folder / "README.md")
        assert {result.metric_type for result in card.data.eval_results} >= {"accuracy", "macro_f1"}
        assert "## Verdict" in card.text
        assert outcome.recommended in card.text


def test_a_second_start_does_only_what_is_missing(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = compare(recipe, out)
    steps = {file.name: file.stat().st_mtime_ns for file in (out / "steps").iterdir()}
    gone = sorted(steps)[0]
    (out / "steps" / gone).unlink()
    second = compare(recipe, out)
    again = {file.name: file.stat().st_mtime_ns for file in (out / "steps").iterdir()}
    assert [name for name in steps if steps[name] != again[name]] == [gone]
    assert first.evidence.equals(second.evidence)


def test_generated_examples_are_shown_beside_their_parents(recipe: Path, tmp_path: Path) -> None:
    outcome = compare(recipe, tmp_path / "out")
    known = set(load(tmp_path / "clinic.csv").texts)
    assert outcome.generated
    assert all(example.parent in known and example.text not in known for example in outcome.generated)


def test_the_report_speaks_chinese(recipe: Path, tmp_path: Path) -> None:
    chinese = read_recipe(recipe).model_copy(update={"report": read_recipe(recipe).report.model_copy(update={"language": "zh"})})
    compare(chinese, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="zh' in page
    assert "目标域" in page


def _mistake(recipe: Path, *change: str) -> str:
    recipe.write_text(recipe.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        prepare(recipe)
    return str(caught.value)


def test_skipped_rows_are_counted_where_a_reader_sees_them(recipe: Path, tmp_path: Path) -> None:
    with (tmp_path / "pool.csv").open("a", encoding="utf-8") as file:
        file.write("broken row\n")
    announced: list[str] = []
    prepare(recipe, announced.append)
    assert any("1" in note and "pool.csv" in note for note in announced)


def test_too_few_labels_for_the_folds_is_said_before_anything_runs(recipe: Path) -> None:
    assert "3 target labels" in _mistake(recipe, "labels: 24", "labels: 3")


def test_a_target_label_that_the_source_lacks_is_bad_input(recipe: Path, tmp_path: Path) -> None:
    place = tmp_path / "clinic.csv"
    place.write_text(place.read_text(encoding="utf-8").replace(",good,", ",fine,"), encoding="utf-8")
    assert "fine" in _mistake(recipe, "name: small", "name: small")


def test_source_classes_that_the_target_lacks_are_left_out_and_counted(recipe: Path, tmp_path: Path) -> None:
    with (tmp_path / "pool.csv").open("a", encoding="utf-8") as file:
        file.write("extra,neither this nor that,odd,shop\n")
    announced: list[str] = []
    job = prepare(recipe, announced.append)
    assert job.plan.source.classes == ("bad", "good")
    assert any("left out 1 source examples" in note for note in announced)


@pytest.mark.parametrize("example", sorted((Path(__file__).parents[2] / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_recipe_is_valid_and_says_how_to_run_it(example: Path) -> None:
    read_recipe(example)
    assert f"acclimate compare examples/{example.name}" in example.read_text(encoding="utf-8")


@pytest.mark.usefixtures("home")
def test_rows_that_repeat_a_further_test_are_removed_and_listed(tmp_path: Path, encoder_folder: Path) -> None:
    """A public benchmark named under ``decontaminate`` is kept out of what is learned from, and the run says what went."""
    shop = [f"{word} parcel {n},{label}" for n in range(8) for word, label in (("lovely", "good"), ("broken", "bad"))]
    ward = [f"{word} nurse {n},{label}" for n in range(8) for word, label in (("kind", "good"), ("rude", "bad"))]
    for name, rows in (("shop", shop), ("ward", ward)):
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *rows]))
    (tmp_path / "bench.csv").write_text("text\nLOVELY parcel 3\nsomething else altogether\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"model: {encoder_folder}\n"
        "source: {path: shop.csv}\ntarget: {path: ward.csv, test: 0.5, validation: cv2}\ndecontaminate: bench.csv\n"
        "arms: [{select: {method: dsir, budget: 50%}}]\nseeds: 1\nconfirm: {seeds: 0}\n"
    )
    outcome = compare(recipe, tmp_path / "run")
    removed = pq.read_table(tmp_path / "run" / "removed.parquet").to_pylist()
    assert [(row["kind"], row["text"]) for row in removed] == [("normalised", "lovely parcel 3")]
    assert removed[0]["twin_place"].endswith("bench.csv")
    assert outcome.sizes["source"] == 15


def test_arms_adapt_frozen_vectors_with_and_without_target_labels(recipe: Path, tmp_path: Path) -> None:
    text = recipe.read_text(encoding="utf-8").replace("confirm: {seeds: 1}", "confirm: {seeds: 0}")
    start, end = text.index("arms:"), text.index("seeds: 3")
    arms = [f"  - {{source: all, tune: {{features: {name}}}}}" for name in ("easyadapt", "self-training", "coral")]
    arms += [f"  - {{source: all, target: false, tune: {{features: {name}}}}}" for name in ("tca", "msda", "self-training")]
    arms.append("  - {select: {method: knn, budget: 40%}, tune: {features: {method: subspace, dimensions: 8}}}")
    recipe.write_text("\n".join([text[:start] + "arms:", *arms, text[end:]]), encoding="utf-8")
    outcome = compare(recipe, tmp_path / "out")
    named = {result.name: result for result in outcome.results}
    assert "all source + self-training on features" in named
    assert "all source + target + self-training on features" in named
    assert "knn 40% + target + subspace(dimensions=8) on features" in named
    assert named["all source + tca on features"].comparison is not None


def test_arms_learn_in_rounds_and_by_views_that_a_recipe_sets(recipe: Path, tmp_path: Path) -> None:
    text = recipe.read_text(encoding="utf-8").replace("{seeds: 1}", "{seeds: 1, all_arms: true}").replace("seeds: 3", "seeds: 2")
    start, end = text.index("arms:"), text.index("seeds: 2")
    views = "{method: fixmatch, ratio: 1, strong: {method: eda, synonyms: none, operations: [swap]}}"
    arms = ["  - {source: all, tune: {learn: {method: self-training, rounds: 1, prior: true}}}"]
    arms += [f"  - {{source: all, tune: {{objectives: [{views}]}}}}", "  - {source: all, tune: {objectives: [multi-task]}}"]
    recipe.write_text("\n".join([text[:start] + "arms:", *arms, text[end:]]), encoding="utf-8")
    outcome = compare(recipe, tmp_path / "out")
    tuned = {result.name for result in outcome.results if result.fidelity == "fine-tune"}
    assert "all source + target + self-training(prior=True, rounds=1)" in tuned
    assert any("fixmatch(ratio=1" in name for name in tuned)
    assert not list((tmp_path / "out").rglob(".rounds"))


@pytest.mark.parametrize(
    ("arm", "found"),
    [
        ("{source: all, tune: {learn: self-trainig}}", "did you mean 'self-training'"),
        ("{source: all, tune: {learn: {method: self-training, round: 3}}}", "did you mean 'rounds'"),
        ("{source: all, tune: {objectives: [{method: fixmatch, strong: edaa}]}}", "edaa"),
        ("{source: all, tune: {features: tcaa}}", "tca"),
        ("{source: all, tune: {features: {method: tca, dimension: 3}}}", "dimensions"),
        ("{target: false, tune: {features: tca}}", "source: all"),
        ("{source: all, target: false, augment: {method: eda}}", "cannot `augment`"),
        ("{source: all, tune: {features: tca}}", "confirm"),
    ],
)
def test_arms_that_make_no_sense_are_refused_with_the_way_out(recipe: Path, tmp_path: Path, arm: str, found: str) -> None:
    text = recipe.read_text(encoding="utf-8")
    start, end = text.index("arms:"), text.index("seeds: 3")
    recipe.write_text(f"{text[:start]}arms:\n  - {arm}\n{text[end:]}", encoding="utf-8")
    with pytest.raises(InputError, match=found):
        compare(recipe, tmp_path / "out")
