"""What every online objective keeps to, for each kind of model that it says it serves."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor

from acclimate.models.companions import equip
from acclimate.models.objective import Batch, task_loss
from acclimate.tune import OBJECTIVES, checkpoints
from acclimate.tune.adapted import Adapted
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import build_terms, evaluate_terms
from acclimate.tune.trainer import fine_tune
from tests.online import CLASSES, TASKS, base, batch_of, examples

#: Settings without which an objective does not serve a kind of model.
SETTINGS = {("vat", "causal-lm"): {"on": "labelled"}}
#: Alignment that, at a weight of 1, leaves networks of this size nothing to tell classes by within so few steps.
WEIGHTS = dict.fromkeys(("ddc", "dan", "jan", "cmd", "dann", "cdan", "mdd"), 0.05) | {"afn": 0.005, "bss": 0.001}
PAIRS = [(name, modality) for name, method in OBJECTIVES.items() for modality in method.modality]
#: Parameters that no loss reaches: BERT's pooler is not used.
UNUSED = "encoder.pooler."
#: Optimiser steps after which each kind of model has learned something, and its learning rate.
LONG = {"text": (60, 8e-3), "image": (30, 8e-3), "causal-lm": (16, 6e-3)}

every_pair = pytest.mark.parametrize(("name", "modality"), PAIRS, ids=[f"{name}-{modality}" for name, modality in PAIRS])


@pytest.fixture(autouse=True, scope="module")
def quick_trainings() -> Iterator[None]:
    """One thread; and what was imported leaves the garbage collector, whose full run at every start of training takes 0.6 s."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()
    yield
    gc.unfreeze()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folders(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """With a tiny ResNet for images."""
    place = tmp_path_factory.mktemp("resnet")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
        transformers.ResNetModel(config).save_pretrained(place)
    size = {"height": 24, "width": 24}
    transformers.ViTImageProcessor(size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(place)
    return {**folders, "image": place}


def spec(name: str, modality: str) -> dict[str, Any]:
    return {"method": name, "weight": WEIGHTS.get(name, 1.0), **SETTINGS.get((name, modality), {})}


def train(name: str, modality: str, folders: dict[str, Path], steps: int, folder: Path | None = None, **more: Any) -> Adapted:
    settings = TuneSettings(steps=steps, batch_size=8, lr=LONG[modality][1], checkpoint_every=2)
    model = str(folders[modality])
    classes = () if modality == "causal-lm" else CLASSES
    terms = build_terms([spec(name, modality)])
    return fine_tune(model, examples(modality), classes, settings, terms, folder=folder, task=TASKS[modality], **more)


def as_dtype(batch: Batch, dtype: torch.dtype) -> Batch:
    def cast(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}

    others = None if batch.unlabelled is None else cast(batch.unlabelled)
    views = tuple(cast(view) for view in batch.views)
    return dataclasses.replace(batch, inputs=cast(batch.inputs), unlabelled=others, views=views)


def plain_loss(model: Any, modality: str, reader: Any) -> float:
    batch = batch_of(examples(modality), reader, range(30))
    with torch.no_grad():
        return task_loss(model.eval().classify(model.represent(batch.inputs)), batch).item()


@every_pair
def test_it_learns_and_every_parameter_moves(name: str, modality: str, folders: dict[str, Path]) -> None:
    before = base(modality, folders)
    trained = train(name, modality, folders, steps=LONG[modality][0])
    first = plain_loss(before.model, modality, before.reader)
    last = plain_loss(trained.model, modality, trained.reader)
    assert last < 0.9 * first
    after = dict(trained.model.named_parameters())
    still = [key for key, value in before.model.named_parameters() if torch.equal(value, after[key]) and UNUSED not in key]
    assert still == []


@every_pair
def test_interrupted_and_resumed_it_ends_with_the_same_bytes(
    name: str, modality: str, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = train(name, modality, folders, steps=4, seed=5)
    publish = checkpoints.publish

    def publish_and_stop(folder: Path, step: int) -> None:
        publish(folder, step)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "publish", publish_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train(name, modality, folders, steps=4, folder=tmp_path, seed=5)
    assert (tmp_path / ".training" / "checkpoint-2").is_dir()
    monkeypatch.setattr(checkpoints, "publish", publish)
    resumed = train(name, modality, folders, steps=4, folder=tmp_path, seed=5)
    other = resumed.model.state_dict()
    assert all(torch.equal(value, other[key]) for key, value in undisturbed.model.state_dict().items())


@every_pair
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_batches_of_one_and_of_odd_sizes_give_finite_losses_and_gradients(
    name: str, modality: str, folders: dict[str, Path], dtype: torch.dtype
) -> None:
    prepared = base(modality, folders)
    model = prepared.model.to(dtype).train()
    given = examples(modality)
    whole = as_dtype(batch_of(given, prepared.reader, range(40)), dtype)
    for rows in ([3], [0, 35, 41], [1, 2, 34, 36, 50]):
        if modality == "image" and len(rows) == 1:
            model.eval()  # batch norm has no spread of a single row to train on where the picture has shrunk to one number
        terms = build_terms([spec(name, modality)])
        batch = batch_of(given, prepared.reader, rows, objectives=[term.objective for term in terms])
        batch = as_dtype(batch, dtype)
        equip(model, [term.objective for term in terms], lambda: iter([whole]), seed=0)
        loss: Tensor = torch.stack([weight * value for _, weight, value in evaluate_terms(terms, model, batch)]).sum()
        assert torch.isfinite(loss)
        model.zero_grad()
        loss.backward()
        found = [value.grad for value in model.parameters() if value.grad is not None]
        assert found
        assert all(torch.isfinite(gradient).all() for gradient in found)
        model.train()


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_it_describes_itself(name: str) -> None:
    method = OBJECTIVES[name]
    assert set(method.modality) <= set(TASKS)
    for word in ("Use when", "Avoid when"):
        assert word in (method.__doc__ or "")


@pytest.mark.parametrize("modality", ["text", "image", "causal-lm"])
def test_mixing_and_attacks_add_up(modality: str, folders: dict[str, Path]) -> None:
    prepared = base(modality, folders)
    batch = batch_of(examples(modality), prepared.reader, [0, 35, 41, 2])
    on = {"on": "labelled"} if modality == "causal-lm" else {}
    terms = build_terms(["mixup", {"method": "vat", **on}, {"method": "fgm", "weight": 0.5}, {"method": "smart", "weight": 2.0}])
    values = evaluate_terms(terms, prepared.model.train(), batch)
    assert [value[0] for value in values] == ["mixup", "vat", "fgm", "smart"]
    torch.stack([weight * value for _, weight, value in values]).sum().backward()
    weights = [value for key, value in prepared.model.named_parameters() if UNUSED not in key]
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in weights)
    assert np.isfinite([value.item() for _, _, value in values]).all()
