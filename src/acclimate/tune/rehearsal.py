"""What a training will take, from a few of its own steps on this machine."""

from __future__ import annotations

import dataclasses
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from transformers import TrainerCallback

from acclimate.data.domain import Domain
from acclimate.data.target import Target
from acclimate.models.loading import quiet
from acclimate.tune.adapted import Adapted
from acclimate.tune.bases import LANGUAGE, load_base, task_of
from acclimate.tune.examples import Examples, of_target
from acclimate.tune.hardware import Hardware, Setup, set_up
from acclimate.tune.seeds import untouched_randomness
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import Spec, Term, build_terms, separates_tasks
from acclimate.tune.trainer import Loop, assemble, check, draw, readable, train

#: Steps that are timed, one of every so many of the training when its batches stand in the order of their length.
TIMED = 8
#: Steps before these, which warm up.
WARMING = 2


@dataclasses.dataclass(frozen=True)
class Rehearsal:
    """What a training takes.

    Attributes:
        parameters, trainable: weights of the whole model with what is fresh, and those that training moves.
        memory_mib: the most that the process holds, or on an accelerator what its memory holds.
        start_seconds: loading and setting up.
        step_seconds: of one optimiser step, the mean over the whole training.
        checkpoint_seconds: of writing one checkpoint.
        end_seconds: merging and saving.
        seconds: of all of it.
        steps, checkpoints: how many of each.
        device, precision, parts: see :class:`acclimate.tune.hardware.Setup`; parts that fit the memory.
    """

    parameters: int
    trainable: int
    memory_mib: float
    start_seconds: float
    step_seconds: float
    checkpoint_seconds: float
    end_seconds: float
    seconds: float
    steps: int
    checkpoints: int
    device: str
    precision: str
    parts: int


def rehearse_tune(
    model: str,
    target: Target,
    *,
    source: Domain | None = None,
    augmented: Domain | None = None,
    replay: Domain | None = None,
    objectives: Sequence[Spec] = (),
    settings: TuneSettings | Mapping[str, Any] | None = None,
    seed: int = 0,
    task: str | None = None,
    hardware: Hardware | Mapping[str, Any] | None = None,
) -> Rehearsal:
    """What the fine-tuning of :func:`acclimate.tune.run.tune` with the same arguments and a folder takes. Nothing is kept of it."""
    aim = task or task_of(model, target.labelled.modality)
    classifies = aim not in LANGUAGE
    terms = build_terms(objectives)
    several = separates_tasks(terms)
    examples = of_target(target, source=source, augmented=augmented, replay=replay, labelled=classifies, several_tasks=several)
    classes = target.classes if classifies else ()
    return rehearse(model, examples, classes, TuneSettings.of(settings), terms, seed, aim, Hardware.of(hardware))


def rehearse(
    model_name: str,
    examples: Examples,
    classes: Sequence[str],
    settings: TuneSettings,
    objectives: Sequence[Term] = (),
    seed: int = 0,
    task: str = "text-classification",
    hardware: Hardware | None = None,
    *,
    keeps: bool = True,
) -> Rehearsal:
    """Take the hungriest step of a training, then :data:`TIMED` others that stand for all, and write a checkpoint.

    Args:
        keeps: whether the training would write checkpoints and the model. The others are as of
            :func:`acclimate.tune.trainer.fine_tune`, and so is what is raised.
    """
    means = hardware or Hardware()
    check(examples, classes, settings, objectives, task)
    setup = set_up(means, steps=settings.steps, has_objectives=bool(objectives))
    setup = dataclasses.replace(setup, compiles=False)  # a compilation costs more than all that is timed here
    taken = TIMED + WARMING
    few = dataclasses.replace(settings, steps=taken, checkpoint_every=taken, unfreeze=0.0)
    clock = _Clock()
    with tempfile.TemporaryDirectory() as scratch, untouched_randomness(), quiet():

        def make(setup: Setup) -> Loop:
            clock.restart()
            base = load_base(model_name, task, classes, seed, settings)
            read, _ = readable(examples, base.reader, settings)
            draws = draw(read, settings, objectives, seed)
            some = draws.only(_typical(draws.lengths))
            loop = assemble(base, read, few, objectives, seed, Path(scratch), means, setup, keep=keeps, draws=some)
            loop.trainer.add_callback(clock)
            return loop

        loop, setup = train(make, lambda: None, means, setup, settings)
        counts = _count(loop)
        ending = time.perf_counter()
        model = loop.finish(lambda: load_base(model_name, task, classes, seed, settings)).eval()
        if keeps:
            Adapted(model, loop.reader, {"task": task}).save(Path(scratch) / "model")
        end = time.perf_counter() - ending
    checkpoints = settings.steps // settings.checkpoint_every if keeps else 0
    step = clock.mean_step
    return Rehearsal(
        parameters=counts[0],
        trainable=counts[1],
        memory_mib=peak_memory_mib(setup.device),
        start_seconds=clock.start,
        step_seconds=step,
        checkpoint_seconds=clock.save,
        end_seconds=end,
        seconds=clock.start + settings.steps * step + checkpoints * clock.save + end,
        steps=settings.steps,
        checkpoints=checkpoints,
        device=setup.device,
        precision=setup.precision,
        parts=setup.parts,
    )


def peak_memory_mib(device: str) -> float:
    """The most that this process, or on an accelerator its part of that memory, has held so far."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    if device == "mps":
        return float(torch.mps.driver_allocated_memory()) / 2**20
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 2**20 if sys.platform == "darwin" else held / 2**10


def _typical(lengths: Sequence[int]) -> list[int]:
    """Steps to take: the one whose batch has the longest example, twice, to warm up; then the middle one of every so many."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    spread = (np.arange(TIMED) + 0.5) / TIMED * len(order)
    return [int(order[-1])] * WARMING + [int(order[int(place)]) for place in spread]


def _count(loop: Loop) -> tuple[int, int]:
    """All weights, and those that are trained; of a model in four bits, what they stand for."""
    model = cast("torch.nn.Module", loop.trainer.model)
    sizes = [(_size(value), value.requires_grad) for value in model.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)


def _size(weights: torch.nn.Parameter) -> int:
    state = getattr(weights, "quant_state", None)
    return int(np.prod(state.shape)) if state is not None else weights.numel()


class _Clock(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Times the start, each step, and the writing of a checkpoint."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Before loading."""
        self.start = self.save = 0.0
        self.steps: list[float] = []
        self._since = time.perf_counter()

    @property
    def mean_step(self) -> float:
        """Seconds, without the steps that warm up."""
        return float(np.mean(self.steps[WARMING:]))

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, state, control, kwargs
        now = time.perf_counter()
        if not self.steps:
            self.start = now - self._since
            self._since = now

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, state, control, kwargs
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self._lap(self.steps)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, state, control, kwargs
        saves: list[float] = []
        self._lap(saves)
        self.save = saves[0]

    def _lap(self, laps: list[float]) -> None:
        now = time.perf_counter()
        laps.append(now - self._since)
        self._since = now
