"""Real learning rates at real steps, layers that thaw, and what LoRA leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from acclimate.errors import InputError
from acclimate.models.companions import COMPANIONS
from acclimate.tune import checkpoints, trainer
from acclimate.tune.adapted import Adapted
from acclimate.tune.schedule import layer_groups, rate_factors, slanted_triangular, thaw
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import Spec, build_terms
from acclimate.tune.trainer import fine_tune
from tests.online import CLASSES, TASKS, base, batch_of, examples


class Watch(TrainerCallback):
    """Writes down, at every step, each group's learning rate and how many weights learn."""

    def __init__(self) -> None:
        self.rates: list[dict[int, float]] = []
        self.learning: list[set[str]] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, state, control
        optimizer = kwargs["optimizer"]
        self.rates.append({id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]})
        self.learning.append({name for name, value in kwargs["model"].named_parameters() if value.requires_grad})
        self.names = {id(value): name for name, value in kwargs["model"].named_parameters()}

    def rate_of(self, part: str, step: int) -> set[float]:
        return {rate for key, rate in self.rates[step].items() if part in self.names.get(key, "")}


def train(
    folders: dict[str, Path], watch: Watch | None = None, modality: str = "text", terms: tuple[Spec, ...] = (), **settings: Any
) -> Adapted:
    folder = settings.pop("folder", None)
    chosen = TuneSettings(**{"steps": 20, "batch_size": 10, "lr": 1e-3, "checkpoint_every": 3, "dropout": 0.0, **settings})
    classes = () if modality == "causal-lm" else CLASSES
    given = build_terms(terms)
    with pytest.MonkeyPatch.context() as patch:
        if watch is not None:
            patch.setattr(trainer, "Progress", lambda: watch)
        name = str(folders.get(modality, "small-cnn"))
        return fine_tune(name, examples(modality), classes, chosen, given, seed=2, folder=folder, task=TASKS[modality])


@pytest.mark.parametrize("modality", ["text", "image", "causal-lm"])
def test_groups_hold_every_trained_weight_once_from_the_bottom_up(folders: dict[str, Path], modality: str) -> None:
    model = base(modality, folders).model
    groups = layer_groups(model)
    found = [id(value) for group in groups for value in group]
    assert sorted(found) == sorted(id(value) for value in model.parameters())
    if modality != "causal-lm":  # whose output layer is tied or counts to the last layer
        assert {id(value) for value in groups[-1]} == {id(value) for value in model.head.parameters()}
    for layer, group in zip(model.layers, groups[-model.depth - 1 : -1], strict=False):
        if modality == "text":
            assert {id(value) for value in layer.parameters()} <= {id(value) for value in group}


def test_each_layer_learns_slower_than_the_one_above_it(folders: dict[str, Path]) -> None:
    watch = Watch()
    train(folders, watch, terms=("dann",), layer_decay=2.6, warmup=0.0, schedule="constant", steps=2)
    depth = base("text", folders).model.depth
    for part in ("head.", COMPANIONS):
        assert watch.rate_of(part, 0) == {1e-3}
    for number in range(depth):
        np.testing.assert_allclose(list(watch.rate_of(f"encoder.layer.{number}.", 0)), 1e-3 / 2.6 ** (depth - number))
    np.testing.assert_allclose(list(watch.rate_of("embeddings", 0)), 1e-3 / 2.6 ** (depth + 1))


def test_weight_decay_stays_on_matrices_where_rates_differ(folders: dict[str, Path]) -> None:
    class Kept(Watch):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            del args, state, control
            groups = kwargs["optimizer"].param_groups
            self.decayed = {p.ndim for group in groups if group["weight_decay"] > 0 for p in group["params"]}
            self.spared = {p.ndim for group in groups if group["weight_decay"] == 0 for p in group["params"]}

    watch = Kept()
    train(folders, watch, layer_decay=2.0, steps=1, weight_decay=0.1)
    assert watch.decayed == {2}
    assert watch.spared == {1}


def test_the_slanted_triangle_is_the_papers_at_every_step_and_layer(folders: dict[str, Path]) -> None:
    watch = Watch()
    train(folders, watch, schedule="slanted-triangular", warmup=0.2, layer_decay=2.0)
    cut = 4
    for step in range(20):
        p = step / cut if step < cut else 1 - (step - cut) / (cut * (1 / 0.2 - 1))  # Howard & Ruder 2018, eq. 3
        expected = 1e-3 * (1 + p * 31) / 32
        np.testing.assert_allclose(list(watch.rate_of("head.", step)), expected)
        np.testing.assert_allclose(list(watch.rate_of("encoder.layer.0.", step)), expected / 2 ** base("text", folders).model.depth)
    assert slanted_triangular(0, 5, 0.0) > 0


@pytest.mark.parametrize(("schedule", "last"), [("linear", 1 / 20), ("cosine", (1 + np.cos(np.pi * 0.95)) / 2), ("constant", 1.0)])
def test_the_other_courses_end_where_they_should(folders: dict[str, Path], schedule: str, last: float) -> None:
    watch = Watch()
    train(folders, watch, schedule=schedule, warmup=0.0)
    np.testing.assert_allclose(list(watch.rate_of("head.", 19)), 1e-3 * last)


def test_layers_thaw_from_the_top_one_each_epoch(folders: dict[str, Path]) -> None:
    watch = Watch()
    adapted = train(folders, watch, unfreeze=1, terms=("dann",), steps=22)  # 70 examples by 10: an epoch is 7 steps
    depth = base("text", folders).model.depth
    for step, learning in enumerate(watch.learning[:-1]):
        # The watch was added before the callback that thaws: it sees what the step before had.
        free = 1 + max(step - 1, 0) // 7 if step else depth + 2
        wanted = {"head", COMPANIONS} if free == 1 else {"head", COMPANIONS, "encoder"}
        assert {name.split(".")[0] for name in learning} == wanted
        for number in range(depth):
            assert any(f"layer.{number}." in name for name in learning) is (number >= depth + 1 - free)
    assert all(value.requires_grad for value in adapted.model.parameters())


def test_frozen_layers_keep_their_bytes(folders: dict[str, Path]) -> None:
    before = base("text", folders).model.state_dict()
    after = train(folders, unfreeze=1, steps=7).model.state_dict()
    moved = {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved == {"head"}


@pytest.mark.parametrize(
    "settings",
    [
        {"unfreeze": 0.5, "layer_decay": 2.6, "schedule": "slanted-triangular"},
        {"parameters": "lora"},
        {"parameters": "dora", "rank": 2},
        {"parameters": "head"},
    ],
    ids=["ulmfit", "lora", "dora", "head"],
)
def test_interrupted_and_resumed_it_ends_with_the_same_bytes(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    terms: tuple[Spec, ...] = ("cdan", "l2-sp")
    undisturbed = train(folders, terms=terms, steps=9, **settings)
    publish = checkpoints.publish

    def publish_and_stop(folder: Path, step: int) -> None:
        publish(folder, step)
        if step == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "publish", publish_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train(folders, terms=terms, steps=9, folder=tmp_path, **settings)
    monkeypatch.setattr(checkpoints, "publish", publish)
    resumed = train(folders, terms=terms, steps=9, folder=tmp_path, **settings).model.state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in undisturbed.model.state_dict().items())


@pytest.mark.parametrize(
    ("parameters", "modality"), [("lora", "text"), ("dora", "text"), ("lora", "causal-lm"), ("dora", "causal-lm")]
)
def test_adapters_learn_and_the_merged_model_is_a_plain_one(
    folders: dict[str, Path], tmp_path: Path, parameters: str, modality: str
) -> None:
    before = base(modality, folders)
    plain = before.model.state_dict()
    adapted = train(folders, modality=modality, parameters=parameters, steps=30, lr=1e-2)
    after = adapted.model.state_dict()
    assert set(after) == set(plain)
    moved = {name for name, value in after.items() if not torch.equal(value, plain[name])}
    assert any(name.endswith(("query.weight", "q_proj.weight")) for name in moved)
    assert not any("embed" in name or "norm" in name.lower() for name in moved)
    adapted.save(tmp_path)
    again = Adapted.load(tmp_path, device="cpu")
    batch = batch_of(examples(modality), before.reader, range(6))
    with torch.no_grad():
        first, second = (m.eval().classify(m.represent(batch.inputs)) for m in (adapted.model, again.model))
    torch.testing.assert_close(first, second)
    losses = [entry["term/task"] for entry in adapted.history]
    assert losses[-1] < losses[0]


def test_merging_changes_no_prediction(folders: dict[str, Path]) -> None:
    from acclimate.tune.peft import restrict

    prepared = base("text", folders)
    model = prepared.model.eval()
    adapters = restrict(model, TuneSettings(parameters="lora", rank=4), seed=0)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.1)
    batch = batch_of(examples("text"), prepared.reader, range(8))
    with torch.no_grad():
        beside = model.classify(model.represent(batch.inputs))
        adapters.merge()
        torch.testing.assert_close(model.classify(model.represent(batch.inputs)), beside, rtol=1e-4, atol=1e-5)


def test_the_head_alone_learns_where_asked(folders: dict[str, Path]) -> None:
    before = base("text", folders).model.state_dict()
    after = train(folders, parameters="head").model.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved == {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("modality", "parameters", "found"),
    [
        ("causal-lm", "head", "no fresh head"),
        ("image", "lora", "no linear layer"),
        ("text", "lor", "lor"),
        ("text", "qlora", "CUDA"),
    ],
)
def test_what_cannot_be_trained_so_says_why(folders: dict[str, Path], modality: str, parameters: str, found: str) -> None:
    if parameters == "qlora" and torch.cuda.is_available():
        pytest.skip("there is a CUDA GPU")
    images = {name: folder for name, folder in folders.items() if name != "image"}
    with pytest.raises(InputError, match=found):
        train(images, modality=modality, parameters=parameters)


@pytest.mark.parametrize("settings", [{"schedule": "linaer"}, {"layer_decay": 0.5}, {"unfreeze": -1}, {"rank": 0}])
def test_settings_outside_their_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        TuneSettings(**settings)


def test_thawing_is_a_function_of_the_step() -> None:
    groups = [[torch.nn.Parameter(torch.zeros(1))] for _ in range(4)]
    assert [thaw(groups, step, 5) for step in (0, 4, 5, 14, 15, 99)] == [1, 1, 2, 3, 4, 4]
    thaw(groups, 5, 5)
    assert [group[0].requires_grad for group in groups] == [False, False, True, True]
    assert rate_factors(groups, 2.0)[id(groups[0][0])] == 1 / 8


def test_a_weight_that_moves_is_logged_by_name(folders: dict[str, Path]) -> None:
    adapted = train(folders, terms=({"method": "ddc", "schedule": "linear", "weight": 4.0}, "coral"), steps=20)
    seen = [entry["weight/ddc"] for entry in adapted.history]
    np.testing.assert_allclose(seen, [4 * step / 20 for step in range(20)], atol=1e-6)
    assert "weight/coral" not in adapted.history[0]
    assert "term/coral" in adapted.history[0]
    with pytest.raises(InputError, match="schedule"):
        build_terms([{"method": "ddc", "schedule": "ganni"}])


def test_four_bit_layers_are_written_out_in_full_and_the_adapters_added(folders: dict[str, Path]) -> None:
    """On a CPU, where bitsandbytes can round and read four bits, though training with them is for CUDA."""
    pytest.importorskip("bitsandbytes")
    from acclimate.tune.peft import Adapters, _insert, quantise

    prepared = base("text", folders, dropout=0.0)
    model = prepared.model.eval()
    plain = {name: value.clone() for name, value in model.state_dict().items()}
    quantise(model.encoder, torch.device("cpu"))
    adapters = Adapters(model, _insert(model.encoder, TuneSettings(parameters="qlora", rank=4), seed=0))
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    assert all("lora_" in name or name.startswith("head.") for name in trained)
    for name, value in trained.items():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.1)
    batch = batch_of(examples("text"), prepared.reader, range(8))
    with torch.no_grad():
        beside = model.represent(batch.inputs)
        adapters.merge()
        torch.testing.assert_close(model.represent(batch.inputs), beside, rtol=1e-3, atol=1e-4)
    assert {name: value.shape for name, value in model.state_dict().items()} == {n: v.shape for n, v in plain.items()}
