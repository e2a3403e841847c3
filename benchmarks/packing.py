"""What packing and bucketing by length are worth: `make bench-packing`, tokens a second against plain padding; about half an hour.

SmolLM2 in full, question–answer texts of MedQuAD, one thread. The plain way is ``transformers.Trainer`` as it stands: batches in
random order, each padded to its own longest text. Steps of all ways are interleaved, so that a busy machine slows all alike, and
counted in CPU seconds; a token is a real one, never padding. Long texts are cut in the plain way and read in pieces in ours, so
that every way has rows of at most the same length.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: a step's cost is that of one thread

import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Trainer

from acclimate.data.domain import Domain
from acclimate.models.causal import CausalModel
from acclimate.tune.bases import load_base
from acclimate.tune.examples import gather
from acclimate.tune.feed import Collator, Draws
from acclimate.tune.hardware import Hardware, set_up
from acclimate.tune.pieces import in_packs, in_pieces
from acclimate.tune.settings import TuneSettings
from acclimate.tune.term_trainer import TermTrainer, arguments_for
from benchmarks import medical
from benchmarks.common import keep

MODEL = "asset:smollm2"
#: Texts of the plain way's batch; packed rows of ours hold about two texts each.
ROWS, PACKED_ROWS = 8, 4
ASKED = 1.5
SETUP = set_up(Hardware(), steps=1, has_objectives=False)


class Steps:
    """A training of which steps are taken one by one."""

    def __init__(self, trainer: Trainer, count: int) -> None:
        self._trainer = trainer
        trainer.create_optimizer_and_scheduler(count)
        self._model = trainer.accelerator.prepare(trainer.model)
        trainer.optimizer = trainer.accelerator.prepare(trainer.optimizer)
        trainer.current_gradient_accumulation_steps = 1
        self._batches = iter(trainer.get_train_dataloader())

    def take(self) -> tuple[float, int, int]:
        """CPU seconds of a whole step, its real tokens, and its places, padding among them."""
        started = time.process_time()
        (batch,), _ = self._trainer.get_batch_samples(self._batches, 1, self._trainer.args.device)
        real, places = int(batch["attention_mask"].sum()), batch["attention_mask"].numel()
        self._trainer.training_step(self._model, batch)
        self._trainer.accelerator.clip_grad_norm_(self._model.parameters(), self._trainer.args.max_grad_norm)
        self._trainer.optimizer.step()
        self._trainer.lr_scheduler.step()
        self._model.zero_grad()
        self._trainer.state.global_step += 1
        return time.process_time() - started, real, places


def plain(texts: Domain, length: int, count: int, folder: Path) -> Steps:
    """``transformers.Trainer`` with the library's own collator for language models."""
    from transformers import DataCollatorForLanguageModeling

    model = CausalModel(MODEL, device="cpu")
    network = model.model.requires_grad_(True)
    read = [{"input_ids": model.tokenizer(text, truncation=True, max_length=length)["input_ids"]} for text in texts.texts]
    arguments = arguments_for(
        TuneSettings(batch_size=ROWS, steps=count, max_length=length), folder, 0, Hardware(), SETUP, keep=False
    )
    pad = model.tokenizer.pad_token or model.tokenizer.eos_token
    model.tokenizer.pad_token = pad
    collator = DataCollatorForLanguageModeling(model.tokenizer, mlm=False)
    return Steps(Trainer(model=network, args=arguments, train_dataset=read, data_collator=collator), count)


def ours(texts: Domain, length: int, count: int, folder: Path, *, packing: bool) -> Steps:
    """The package's own loop, by length or packed."""
    rows = PACKED_ROWS if packing else ROWS
    settings = TuneSettings(batch_size=rows, steps=count, max_length=length, packing=packing)
    base = load_base(MODEL, "causal-lm", (), 0, settings)
    examples, _ = in_pieces(gather(None, target=texts), base.reader.pieces)
    examples = in_packs(examples, length) if packing else examples
    arguments = arguments_for(settings, folder, 0, Hardware(), SETUP, keep=False)
    draws = Draws(examples, settings, 0, with_unlabelled=False)
    reads = Collator(examples, base.reader)
    return Steps(TermTrainer((), 0, model=base.model, args=arguments, train_dataset=draws, data_collator=reads), count)


def summary(steps: Mapping[str, list[tuple[float, int, int]]]) -> list[dict[str, Any]]:
    """One row a way: tokens a CPU second over all its steps, and the ratio to the plain way, with its quartiles over rounds."""
    rows = []
    speeds = {name: [real / seconds for seconds, real, _ in taken] for name, taken in steps.items()}
    whole = {name: sum(real for _, real, _ in taken) / sum(cost for cost, _, _ in taken) for name, taken in steps.items()}
    for name, taken in steps.items():
        ratios = [mine / other for mine, other in zip(speeds[name], speeds["plain"], strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        full = sum(real for _, real, _ in taken) / sum(places for _, _, places in taken)
        rows.append(
            {"way": name, "speed": whole[name], "ratio": whole[name] / whole["plain"], "low": low, "high": high, "full": full}
        )
    return rows


def main() -> None:
    if not medical.present():
        return
    torch.set_num_threads(1)
    quick = "--quick" in sys.argv
    length, rounds = (128, 2) if quick else (512, 12)
    whole = medical.texts("medquad")
    texts = whole.take(np.random.default_rng(0).permutation(len(whole))[: 150 if quick else 4000])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        ways = {"plain": plain(texts, length, rounds + 1, place)}
        ways |= {name: ours(texts, length, rounds + 1, place, packing=name == "packed") for name in ("by length", "packed")}
        taken: dict[str, list[tuple[float, int, int]]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, steps in ways.items():
                figures = steps.take()
                if number:  # the first one allocates
                    taken[name].append(figures)
    rows = summary(taken)
    for row in rows:
        sys.stdout.write(
            f"{row['way']:10} {row['speed']:6.1f} tokens/s  {row['ratio']:.2f}×  {row['full']:.0%} of places are tokens\n"
        )
    keep("packing-quick" if quick else "packing", rows=rows, rounds=rounds, length=length, asked=ASKED, sizes=[ROWS, PACKED_ROWS])


if __name__ == "__main__":
    main()
