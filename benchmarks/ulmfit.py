"""Does ULMFiT's ordering hold on an encoder? `make bench-ulmfit`, about an hour on one core; a stopped run goes on.

Howard & Ruder 2018, table 7, add to full fine-tuning first a smaller rate for lower layers (discriminative, 2.6 a layer), then the
slanted triangle, then unfreezing layer by layer from the top, an epoch each; every addition lowers their validation error. Here
MiniLM, on news editorials and on tweets (icwsm4), with 100 and 500 target labels and nothing else, the same number of epochs for
every arm, five paired seeds that move labels, head, order and dropout; tested on 1,000 sealed texts. Every addition is compared
with what it is added to; Holm over the three steps of a task and size.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.data.hygiene import clean
from acclimate.data.make import make_target
from acclimate.data.packaged import icwsm4
from acclimate.engine.storage import content_hash, read_json, write_json
from acclimate.engine.threads import one_thread
from acclimate.evaluate.measure import evaluate
from acclimate.evaluate.verdict import verdicts
from acclimate.tune.examples import of_target
from acclimate.tune.settings import TuneSettings
from acclimate.tune.trainer import fine_tune
from benchmarks.common import keep

PARTS = Path("runs") / "bench-ulmfit"
TASKS, SIZES, SEEDS, TEST = ("nyt", "tweets"), (100, 500), 5, 1_000
EPOCHS, BATCH = 10, 16
#: Each arm adds to the one before it.
ADDED: dict[str, dict[str, Any]] = {
    "full": {"schedule": "constant", "warmup": 0.0},
    "+ discriminative": {"layer_decay": 2.6},
    "+ slanted triangular": {"schedule": "slanted-triangular", "warmup": 0.1},
    "+ gradual unfreezing": {"unfreeze": 1.0},
}


def settings_of(arm: str, size: int, epochs: float) -> TuneSettings:
    """The settings of an arm: what it adds, and what all before it added."""
    names = list(ADDED)
    chosen: dict[str, Any] = {"batch_size": BATCH, "steps": max(1, round(epochs * size / BATCH)), "max_length": 128}
    for name in names[: names.index(arm) + 1]:
        chosen |= ADDED[name]
    return TuneSettings.of(chosen)


def carry_out(task: str, size: int, arm: str, seed: int, epochs: float) -> dict[str, Any]:
    """One training: which test texts it gets right."""
    view = clean(None, make_target(icwsm4()[task], test=TEST))[1].draw(size, seed)
    begun = time.process_time()
    with one_thread():
        model = fine_tune("asset:minilm", of_target(view), view.classes, settings_of(arm, size, epochs), seed=seed)
        spent = time.process_time() - begun
        scores = evaluate(model, view)
    return {"ids": list(scores.ids), "correct": np.asarray(scores.correct).astype(int).tolist(), "cpu_seconds": spent}


def main() -> None:
    quick = "--quick" in sys.argv
    tasks, sizes, seeds, epochs = (TASKS[:1], SIZES[:1], 2, 1.0) if quick else (TASKS, SIZES, SEEDS, float(EPOCHS))
    rows = []
    for task in tasks:
        for size in sizes:
            done = {arm: [_cell(task, size, arm, seed, epochs) for seed in range(seeds)] for arm in ADDED}
            rows += _rows(task, size, done)
    keep("ulmfit-quick" if quick else "ulmfit", seeds=seeds, epochs=epochs, test=TEST, rows=rows)


def _cell(task: str, size: int, arm: str, seed: int, epochs: float) -> dict[str, Any]:
    place = PARTS / f"{content_hash(task, size, arm, seed, epochs, ADDED)}.json"
    if not place.exists():
        write_json(place, carry_out(task, size, arm, seed, epochs))
    found: dict[str, Any] = read_json(place)
    sys.stdout.write(f"{task}, {size} labels, {arm}, seed {seed}: {np.mean(found['correct']):.3f}\n")
    sys.stdout.flush()
    return found


def _rows(task: str, size: int, done: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row for each arm, with its difference from the one before."""
    names = list(ADDED)
    ids = done["full"][0]["ids"]
    flat = {name: np.concatenate([np.array(cell["correct"]) for cell in cells]) for name, cells in done.items()}
    items, seeds = np.tile(ids, len(done["full"])), np.repeat(np.arange(len(done["full"])), len(ids))
    pairs = {later: (items, seeds, flat[later] - flat[before]) for before, later in itertools.pairwise(names)}
    compared = {one.arm: one for one in verdicts(pairs, "the arm before")}
    rows = []
    for name in names:
        row = {"task": task, "size": size, "arm": name, "accuracy": float(flat[name].mean())}
        row["cpu_seconds"] = float(np.mean([cell["cpu_seconds"] for cell in done[name]]))
        if name in compared:
            found = compared[name]
            row |= {"difference": found.difference, "low": found.low, "high": found.high, "p": found.p_corrected}
            row["verdict"] = found.verdict
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
