"""The demos' recipes are right, their materials firewalled, and pictures go the whole way from recipe to report."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from acclimate.data.domain import Domain, from_columns, from_images
from acclimate.data.write import write
from acclimate.demo import DEMOS, demo_recipe
from acclimate.errors import InputError
from acclimate.pipeline import at_most, compare, prepare
from acclimate.recipe import read_recipe
from tests.online import pictures
from tests.shift import sentences

RECIPE = """\
task: image-classification
model: {model}
source: {{path: pool.parquet, image: image, rows: 24}}
target: {{path: ward.parquet, labels: 12, test: 0.5, validation: cv2}}
arms:
  - select: {{method: knn, budget: 50%}}
  - augment: {{method: geometric, times: 1, mirror: 0}}
seeds: 2
confirm: {{seeds: 1}}
tune: {{steps: 2, batch_size: 4}}
workers: 1
"""


@pytest.mark.parametrize("name", DEMOS)
def test_every_demo_is_a_valid_recipe(name: str) -> None:
    recipe = demo_recipe(name, labels=50)
    assert recipe.target.labels == 50
    assert recipe.name.startswith(f"demo-{name}")


def test_names_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'image'"):
        demo_recipe("imag")
    with pytest.raises(InputError, match="no target: this demo has one"):
        demo_recipe("zh", target="nyt")
    with pytest.raises(InputError, match="Unknown target"):
        demo_recipe("text", target="moon")


def drawn(count: int, seed: int) -> Domain:
    images, labels = pictures(count, seed)
    return from_images(f"bars{seed}", images, labels)


@pytest.fixture
def recipe(tmp_path: Path, home: Path) -> Path:
    import transformers

    home.mkdir()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
        transformers.ResNetModel(config).save_pretrained(tmp_path / "model")
    settings = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    transformers.ViTImageProcessor(**settings).save_pretrained(tmp_path / "model")
    write(drawn(40, 1), tmp_path / "pool.parquet")
    write(drawn(60, 2), tmp_path / "ward.parquet")
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(model=tmp_path / "model"), encoding="utf-8")
    return tmp_path / "recipe.yaml"


def test_pictures_go_from_recipe_to_report(recipe: Path, tmp_path: Path) -> None:
    outcome = compare(recipe, tmp_path / "out")
    assert outcome.task == "image-classification"
    assert outcome.sizes["source"] <= 24
    assert {result.fidelity for result in outcome.results} == {"probe", "fine-tune"}
    assert outcome.generated[0].picture.startswith("data:image/png;base64,")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    shown = re.findall(r'<img class="picture" src="([^"]{22})', page)
    assert len(shown) >= 5
    assert set(shown) == {"data:image/png;base64,"}
    assert "img-src data:" in page
    again = compare(recipe, tmp_path / "again")
    assert outcome.evidence.equals(again.evidence)
    assert prepare(recipe).estimate().total_seconds > 0


def test_a_task_that_is_not_that_of_the_examples_is_refused(recipe: Path) -> None:
    other = read_recipe(recipe).model_copy(update={"task": "text-classification"})
    with pytest.raises(InputError, match="pictures") as told:
        prepare(other)
    assert "task: image-classification" in str(told.value)


def test_at_most_so_many_rows_are_drawn_in_their_order_and_said() -> None:
    domain = sentences("clinic", 40, seed=1)
    drawn = at_most(domain, 10)
    assert len(drawn) == 10
    places = [domain.ids.index(identity) for identity in drawn.ids]
    assert places == sorted(places)
    assert drawn.ids == at_most(domain, 10).ids
    assert drawn.notes[-1] == f"{domain.name}: 10 of 40 examples were drawn, as the recipe asks"
    assert at_most(domain, 40) is domain


def test_articles_are_cut_into_passages_that_remember_their_subject() -> None:
    from acclimate.demo.llm import WORDS, passages

    text = " ".join(f"w{n}" for n in range(2 * WORDS + 10))
    found = passages(from_columns("news", [text, "too short"], ["sci.med", "misc"]))
    assert [len(one.split()) for one in found.texts] == [WORDS, WORDS]
    assert found.table.column("subject").to_pylist() == ["sci.med"] * 2
    assert found.classes == ()


@pytest.mark.assets
def test_the_language_demos_target_is_apart_from_its_pool() -> None:
    from acclimate.demo.llm import GENERAL, HELD_OUT, SAMPLE, materials

    source, target, general = materials("sci.med", seed=0)
    assert len(target.unlabelled) <= SAMPLE
    assert len(target.test) == HELD_OUT
    assert len(general) == GENERAL
    assert not set(source.ids) & set(target.unlabelled.ids)
    assert not set(source.texts) & set(target.test.inputs.texts)
    assert "label" not in source.table.column_names  # no selector sees which passage is of the subject
    with pytest.raises(InputError, match=r"did you mean 'sci\.med'"):
        materials("sci.meds", seed=0)
