"""How many of the picked texts are relevant, on 20 Newsgroups? `make bench-precision`, about twenty minutes on one core.

For each group and seed, N of its shuffled documents are the target and everything else is the pool; relevant are the group's
remaining documents, k their number. Precision@k is the share of relevant documents among the k best scores, averaged over groups
and seeds. Two hash seeds (`salt`) of `dsir` are compared on the same targets: the share of the k picks that they have in common.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from acclimate.data.domain import Domain
from acclimate.data.make import open_target
from acclimate.data.packaged import newsgroups20
from acclimate.engine.local import cores, map_ordered
from acclimate.engine.storage import read_json, write_json
from acclimate.engine.threads import one_thread
from acclimate.select.run import select
from benchmarks.common import RESULTS, keep

SIZES = (20, 100, 300)
#: Name in the table: method, settings, seeds. What is asked for runs with three; the others, for comparison, with one.
METHODS: dict[str, tuple[str, dict[str, Any], int]] = {
    "classifier": ("classifier", {}, 3),
    "dsir": ("dsir", {}, 3),
    "random": ("random", {}, 3),
    "classifier, one round": ("classifier", {"adopt": 0}, 1),
    "dsir, preset=paper": ("dsir", {"preset": "paper"}, 1),
    "tfidf": ("tfidf", {}, 1),
    "moore-lewis": ("moore-lewis", {}, 1),
    "ngram": ("ngram", {}, 1),
    "combine(classifier, dsir)": ("combine", {"methods": ["classifier", "dsir"]}, 1),
}
#: Best known, and what is asked of the best default and of dsir.
REFERENCE = {
    "DSIR, data-selection 1.0.3": (0.139, 0.335, 0.536),
    "best known: one classifier on TF-IDF": (0.635, 0.749, 0.760),
    "asked of the best default": (0.66, 0.77, 0.78),
    "asked of dsir": (0.55, 0.68, 0.70),
}
BUCKETS = (10_000, 2**20, 2**22)


def trials(size: int, seeds: int) -> Iterator[tuple[str, int, Domain, Domain, np.ndarray]]:
    """(group, seed, target, pool, relevance of the pool's rows) for every group with at least ``size + 50`` documents."""
    documents = newsgroups20("train")
    labels = np.array(documents.labels)
    for group in sorted(set(documents.classes)):
        for seed in range(seeds):
            rows = np.flatnonzero(labels == group)
            if len(rows) < size + 50:
                continue
            np.random.default_rng(seed).shuffle(rows)
            rest = np.setdiff1d(np.arange(len(labels)), rows[:size])
            yield group, seed, documents.take(rows[:size]).without_labels(), documents.take(rest), labels[rest] == group


def cell(name: str, size: int, seeds: int) -> dict[str, Any]:
    """Mean precision@k of a method at one target size, its standard error over groups, and CPU seconds per selection."""
    method, settings, _ = METHODS[name]
    by_group: dict[str, list[float]] = {}
    started, count = time.process_time(), 0
    for group, seed, target, pool, relevant in trials(size, seeds):
        picked = select(pool, open_target(target), method=method, budget=int(relevant.sum()), seed=seed, **settings)
        by_group.setdefault(group, []).append(float(relevant[picked.indices].mean()))
        count += 1
    means = [float(np.mean(values)) for values in by_group.values()]
    error = float(np.std(means, ddof=1) / np.sqrt(len(means)))
    seconds = (time.process_time() - started) / count
    return {"precision": float(np.mean(means)), "error": error, "cpu_seconds": seconds, "groups": len(means), "seeds": seeds}


def agreement(buckets: int, size: int) -> dict[str, Any]:
    """The share of dsir's k picks that two salts have in common, mean over groups, one target draw each."""
    shares = []
    for _, _, target, pool, relevant in trials(size, 1):
        budget, settings = int(relevant.sum()), {"method": "dsir", "buckets": buckets}
        kept = [select(pool, open_target(target), budget=budget, salt=salt, **settings).indices for salt in (1, 2)]
        shares.append(len(np.intersect1d(*kept)) / len(kept[0]))
    return {"agreement": float(np.mean(shares)), "least": min(shares)}


def carry_out(key: tuple[str, int, int]) -> tuple[str, dict[str, Any]]:
    """One cell of a table, on one thread."""
    name, size, seeds = key
    with one_thread():
        done = agreement(int(name.removeprefix("buckets ")), size) if name.startswith("buckets ") else cell(name, size, seeds)
    return f"{name}|{size}", done


def main() -> None:
    quick = "--quick" in sys.argv
    names = ["random", "dsir", "classifier"] if quick else list(METHODS)
    keys = [(name, size, 1 if quick else METHODS[name][2]) for name in names for size in SIZES]
    keys += [(f"buckets {buckets}", size, 1) for buckets in BUCKETS for size in SIZES[1:2]]
    place = RESULTS / ("precision-quick.part.json" if quick else "precision.part.json")
    cells: dict[str, Any] = read_json(place) if place.exists() else {}
    for name, done in map_ordered(carry_out, [key for key in keys if f"{key[0]}|{key[1]}" not in cells], workers=cores()):
        cells[name] = done
        write_json(place, cells)  # a stopped run goes on from here
        sys.stdout.write(f"{name:32} {done}\n")
        sys.stdout.flush()
    keep("precision-quick" if quick else "precision", reference=REFERENCE, sizes=SIZES, buckets=BUCKETS, cells=cells)
    place.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
