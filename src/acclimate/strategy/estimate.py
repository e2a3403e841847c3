"""How long a comparison will take, and how much memory and disk, from a few seconds of its own real steps on this machine."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import cast

import numpy as np

from acclimate.data.domain import Domain
from acclimate.engine.threads import one_thread
from acclimate.features.base import Contents
from acclimate.features.embeddings import Embedder
from acclimate.strategy.negative_transfer import further_arms
from acclimate.strategy.plan import Plan
from acclimate.strategy.units import every_content
from acclimate.tune.examples import gather
from acclimate.tune.probe import Probe
from acclimate.tune.trainer import fine_tune

#: Texts embedded, and optimiser steps taken, to learn this machine's speed.
_SAMPLE = 128
_STEPS = 4
#: A checkpoint holds weights and two Adam moments.
_STATES = 3


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Seconds by stage, memory and disk in MiB."""

    units: dict[str, int]
    seconds: dict[str, float]
    memory_mib: float
    disk_mib: float

    @property
    def total_seconds(self) -> float:
        return sum(self.seconds.values())


def estimate(plan: Plan, embed: Embedder) -> Estimate:
    """Measure a sample of each stage and multiply. What a cache already holds makes the real run faster, never slower."""
    with one_thread():  # as the units run
        return _estimate(plan, embed)


def _estimate(plan: Plan, embed: Embedder) -> Estimate:
    parts = [plan.source, plan.target.labelled, plan.target.unlabelled, plan.target.test.inputs]
    texts = sum(len(part) for part in parts)
    arms = len(plan.all_arms) + (len(further_arms(plan)) if plan.negative_transfer else 0)
    fits = arms * plan.seeds * (1 + plan.refits)
    tuned = (len(plan.all_arms) if plan.confirm_all else 2) * plan.confirm_seeds
    seconds = {
        "embed": _seconds_per_text(parts, embed) * texts / plan.workers,
        "screen": _seconds_per_fit(plan, embed.dim) * fits / min(plan.workers, plan.seeds),
        "fine-tune": _seconds_per_training(plan) * tuned / min(plan.workers, tuned) if tuned else 0.0,
    }
    vectors = texts * embed.dim * 4 / 2**20
    weights = sum(part.numel() for part in embed.encoder.model.parameters()) * 4 / 2**20
    return Estimate(
        units={"probe": arms * plan.seeds, "fine-tune": tuned},
        seconds=seconds,
        memory_mib=3 * vectors + (_STATES + 2) * weights,
        disk_mib=vectors + (_STATES * weights if tuned else 0),
    )


def _sample(parts: Sequence[Domain], count: int) -> Contents:
    """Texts or pictures spread evenly over all parts."""
    contents = every_content(parts)
    return cast("Contents", [contents[row] for row in np.linspace(0, len(contents) - 1, min(count, len(contents))).astype(int)])


def _seconds_per_text(parts: Sequence[Domain], embed: Embedder) -> float:
    fresh = Embedder(embed.reference.name, cache=None)  # measure the model, not the cache
    sample = _sample(parts, _SAMPLE)
    fresh(sample[:8])
    started = time.perf_counter()
    fresh(sample)
    return (time.perf_counter() - started) / len(sample)


def _seconds_per_fit(plan: Plan, width: int) -> float:
    """One fit on as many rows as the largest arm has; random vectors converge no faster than real ones."""
    rows = len(plan.source) + len(plan.target.labelled)
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((rows, width)).astype(np.float32)
    codes = np.arange(rows) % len(plan.target.classes)
    started = time.perf_counter()
    Probe().fit(vectors, codes, len(plan.target.classes))
    return time.perf_counter() - started


def _seconds_per_training(plan: Plan) -> float:
    """A whole training, from two short ones: their difference is the price of a step without the start."""
    examples = gather(plan.target.classes, target=plan.target.labelled)
    times = []
    for steps in (1, 1 + _STEPS):
        started = time.perf_counter()
        settings = dataclasses.replace(plan.tune, steps=steps)
        fine_tune(plan.model, examples, plan.target.classes, settings=settings, task=plan.task, hardware=plan.hardware)
        times.append(time.perf_counter() - started)
    per_step = max(times[1] - times[0], 0.0) / _STEPS
    return times[0] + per_step * plan.tune.steps
