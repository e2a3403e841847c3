"""A mistake in a recipe is named with its line and the nearest valid name."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.demo import demo_recipe
from acclimate.errors import InputError
from acclimate.recipe import parse_recipe, read_recipe

GOOD = """\
model: asset:minilm
source: {path: pool.csv}
target: {path: clinic.csv, labels: 50}
arms:
  - select: {method: dsir, budget: 20%}
    augment:
      - {method: eda, times: 2}
  - source: all
    tune: {target_weight: 10}
seeds: 3
"""


def _message(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_recipe(text, "r.yaml")
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_good_recipe_survives_being_written_out_in_full() -> None:
    recipe = parse_recipe(GOOD)
    assert parse_recipe(recipe.to_yaml()) == recipe


@pytest.mark.parametrize(
    ("change", "line", "hint"),
    [
        (("seeds: 3", "sedes: 3"), "line 10", "did you mean 'seeds'"),
        (("labels: 50", "lables: 50"), "line 3", "did you mean 'labels'"),
        (("method: dsir", "method: dsri"), "line 5", "did you mean 'dsir'"),
        (("method: eda", "method: edda"), "line 7", "did you mean 'eda'"),
        (("times: 2", "tims: 2"), "line 7", "did you mean 'times'"),
        (("seeds: 3", "seeds: many"), "line 10", "integer"),
        (("target_weight: 10", "target_weight: heavy"), "line 9", "number"),
        (("seeds: 3", "tune: {stepps: 10}"), "line 10", "did you mean 'steps'"),
        (("seeds: 3", "tune: {steps: -1}"), "line 10", "steps"),
        (("source: all", "source: some"), "line 8", "'none' or 'all'"),
        (("model: asset:minilm", "model: [1"), "line 2", "not valid YAML"),
        (("budget: 20%", "budget: 200%"), "line 5", "the budget is '200%'"),
        (("budget: 20%", "k: 5"), "line 5", "no setting 'k'"),
        (
            ("{method: dsir, budget: 20%}", "dsir"),
            "line 5",
            "expected keys with values, such as {method: ..., budget: ..., pick: ...}",
        ),
        (("times: 2", "times: many"), "line 7", "found 'many'"),
        (("times: 2", "times: 0"), "line 7", "greater than or equal to 1"),
        (("times: 2", "alpha: 7"), "line 7", "alpha=7"),
        (("eda, times: 2", "mixup, alpha: -1"), "line 7", "alpha -1"),
        (("eda, times: 2", "mixup, times: 2"), "line 7", "no setting 'times'"),
        (("target_weight: 10", "objectives: [{method: coral, weight: -1}]"), "line 9", "greater than 0"),
        (("labels: 50", "test: 1.5"), "line 3", "a share between 0 and 1"),
        (("labels: 50", "test: cv5"), "line 3", "a share between 0 and 1"),
        (("labels: 50", "validation: cv1"), "line 3", "at least 2 folds"),
        (("seeds: 3", "seeds: 3\nseeds: 4"), "line 11", "twice"),
        (("seeds: 3", "name: ../elsewhere"), "line 10", "a folder can have"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_nearest_name(change: tuple[str, str], line: str, hint: str) -> None:
    message = _message(GOOD.replace(*change))
    assert line in message
    assert hint.casefold() in message.casefold()


def test_every_mistake_is_told_at_once() -> None:
    message = _message(GOOD.replace("seeds: 3", "sedes: 3").replace("labels: 50", "labels: none"))
    assert "line 10" in message
    assert "line 3" in message


def test_one_mistake_inside_a_list_is_told_once() -> None:
    assert "\n" not in _message(
        GOOD.replace("budget: 20%", "budget: 200%").replace("  - source: all\n    tune: {target_weight: 10}\n", "")
    )


@pytest.mark.parametrize(("written", "meant"), [("30%", 0.3), ("0.3", 0.3), ("200", 200), ("'200'", 200), ("test.csv", "test.csv")])
def test_a_share_a_count_and_a_file_are_told_apart(written: str, meant: object) -> None:
    assert parse_recipe(GOOD.replace("labels: 50", f"test: {written}")).target.test == meant


@pytest.mark.parametrize("written", ["20%", "0.2", "'0.2'"])
def test_a_budget_is_one_arm_however_it_is_written(written: str) -> None:
    select = parse_recipe(GOOD.replace("20%", written)).arms[0].select
    assert select is not None
    assert select.budget == "20%"


def test_a_number_in_powers_of_ten_is_a_number() -> None:
    recipe = parse_recipe(GOOD.replace("target_weight: 10", "objectives: [{method: coral, weight: 2e-1}]"))
    (objective,) = recipe.arms[1].tune.objectives
    assert not isinstance(objective, str)
    assert objective.settings == {"weight": 0.2}


def test_a_recipe_without_a_name_is_called_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "winter.yaml").write_text(GOOD)
    assert read_recipe(tmp_path / "winter.yaml").name == "winter"
    (tmp_path / "winter.yaml").write_text(GOOD + "name: summer\n")
    assert read_recipe(tmp_path / "winter.yaml").name == "summer"


def test_a_model_folder_beside_the_recipe_is_found(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "r.yaml").write_text(GOOD.replace("asset:minilm", "mine"))
    assert read_recipe(tmp_path / "r.yaml").model == str((tmp_path / "mine").resolve())
    (tmp_path / "r.yaml").write_text(GOOD.replace("asset:minilm", "someone/theirs"))
    assert read_recipe(tmp_path / "r.yaml").model == "someone/theirs"


def test_the_home_folder_may_be_written_short(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(GOOD.replace("pool.csv", "~/pool.csv"))
    assert read_recipe(tmp_path / "r.yaml").source.path == str(Path.home().resolve() / "pool.csv")


def test_a_missing_part_is_named() -> None:
    assert "the key 'target' is missing" in _message(GOOD.replace("target: {path: clinic.csv, labels: 50}\n", ""))


def test_an_arm_cannot_both_select_and_take_all() -> None:
    assert "either" in _message(GOOD.replace("select: {method: dsir, budget: 20%}", "select: {method: dsir}\n    source: all"))


def test_a_file_that_is_no_recipe_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_recipe(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(InputError, match="UTF-8"):
        read_recipe(tmp_path / "latin.yaml")


def test_paths_are_relative_to_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(GOOD)
    recipe = read_recipe(tmp_path / "r.yaml")
    assert recipe.source.path == str((tmp_path / "pool.csv").resolve())
    assert recipe.target.validation == "cv5"


def test_the_demo_has_the_other_domains_as_its_source() -> None:
    recipe = demo_recipe(target="movie", labels=50)
    assert recipe.source.domains == ("tweets", "amazon", "nyt")
    assert recipe.target.domains == ("movie",)
    with pytest.raises(InputError, match="did you mean 'movie'"):
        demo_recipe(target="movies")
