"""Killed and started again, a training ends with the bytes of an undisturbed one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from acclimate.models.objective import Batch, Model, Outputs
from acclimate.tune.adapted import Adapted
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import Term
from acclimate.tune.trainer import fine_tune
from tests.unit.tune import training


def assert_same(first: Adapted, second: Adapted) -> None:
    weights = second.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in first.model.state_dict().items())
    assert (first.predict_proba(training.TEXTS) == second.predict_proba(training.TEXTS)).all()


def wait_for(condition: Callable[[], object], process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < end, "no checkpoint appeared"
        time.sleep(0.01)


def test_killed_half_way_it_ends_with_the_same_bytes(encoder_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.unit.tune.training", str(encoder_folder), str(tmp_path)]
    process = subprocess.Popen(
        command, cwd=Path(__file__).parents[3], env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "7"}
    )
    wait_for(lambda: list(tmp_path.glob(".training/checkpoint-?0")), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(tmp_path.glob(".training/checkpoint-*")), "nothing to resume from"
    resumed = training.long_training(str(encoder_folder), tmp_path)
    assert_same(training.long_training(str(encoder_folder), None), resumed)
    assert list(tmp_path.iterdir()) == []


class StopsAt:
    """Does nothing until its step, then does what Ctrl-C does; remembers the steps it saw."""

    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False
    modality: ClassVar[tuple[str, ...]] = ("text",)

    def __init__(self, step: int) -> None:
        self.step, self.seen = step, list[int]()

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        del model
        self.seen.append(batch.step)
        if batch.step == self.step:
            raise KeyboardInterrupt
        return outputs.logits.sum() * 0


def run(encoder: Path, folder: Path | None, objective: StopsAt, lr: float = 1e-3) -> Adapted:
    settings = TuneSettings(steps=12, batch_size=4, lr=lr, checkpoint_every=3)
    terms = [Term("stops", objective)]
    return fine_tune(str(encoder), training.examples(), training.CLASSES, settings, terms, seed=2, folder=folder)


@pytest.fixture(scope="module")
def undisturbed(encoder_folder: Path) -> Adapted:
    return run(encoder_folder, None, StopsAt(-1))


@pytest.mark.parametrize(("stop", "first"), [(1, 0), (3, 3), (11, 9)])
def test_interrupted_at_any_step_it_continues_from_the_last_checkpoint(
    encoder_folder: Path, tmp_path: Path, undisturbed: Adapted, stop: int, first: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(encoder_folder, tmp_path, StopsAt(stop))
    again = StopsAt(-1)
    resumed = run(encoder_folder, tmp_path, again)
    assert again.seen == list(range(first, 12))
    assert_same(undisturbed, resumed)


def test_a_half_written_checkpoint_is_not_resumed_from(encoder_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(encoder_folder, tmp_path, StopsAt(7))
    half = tmp_path / ".training" / "staging" / "checkpoint-9"
    half.mkdir(parents=True)
    (half / "model.safetensors").write_bytes(b"half of it")
    again = StopsAt(-1)
    run(encoder_folder, tmp_path, again)
    assert again.seen[0] == 6


def test_checkpoints_of_another_training_are_not_continued(encoder_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(encoder_folder, tmp_path, StopsAt(7))
    other = StopsAt(-1)
    run(encoder_folder, tmp_path, other, lr=2e-3)
    assert other.seen[0] == 0


def test_checkpoints_hold_no_pickled_arguments_and_weights_as_safetensors(encoder_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(encoder_folder, tmp_path, StopsAt(4))
    names = {path.name for path in (tmp_path / ".training" / "checkpoint-3").iterdir()}
    assert "model.safetensors" in names
    assert "training_args.bin" not in names
    assert list(tmp_path.glob(".training/checkpoint-*")) == [tmp_path / ".training" / "checkpoint-3"]
