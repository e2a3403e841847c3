"""Does selection help the model? `make bench-downstream`: every selector against random and against everything, equal budget.

For each target domain the other three are the pool; 100 labelled target examples (drawn anew for each seed), the rest of the
target's training part without labels, 20% of the pool kept; frozen MiniLM under logistic regression learns from what was kept and
the 100.
Accuracy is paired over the same test examples and seeds, and judged as every comparison here is (`evaluate/verdict.py`).
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.data.domain import Domain, concatenate
from acclimate.data.hygiene import clean
from acclimate.data.load import load
from acclimate.data.make import make_target
from acclimate.data.packaged import icwsm4
from acclimate.data.target import Target
from acclimate.engine.local import cores, map_ordered
from acclimate.engine.storage import content_hash, read_json, write_json
from acclimate.engine.threads import one_thread
from acclimate.evaluate.measure import evaluate
from acclimate.evaluate.verdict import Comparison, verdicts
from acclimate.features.embeddings import Embedder
from acclimate.select import METHODS
from acclimate.select.base import Toolbox
from acclimate.select.run import select
from acclimate.tune.examples import of_target
from acclimate.tune.learner import ProbeLearner
from acclimate.tune.probe import ProbedTexts
from benchmarks.common import keep

BLITZER = Path(__file__).parents[2] / "shared" / "data" / "blitzer_amazon" / "data.parquet"
LABELS, BUDGET, TEST = 100, "20%", 1000
#: Where finished cells are kept, so that a stopped run goes on.
PARTS = Path("runs") / "bench-downstream"
CONTROLS = ("everything", "target-only")
#: Beside every method at its defaults: the domain that suits and, in it, the examples that suit. All that were tried are here.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "combine(leep, reducible-loss)": ("combine", {"methods": ["leep", "reducible-loss"]}),
    "product(leep, reducible-loss)": ("combine", {"methods": ["leep", "reducible-loss"], "how": "product"}),
    "combine(leep, reducible-loss, classifier)": ("combine", {"methods": ["leep", "reducible-loss", "classifier"]}),
}
SEEDS = 5
#: Run last: they take minutes, the others seconds.
SLOW = ("learned", "confusion", "otdd", "transport", "kmm")

Cell = tuple[str, str, str]


@functools.cache
def data_sets() -> dict[str, dict[str, Domain]]:
    """Domains by data set; blitzer_amazon only where its file is."""
    sets = {"icwsm4": icwsm4()}
    if BLITZER.exists():
        whole = load(BLITZER, text="text", label="label", domain="domain")
        rows = np.array(whole.domains)
        sets["blitzer_amazon"] = {name: whole.take(np.flatnonzero(rows == name), name) for name in sorted(set(whole.domains))}
    return sets


@functools.cache
def problem(data: str, name: str) -> tuple[Domain, Target]:
    """Pool and target of one problem, cleaned of what repeats the test."""
    domains = data_sets()[data]
    others = concatenate("pool", [part for other, part in domains.items() if other != name])
    source, target = clean(others, make_target(domains[name], test=TEST, seed=0))
    assert source is not None
    return source, target


@functools.cache
def embedder() -> Embedder:
    return Embedder("asset:minilm")


def carry_out(cell: Cell) -> Cell:
    """One method on one problem, over all seeds; each test example's correctness is kept."""
    data, name, method = cell
    source, target = problem(data, name)
    embed = embedder()
    tools = Toolbox(embed, learner=ProbeLearner(embed))
    correct, seconds, ids = [], 0.0, []
    for seed in range(SEEDS):
        view = target.draw(LABELS, seed)
        started = time.process_time()
        with one_thread():
            kept = source if method == "everything" else None
            if method not in CONTROLS:
                chosen, settings = VARIANTS.get(method, (method, {}))
                kept = select(source, view, method=chosen, budget=BUDGET, seed=seed, tools=tools, **settings).to_domain()
            seconds += time.process_time() - started
            model = ProbedTexts.fit(embed, of_target(view, source=kept), view.classes)
            scores = evaluate(model, view)
        ids = scores.ids
        correct.append(scores.correct.astype(int).tolist())
    write_json(place(cell), {"cell": cell, "ids": ids, "correct": correct, "cpu_seconds": seconds / SEEDS})
    return cell


def place(cell: Cell) -> Path:
    """Where a finished cell lies."""
    return PARTS / f"{content_hash(list(cell))}.json"


def against(done: Mapping[str, Any], names: Sequence[str], control: str) -> list[Comparison]:
    """Every method against one control on one problem, Holm over the methods."""
    ids = done[control]["ids"]
    items = np.tile(ids, SEEDS)
    seeds = np.repeat(np.arange(SEEDS), len(ids))
    flat = {name: np.concatenate([np.array(row) for row in done[name]["correct"]]) for name in (*names, control)}
    return verdicts({name: (items, seeds, flat[name] - flat[control]) for name in names}, control)


def main() -> None:
    problems = [(data, name) for data, domains in data_sets().items() for name in domains]
    if "--quick" in sys.argv:
        problems = problems[-1:]
    if not BLITZER.exists():
        sys.stdout.write(f"skipped blitzer_amazon: '{BLITZER}' is absent\n")
    quick = ["classifier", "dsir", "knn"] if "--quick" in sys.argv else [*METHODS, *VARIANTS]
    methods = [*CONTROLS, *dict.fromkeys(["random", *sorted(quick, key=lambda name: name in SLOW)])]
    missing = [(*at, method) for method in methods for at in problems if not place((*at, method)).exists()]
    for cell in map_ordered(carry_out, missing, workers=cores()):
        sys.stdout.write(f"{cell}\n")
        sys.stdout.flush()
    rows = [row for at in problems for row in _rows(at, methods)]
    keep("downstream-quick" if "--quick" in sys.argv else "downstream", seeds=SEEDS, labels=LABELS, budget=BUDGET, rows=rows)


def _rows(at: tuple[str, str], methods: Sequence[str]) -> list[dict[str, Any]]:
    """One row per method: accuracy, and its comparison with random and with everything."""
    done = {method: read_json(place((*at, method))) for method in methods}
    chosen = [method for method in methods if method not in (*CONTROLS, "random")]
    beside = {control: {c.arm: c for c in against(done, chosen, control)} for control in ("random", "everything")}
    rows = []
    for method in methods:
        accuracy = float(np.mean(done[method]["correct"]))
        compared = {control: dataclasses.asdict(found[method]) for control, found in beside.items() if method in found}
        seconds = done[method]["cpu_seconds"]
        rows.append({"data": at[0], "target": at[1], "method": method, "accuracy": accuracy, "cpu_seconds": seconds, **compared})
    return rows


if __name__ == "__main__":
    from benchmarks import downstream  # workers find the functions by the module's own name

    downstream.main()
