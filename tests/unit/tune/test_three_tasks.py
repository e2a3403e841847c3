"""The verb on pictures and for language models: trained by the same loop, saved, read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from acclimate.data.domain import Domain, from_columns, from_images
from acclimate.data.make import make_target
from acclimate.data.packaged import packaged
from acclimate.errors import InputError
from acclimate.models.causal import CausalModel
from acclimate.tune.adapted import Adapted
from acclimate.tune.bases import task_of
from acclimate.tune.examples import gather
from acclimate.tune.run import tune
from acclimate.tune.settings import TuneSettings
from acclimate.tune.trainer import fine_tune
from tests.causal import make_causal
from tests.online import pictures
from tests.shift import sentences

QUICK = {"steps": 40, "batch_size": 8, "lr": 3e-3}


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("llama"))


def drawn(count: int, seed: int) -> Domain:
    images, labels = pictures(count, seed)
    return from_images(f"bars{seed}", images, labels)


def test_pictures_are_learned_saved_and_read_back(tmp_path: Path) -> None:
    target = make_target(drawn(60, 1), test=drawn(40, 2), unlabelled=drawn(20, 3))
    objectives = ["cutmix", {"method": "vat", "weight": 0.1}, {"method": "coral", "weight": 0.1}]
    model = tune("small-cnn", target, objectives=objectives, settings={**QUICK, "steps": 24}, folder=tmp_path)
    test, labels = pictures(40, 2)
    answers = model.predict_proba(test)
    assert (np.asarray(model.classes)[answers.argmax(1)] == np.asarray(labels)).mean() > 0.9
    again = Adapted.load(tmp_path, device="cpu")
    assert again.task == "image-classification"
    assert (again.predict_proba(test[:3]) == answers[:3]).all()
    assert not [path.name for path in tmp_path.iterdir() if path.suffix in {".bin", ".pt", ".pkl", ".part"}]


@pytest.mark.assets
def test_digits_learned_from_one_hand_are_read_in_another() -> None:
    """Batch norm and a mean over places once left 15 to 30% of optdigits right after learning from MNIST."""
    source, other = packaged("mnist5k"), packaged("optdigits")
    settings = TuneSettings(steps=60, batch_size=32, lr=2e-3)
    model = fine_tune("small-cnn", gather(source.classes, source=source), source.classes, settings, task="image-classification")
    answers = model.predict_proba(other.images[:400]).argmax(1)
    assert (np.asarray(source.classes)[answers] == np.asarray(other.labels[:400])).mean() > 0.6


def test_any_vision_model_of_transformers_serves(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
        transformers.ResNetModel(config).save_pretrained(tmp_path)
    settings = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    transformers.ViTImageProcessor(**settings).save_pretrained(tmp_path)
    model = tune(str(tmp_path), make_target(drawn(20, 1), test=drawn(10, 2)), settings={"steps": 2, "batch_size": 4})
    assert model.predict_proba(pictures(3, 4)[0]).shape == (3, 2)


def test_a_language_model_learns_its_texts_and_is_saved_as_one(causal: Path, tmp_path: Path) -> None:
    target = make_target(sentences("clinic", 60, seed=1), test=sentences("clinic", 30, seed=2, name="test"))
    assert task_of(str(causal), "text") == "causal-lm"
    model = tune(str(causal), target, objectives=[{"method": "fgm", "weight": 0.5}], settings=QUICK, folder=tmp_path)
    held_out = sentences("clinic", 30, seed=2).texts
    before, counts = CausalModel(str(causal), device="cpu").losses(held_out)
    after, _ = CausalModel(str(tmp_path), device="cpu").losses(held_out)
    assert after.sum() / counts.sum() < 0.7 * before.sum() / counts.sum()
    assert transformers.AutoModelForCausalLM.from_pretrained(tmp_path).config.architectures == ["LlamaForCausalLM"]
    again = Adapted.load(tmp_path, device="cpu")
    assert again.classes == ()
    weights = again.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in model.model.state_dict().items())
    with pytest.raises(InputError, match="no classes"):
        model.predict_proba(["a"])


def test_a_language_model_can_be_told_to_classify(causal: Path) -> None:
    target = make_target(sentences("clinic", 30, seed=1), test=sentences("clinic", 10, seed=2, name="test"))
    model = tune(str(causal), target, settings={"steps": 1, "batch_size": 4}, task="text-classification")
    assert model.predict_proba(["good"]).shape == (1, 2)


def test_an_objective_that_does_not_serve_the_task_is_refused(causal: Path) -> None:
    target = make_target(sentences("clinic", 30, seed=1), test=sentences("clinic", 10, seed=2, name="test"))
    with pytest.raises(InputError, match="cutmix does not serve causal-lm"):
        tune(str(causal), target, objectives=["cutmix"], settings={"steps": 1})
    with pytest.raises(InputError, match="needs target examples without labels"):
        tune(str(causal), target, objectives=["vat"], settings={"steps": 1})
    with pytest.raises(InputError, match="did you mean 'causal-lm'"):
        tune(str(causal), target, settings={"steps": 1}, task="causal-ml")


def test_conversations_are_learned_by_their_answers(causal: Path) -> None:
    import orjson
    import pyarrow as pa

    turns = [[{"role": "user", "content": f"say {n}"}, {"role": "assistant", "content": f"it is {n}"}] for n in range(12)]
    texts = [" ".join(turn["content"] for turn in one) for one in turns]
    plain = from_columns("chat", texts, ["a", "b"] * 6)
    chat = plain.with_column("messages", pa.array([orjson.dumps(one).decode() for one in turns], pa.string()))
    target = make_target(chat, test=4)
    model = tune(str(causal), target, settings={"steps": 2, "batch_size": 4})
    assert model.task == "causal-lm"
