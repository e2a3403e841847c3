"""Where and how a training computes changes neither what is learned nor what a batch means; memory that runs out is survived."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from acclimate.errors import InputError, MissingExtraError, RunError
from acclimate.models.device import pick_device
from acclimate.recipe import parse_recipe
from acclimate.tune import hardware as machine
from acclimate.tune.adapted import Adapted
from acclimate.tune.examples import Examples, gather
from acclimate.tune.hardware import Hardware, is_out_of_memory, more_parts, pays_to_compile, pick_precision, set_up
from acclimate.tune.run import tune
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import build_terms
from acclimate.tune.trainer import fine_tune
from tests.causal import make_causal
from tests.shift import sentences
from tests.unit.tune.test_adapted import make_target

CLASSES = ("bad", "good")
SHORT = TuneSettings(steps=6, batch_size=8, lr=1e-3, dropout=0.0)
#: Rows of the training that does not fit, and what it may have beside what is there before its first step.
CROWD, ROOM = 128, 300 * 2**20


def weights(adapted: Adapted) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in adapted.model.state_dict().values()])


def weighed(count: int = 40) -> Examples:
    given = gather(CLASSES, source=sentences("shop", count, seed=4), target=sentences("clinic", count, seed=1), target_weight=5)
    return dataclasses.replace(given, unlabelled=sentences("clinic", 9, seed=2).texts)


@pytest.fixture(scope="module")
def steady(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder without dropout, so that parts of a batch can be compared with the whole."""
    folder = tmp_path_factory.mktemp("steady")
    for file in encoder_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    settings = json.loads((folder / "config.json").read_text())
    settings |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_a_batch_in_parts_teaches_what_the_whole_one_does(steady: Path, parts: int) -> None:
    whole = fine_tune(str(steady), weighed(), CLASSES, SHORT)
    divided = fine_tune(str(steady), weighed(), CLASSES, SHORT, hardware=Hardware(accumulate=parts))
    torch.testing.assert_close(weights(divided), weights(whole), atol=2e-5, rtol=1e-4)
    assert divided.about["hardware"]["parts"] == parts
    for one, other in zip(divided.history, whole.history, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-4)
        assert one["term/task"] == pytest.approx(other["term/task"], abs=1e-4)


@pytest.mark.parametrize("packing", [False, True])
def test_tokens_of_a_conversation_weigh_alike_in_whatever_part_they_are(packing: bool, tmp_path: Path) -> None:
    causal = make_causal(tmp_path / "llama")
    texts = ["good " * 20, "bad", "the nurse was good", "film", "the " * 9, "a", "visit", "shop shop"] * 2
    given = Examples(texts, np.full(16, -1), np.linspace(0.5, 1.5, 16), np.ones(16, dtype=bool))
    settings = dataclasses.replace(SHORT, group_by_length=False, packing=packing)
    whole, divided = (
        fine_tune(str(causal), given, (), settings, task="causal-lm", hardware=Hardware(accumulate=parts)) for parts in (1, 4)
    )
    torch.testing.assert_close(weights(divided), weights(whole), atol=2e-5, rtol=1e-4)


def test_parts_that_do_not_divide_the_batch_are_refused(encoder_folder: Path) -> None:
    with pytest.raises(InputError, match="accumulate to divide it"):
        fine_tune(str(encoder_folder), weighed(), CLASSES, SHORT, hardware=Hardware(accumulate=3))


def test_objectives_see_every_part_with_draws_of_its_own(encoder_folder: Path) -> None:
    terms = build_terms(["mixup", {"method": "coral", "weight": 0.1}])
    adapted = fine_tune(str(encoder_folder), weighed(), CLASSES, SHORT, terms, hardware=Hardware(accumulate=2))
    assert all({"term/mixup", "term/coral"} <= set(entry) for entry in adapted.history)


def crowd(encoder: str, hardware: Hardware, limit: int = 0) -> Adapted:
    """Two steps of many long texts. With a ``limit`` the system refuses more memory than is held now and that many bytes."""
    texts = [f"{word} " * 60 for word in ("good", "bad") * CROWD]
    given = Examples(texts, np.arange(2 * CROWD) % 2, np.ones(2 * CROWD), np.ones(2 * CROWD, dtype=bool))
    settings = TuneSettings(steps=2, batch_size=CROWD, dropout=0.0, max_length=64)
    if limit:
        import resource

        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + limit, -1))
    return fine_tune(encoder, given, CLASSES, settings, hardware=hardware)


@pytest.fixture(scope="module")
def wide(steady: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder whose activations are much larger than its weights."""
    from transformers import AutoConfig, BertModel

    folder = tmp_path_factory.mktemp("wide")
    for file in steady.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(AutoConfig.from_pretrained(steady, intermediate_size=3072)).save_pretrained(folder)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are the system's")
def test_memory_that_runs_out_divides_the_batch_and_the_result_stays(wide: Path, tmp_path: Path) -> None:
    """The allocator is refused memory by the operating system, in a process of its own."""
    program = [sys.executable, "-m", "tests.unit.tune.test_hardware", str(wide), str(tmp_path / "out")]
    place = {"cwd": Path(__file__).parents[3], "env": os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}}
    done = subprocess.run(program, **place, capture_output=True, text=True, timeout=120)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr[-2000:]
    parts = int(done.stdout)
    assert parts > 1
    survived = Adapted.load(tmp_path / "out", device="cpu")
    undisturbed = crowd(str(wide), Hardware(accumulate=parts))
    assert torch.equal(weights(survived), weights(undisturbed))
    torch.testing.assert_close(weights(survived), weights(crowd(str(wide), Hardware())), atol=2e-5, rtol=1e-4)


class Greedy:
    """An objective that asks the allocator for more than any machine has, unless a batch is small; and remembers the steps."""

    replaces_task = False
    needs_unlabelled = False
    needs_input_gradient = False
    modality = ("text",)

    def __init__(self, rows: int, from_step: int) -> None:
        self.rows, self.from_step, self.seen = rows, from_step, list[tuple[int, int]]()

    def __call__(self, model: Any, batch: Any, outputs: Any) -> torch.Tensor:
        del model
        self.seen.append((batch.step, len(batch.labels)))
        if batch.step >= self.from_step and len(batch.labels) > self.rows:
            torch.empty(2**58)
        zero: torch.Tensor = outputs.logits.sum() * 0
        return zero


def test_a_late_shortage_goes_on_from_the_last_checkpoint(steady: Path, tmp_path: Path) -> None:
    from acclimate.tune.terms import Term

    greedy = Greedy(rows=2, from_step=4)
    settings = dataclasses.replace(SHORT, checkpoint_every=3)
    adapted = fine_tune(str(steady), weighed(), CLASSES, settings, [Term("greedy", greedy)], folder=tmp_path)
    whole, halves, quarters = ([step for step, rows in greedy.seen if rows == size] for size in (8, 4, 2))
    assert whole == [0, 1, 2, 3, 4]
    assert halves == [3, 3, 4]
    assert quarters == [step for step in (3, 4, 5) for _ in range(4)]
    assert adapted.about["hardware"]["parts"] == 4
    patient = fine_tune(str(steady), weighed(), CLASSES, settings, [Term("greedy", Greedy(8, 99))])
    torch.testing.assert_close(weights(adapted), weights(patient), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("accumulate", ["auto", 2])
def test_where_nothing_smaller_is_left_the_error_says_what_to_do(steady: Path, accumulate: Any) -> None:
    from acclimate.tune.terms import Term

    given = Hardware(accumulate=accumulate)
    with pytest.raises(RunError, match="gradient_checkpointing"):
        fine_tune(str(steady), weighed(), CLASSES, SHORT, [Term("greedy", Greedy(0, 0))], hardware=given)


def test_only_shortage_of_memory_counts_as_such() -> None:
    with pytest.raises(RuntimeError) as short:
        torch.empty(2**58)
    assert is_out_of_memory(short.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    with pytest.raises(RuntimeError) as other:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not is_out_of_memory(other.value)


def test_more_parts_always_divide_the_batch() -> None:
    for rows in range(1, 40):
        parts: int | None = 1
        while (larger := more_parts(rows, parts)) is not None:
            assert larger >= 2 * parts
            assert rows % larger == 0
            parts = larger
        assert parts == rows or parts > rows // 2


def test_recomputed_layers_give_the_same_weights(encoder_folder: Path) -> None:
    calls = {False: 0, True: 0}
    results = {}
    for recomputes in calls:

        def count(module: torch.nn.Module, *_: Any, recomputes: bool = recomputes) -> None:
            calls[recomputes] += type(module).__name__ == "BertIntermediate"

        handle = torch.nn.modules.module.register_module_forward_hook(count)
        results[recomputes] = fine_tune(
            str(encoder_folder), weighed(), CLASSES, SHORT, hardware=Hardware(gradient_checkpointing=recomputes)
        )
        handle.remove()
    assert calls[True] == 2 * calls[False] > 0
    assert torch.equal(weights(results[True]), weights(results[False]))


def test_a_model_that_cannot_recompute_is_refused() -> None:
    from acclimate.data.domain import from_images
    from acclimate.data.make import make_target
    from tests.online import pictures

    target = make_target(from_images("bars", *pictures(20, 1)), test=4)
    with pytest.raises(InputError, match="gradient_checkpointing of a SmallCnn"):
        tune("small-cnn", target, settings={"steps": 1}, hardware={"gradient_checkpointing": True})


def test_bfloat16_learns_about_the_same(encoder_folder: Path) -> None:
    settings = TuneSettings(steps=80, batch_size=8, lr=2e-3)
    given = gather(CLASSES, target=sentences("clinic", 80, seed=1))
    test = sentences("clinic", 60, seed=2)
    full = fine_tune(str(encoder_folder), given, CLASSES, settings)
    half = fine_tune(str(encoder_folder), given, CLASSES, settings, hardware=Hardware(precision="bfloat16"))
    assert half.about["hardware"]["precision"] == "bfloat16"
    assert not torch.equal(weights(half), weights(full))
    assert all(value.dtype == torch.float32 for value in half.model.state_dict().values() if value.is_floating_point())
    right = np.asarray(CLASSES)[half.predict_proba(test.texts).argmax(1)] == np.asarray(test.labels)
    assert right.mean() > 0.9
    assert (half.predict_proba(test.texts[:1]) == half.predict_proba(test.texts)[:1]).all()


def test_the_precision_follows_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    for major, expected in ((9, "bfloat16"), (8, "bfloat16"), (7, "float16"), (6, "float32")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, major=major: (major, 0))
        assert pick_precision("auto", cuda) == expected
    with pytest.raises(InputError, match="older than Ampere"):
        pick_precision("bfloat16", cuda)
    assert pick_precision("auto", cpu) == pick_precision("auto", torch.device("mps")) == "float32"
    assert pick_precision("bfloat16", cpu) == "bfloat16"
    with pytest.raises(InputError, match="float16 on the CPU"):
        pick_precision("float16", cpu)


def test_compiling_is_for_long_trainings_on_cuda_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda _: object())
    assert pays_to_compile("cuda", machine.COMPILE_FROM, False)
    assert not pays_to_compile("cuda", machine.COMPILE_FROM - 1, False)
    assert not pays_to_compile("cuda", machine.COMPILE_FROM, True)
    assert not pays_to_compile("cpu", 10**6, False)
    with pytest.raises(InputError, match="beside further objectives"):
        set_up(Hardware(compile=True), steps=1, has_objectives=True)


def test_a_compiled_body_learns_the_same_and_is_handed_out_plain(steady: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []

    def spy(self: torch.nn.Module) -> None:
        compiled.append(self)
        self._compiled_call_impl = torch.compile(self._call_impl, backend="eager", dynamic=True)

    monkeypatch.setattr(torch.nn.Module, "compile", spy)  # without a C++ compiler, which a user's machine has and CI may not
    one = fine_tune(str(steady), weighed(), CLASSES, SHORT, hardware=Hardware(compile=True))
    assert [type(body).__name__ for body in compiled] == ["BertModel"]
    assert one.model.encoder._compiled_call_impl is None
    torch.testing.assert_close(weights(one), weights(fine_tune(str(steady), weighed(), CLASSES, SHORT)), atol=2e-5, rtol=1e-4)


def test_progress_is_told_to_tensorboard_by_name(encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "board"))
    adapted = fine_tune(str(encoder_folder), weighed(), CLASSES, SHORT, hardware=Hardware.of({"report_to": "tensorboard"}))
    events = accumulator.EventAccumulator(str(tmp_path / "board")).Reload()
    told = [event.value for event in events.Scalars("train/term/task")]
    assert told == pytest.approx([entry["term/task"] for entry in adapted.history])


def test_reporters_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"acclimate\[track\]"):
        set_up(Hardware(report_to=("mlflow",)), steps=1, has_objectives=False)
    with pytest.raises(InputError, match="pip install wandb"):
        set_up(Hardware(report_to=("wandb",)), steps=1, has_objectives=False)
    with pytest.raises(InputError, match="Unknown reporter 'tensorbord'"):
        set_up(Hardware(report_to=("tensorbord",)), steps=1, has_objectives=False)


def test_sharding_is_handed_on_to_transformers() -> None:
    given = Hardware(fsdp="full_shard auto_wrap", fsdp_config={"min_num_params": 1000}, report_to=("none",))
    told = set_up(given, steps=1, has_objectives=False).arguments(given)
    assert told["fsdp"] == "full_shard auto_wrap"
    assert told["fsdp_config"] == {"min_num_params": 1000}
    assert told["report_to"] == "none"
    zero = Hardware.of({"deepspeed": {"zero_optimization": {"stage": 2}}})
    assert set_up(zero, steps=1, has_objectives=False).arguments(zero)["deepspeed"] == {"zero_optimization": {"stage": 2}}
    with pytest.raises(InputError, match="Both fsdp and deepspeed"):
        Hardware(fsdp="full_shard", deepspeed="zero.json")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("precision: bf16", "Unknown precision 'bf16'"),
        ("accumulate: 0", "accumulate is 0"),
        ("compile: sometimes", "compile is 'sometimes'"),
        ("gradient_checkpointing: 3", "gradient_checkpointing"),
        ("precison: float32", "did you mean 'precision'"),
    ],
)
def test_mistakes_in_a_recipe_are_told_with_their_line(setting: str, message: str) -> None:
    text = f"source: {{path: a}}\ntarget: {{path: b}}\narms: [{{source: all}}]\nhardware:\n  {setting}\n"
    with pytest.raises(InputError, match=message) as told:
        parse_recipe(text)
    assert "line 5" in str(told.value)


def test_a_recipes_hardware_reaches_the_settings() -> None:
    text = (
        "source: {path: a}\ntarget: {path: b}\narms: [{source: all}]\nhardware: {precision: bfloat16, report_to: [tensorboard]}\n"
    )
    found = parse_recipe(text).hardware
    assert found == Hardware(precision="bfloat16", report_to=("tensorboard",))
    assert found.numbers == {"precision": "bfloat16"}
    assert Hardware().numbers == {}


def test_devices_are_found_or_refused(encoder_folder: Path) -> None:
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert pick_device("auto").type == set_up(Hardware(), steps=1, has_objectives=False).device == expected
    absent = next(name for name in ("mps", "cuda") if name != expected)
    with pytest.raises(InputError, match="not usable here"):
        tune(str(encoder_folder), make_target(), hardware={"device": absent})


if __name__ == "__main__":
    torch.set_num_threads(1)
    crowd(sys.argv[1], Hardware(accumulate=16))  # what a training loads and opens is there before the limit is drawn
    survivor = crowd(sys.argv[1], Hardware(), ROOM)
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
    survivor.save(sys.argv[2])
    sys.stdout.write(str(survivor.about["hardware"]["parts"]))
