"""The evidence from which deciding is judged and learned: every arm and control over more than 200 cells. `make bench-decide`.

A cell is a pair of domains (`benchmarks/decide_cells.py`) and a number of target labels: none, 20, 100 or 500. Every arm and
control is carried out by the bench that `compare` uses, on frozen features, over five seeds: each draws its own labels, random
picks, generated examples and folds. With labels validation is out of fold over them; without, arms learn without target labels,
and what every validator says of them is kept. A pair with a seed is one file: a stopped run goes on, more seeds can be added,
and several processes share the pairs.

    python -m benchmarks.decide_evidence [--quick] [--seeds 3] [--only icwsm4,blitzer] [--part 0/2]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from acclimate.engine.storage import atomic_path
from acclimate.engine.threads import one_thread
from acclimate.errors import AcclimateError
from acclimate.evaluate.validators import METHODS as VALIDATORS
from acclimate.strategy.arms import Arm, Method, settings
from acclimate.strategy.plan import Plan
from acclimate.strategy.units import Bench
from benchmarks.decide_cells import Pair, Problem, pairs, problem

SIZES = (0, 20, 100, 500)
SEEDS = 5
FOLDS = 3
BUDGET = "30%"
#: Up to so many labels examples are generated: beyond, embedding the children takes longer than all else, and helps least.
GROWN = 100
#: Weight of a target label where source examples are learned from too.
WEIGHT = 10.0
FOLDER = Path("runs") / "bench-decide"
#: What stands for validation in a plan without labels; every validator is asked anyway.
CHEAPEST = "entropy"


def arms_without_labels() -> tuple[Arm, ...]:
    """What can be tried where no target example has a label."""
    picks = [Arm("selected", target=False, select=Method(name), budget=BUDGET) for name in ("knn", "classifier")]
    shallow = [Arm("all", target=False, features=Method(name)) for name in ("coral", "subspace", "msda", "self-training")]
    both = Arm("selected", target=False, select=Method("knn"), budget=BUDGET, features=Method("self-training"))
    return (*picks, *shallow, both)


def arms_with_labels(modality: str, size: int) -> tuple[Arm, ...]:
    """What can be tried with some target labels: source data weighed, selected, aligned; target data grown, mixed."""
    grow = Method("eda", settings({"times": 4})) if modality == "text" else Method("randaugment", settings({"times": 4}))
    weighed: dict[str, Any] = {"source": "all", "target_weight": WEIGHT}
    return (
        Arm(**weighed),
        *(Arm("selected", select=Method(name), budget=BUDGET, target_weight=WEIGHT) for name in ("knn", "classifier")),
        *(Arm(**weighed, features=Method(name)) for name in ("coral", "self-training")),
        Arm(**weighed, augment=(Method("mixup"),)),
        *((Arm("none", augment=(grow,)), Arm(**weighed, augment=(grow,))) if size <= GROWN else ()),
    )


def measure(pair: Pair, seed: int) -> pa.Table:
    """Every row of a pair with a seed: one for each size and arm."""
    at = problem(pair)
    rows = [row for size in _sizes(at) for row in _rows(at, size, seed)]
    names = dict.fromkeys(name for row in rows for name in row)
    about = {"data": pair.data, "source": pair.source, "target": pair.target, "seed": seed}
    return pa.Table.from_pylist([{**about, **dict.fromkeys(names), **row} for row in rows])


def _sizes(at: Problem) -> Iterator[int]:
    """Those for which there are labels enough: two of each class, and not more than there are."""
    rarest = min(Counter(at.target.labelled.labels).values()) / len(at.target.labelled)
    for size in SIZES:
        if not size or (size <= 0.8 * len(at.target.labelled) and size * rarest >= 2):
            yield size


def _rows(at: Problem, size: int, seed: int) -> Iterator[dict[str, Any]]:
    tried = arms_with_labels(at.source.modality, size) if size else arms_without_labels()
    counts = Counter(at.target.labelled.labels)
    folds = max(2, min(FOLDS, int(min(counts.values()) * size / len(at.target.labelled))))
    plan = Plan(at.source, at.target, tried, "vectors", labels=size, folds=folds, validator="" if size else CHEAPEST)
    bench = Bench(plan, at.embed, "vectors", None)  # type: ignore[arg-type]  # vectors that were computed before
    for arm in plan.all_arms:
        begun = time.process_time()
        try:
            found = _measured(bench, arm, seed, labelled=size > 0)
        except AcclimateError as error:
            sys.stdout.write(f"{at.target.name} {size} {arm.name}: {error}\n")
            continue
        seconds = time.process_time() - begun
        yield {"labels": size, "arm": arm.name, "is_control": arm.is_control, **found, "cpu_seconds": seconds}


def _measured(bench: Bench, arm: Arm, seed: int, *, labelled: bool) -> dict[str, Any]:
    """Accuracy on the test, and on validation out of fold, item by item; without labels what every validator says instead."""
    unit = bench.carry_out(arm, "probe", seed)
    correct = {split: unit.correct(split)[1].astype(bool).tolist() for split in ("test", *(("validation",) if labelled else ()))}
    found: dict[str, Any] = {split: float(np.mean(values)) for split, values in correct.items()}
    found |= {f"{split}_correct": values for split, values in correct.items()}
    if not labelled:
        with one_thread():
            seen = bench.seen(arm, seed, again=True)
            found |= {name: validator().score(seen) for name, validator in VALIDATORS.items()}
    return {**found, "trained_on": sum(unit.facts["trained_on"].values())}


def place(pair: Pair, seed: int) -> Path:
    """Where a finished pair lies."""
    return FOLDER / f"{str(pair).replace(' ', '_').replace('>', 'to')}-{seed}.parquet"


def _option(name: str, default: str) -> str:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


def _wanted() -> Iterator[tuple[Pair, int]]:
    only = _option("--only", "")
    found = [pair for pair in pairs() if not only or pair.data in only.split(",")]
    if "--quick" in sys.argv:
        found = [next(pair for pair in found if pair.data == data) for data in dict.fromkeys(pair.data for pair in found)]
    part, parts = (int(number) for number in _option("--part", "0/1").split("/"))
    for seed in range(int(_option("--seeds", "2" if "--quick" in sys.argv else str(SEEDS)))):
        yield from ((pair, seed) for pair in found[part::parts])


def main() -> None:
    for pair, seed in _wanted():
        if place(pair, seed).exists():
            continue
        begun = time.process_time()
        table = measure(pair, seed)
        with atomic_path(place(pair, seed)) as temporary:
            pq.write_table(table, temporary, compression="zstd")
        sys.stdout.write(f"{pair}, seed {seed}: {table.num_rows} rows, {time.process_time() - begun:.0f} CPU s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
