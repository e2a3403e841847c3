"""What a step of each online objective costs against a plain one. `make bench-step-cost`, about ten minutes.

MiniLM, batches of 16 texts of icwsm4, one thread. Every objective trains through the package's own loop; steps of all of them are
interleaved on the same batches, so that a busy machine slows all alike. A figure is the median over the rounds of the step's CPU
seconds divided by the plain step's of the same round.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: a step's cost is that of one thread

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from acclimate.data.load import load, target
from acclimate.tune import OBJECTIVES
from acclimate.tune.bases import load_base
from acclimate.tune.examples import Examples, of_target
from acclimate.tune.feed import Collator, Draws
from acclimate.tune.hardware import Hardware, set_up
from acclimate.tune.settings import TuneSettings
from acclimate.tune.term_trainer import TermTrainer, arguments_for
from acclimate.tune.terms import build_terms
from benchmarks.common import keep

#: Objectives and the ratio that each is to stay below; None where none was set.
LIMITS: dict[str, float | None] = {
    "mixup": 1.05,
    "r-drop": 1.85,
    "fgm": 1.9,
    "smart": 2.3,
    "freelb": 2.6,
    "pgd": 3.2,
    "cutmix": None,
    "manifold": None,
    "saliency": None,
    "cross-domain": None,
    "vat": None,
    "label-smoothing": None,
}
#: Measured without an unlabelled batch, which would be a second stream and not a second way to use the first.
SETTINGS: dict[str, dict[str, Any]] = {"vat": {"on": "labelled"}}
BATCH = 16


class Steps:
    """One training, of which steps are taken one by one."""

    def __init__(self, name: str, examples: Examples, classes: tuple[str, ...], count: int, folder: Path) -> None:
        settings = TuneSettings(steps=count, batch_size=BATCH)
        base = load_base("asset:minilm", "text-classification", classes, 0, settings)
        objectives = build_terms([] if name == "plain" else [{"method": name, **SETTINGS.get(name, {})}])
        self._trainer = TermTrainer(
            objectives,
            0,
            model=base.model,
            args=arguments_for(settings, folder, 0, Hardware(), set_up(Hardware(), steps=1, has_objectives=True), keep=False),
            train_dataset=Draws(examples, settings, 0, with_unlabelled=False),
            data_collator=Collator(examples, base.reader),
        )
        self._trainer.create_optimizer_and_scheduler(count)
        self._model = self._trainer.accelerator.prepare(self._trainer.model)
        self._trainer.optimizer = self._trainer.accelerator.prepare(self._trainer.optimizer)
        self._trainer.current_gradient_accumulation_steps = 1
        self._batches = iter(self._trainer.get_train_dataloader())

    def take(self) -> float:
        """CPU seconds of one whole step: its batch, the loss, the way back, clipping and the optimiser."""
        trainer = self._trainer
        started = time.process_time()
        (batch,), _ = trainer.get_batch_samples(self._batches, 1, trainer.args.device)
        trainer.training_step(self._model, batch)
        trainer.accelerator.clip_grad_norm_(self._model.parameters(), trainer.args.max_grad_norm)
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
        self._model.zero_grad()
        trainer.state.global_step += 1
        return time.process_time() - started


def main() -> None:
    torch.set_num_threads(1)
    quick = "--quick" in sys.argv
    rounds = 6 if quick else 40
    chosen = [name for name in sys.argv[1:] if name in OBJECTIVES] or list(LIMITS)
    news = target("asset:icwsm4/nyt", test=0.3)
    examples = of_target(news, source=load("asset:icwsm4"))
    with tempfile.TemporaryDirectory() as folder:
        trainings = {name: Steps(name, examples, news.classes, rounds + 1, Path(folder)) for name in ("plain", *chosen)}
        costs: dict[str, list[float]] = {name: [] for name in trainings}
        for number in range(rounds + 1):
            for name, training in trainings.items():
                seconds = training.take()
                if number:  # the first one allocates
                    costs[name].append(seconds)
    rows = []
    for name in chosen:
        ratios = sorted(cost / plain for cost, plain in zip(costs[name], costs["plain"], strict=True))
        quartiles = statistics.quantiles(ratios, n=4)
        row: dict[str, Any] = {"objective": name, "limit": LIMITS[name], "seconds": statistics.median(costs[name])}
        row |= {"ratio": statistics.median(ratios), "low": quartiles[0], "high": quartiles[2]}
        row["medians"] = statistics.median(costs[name]) / statistics.median(costs["plain"])
        rows.append(row)
        limit = "" if LIMITS[name] is None else f"  (at most {LIMITS[name]})"
        sys.stdout.write(f"{name:16} {row['ratio']:.2f} [{row['low']:.2f}, {row['high']:.2f}] {row['medians']:.2f}{limit}\n")
    plain = statistics.median(costs["plain"])
    sys.stdout.write(f"plain step       {plain:.3f} CPU seconds, {rounds} rounds\n")
    if not quick:
        keep("step-cost", rows=rows, plain=plain, rounds=rounds, batch=BATCH)


if __name__ == "__main__":
    main()
