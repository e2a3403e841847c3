"""How many of the picked texts are relevant, on 20 Newsgroups? `make bench-precision`, about ten minutes on one core.

With names of methods, those and the two hash seeds alone are measured again.

For each group and seed, N of its shuffled documents are the target and everything else is the pool; relevant are the group's
remaining documents, k their number. Precision@k is the share of relevant documents among the k best scores, averaged over groups
and seeds. Two hash seeds (`salt`) of `dsir` are compared on the same targets: the share of the k picks that they have in common.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from acclimate.data.domain import Domain
from acclimate.data.make import open_target
from acclimate.data.packaged import newsgroups20
from acclimate.engine.storage import read_json
from acclimate.engine.threads import one_thread
from acclimate.features.ngrams import hash_ngrams
from acclimate.features.terms import Terms
from acclimate.select.importance.classifier import RatioEstimate
from acclimate.select.importance.dsir import Dsir, log_ratio, mean_log_ratio
from acclimate.select.run import select
from benchmarks.common import RESULTS, keep

Rows = NDArray[np.int64]

SIZES = (20, 100, 300)
BUCKETS = (10_000, 2**20, 2**22)
#: Best known, and what is asked of the best default and of dsir.
REFERENCE = {
    "DSIR, data-selection 1.0.3": (0.139, 0.335, 0.536),
    "best known: one classifier on TF-IDF": (0.635, 0.749, 0.760),
    "asked of the best default": (0.66, 0.77, 0.78),
    "asked of dsir": (0.55, 0.68, 0.70),
}

#: Rows of the target and of the pool, and a seed, to the scores of the pool's rows.
Score = Callable[[Rows, Rows, int], NDArray[np.float64]]


def scorers(documents: Domain) -> dict[str, Score]:
    """Each method on features that are computed once for all trials: target and pool are always all documents together.

    :func:`check` compares them with what the public verb gives.
    """
    _, terms = Terms.fit(documents.texts)
    counts = hash_ngrams(documents.texts, buckets=Dsir().hashing.buckets)
    return {
        "random": lambda _, pool, seed: np.random.default_rng(seed).random(len(pool)),
        "classifier": lambda target, pool, seed: _ratio_scores(terms, target, pool, RatioEstimate(seed=seed)),
        "classifier, one round": lambda target, pool, seed: _ratio_scores(terms, target, pool, RatioEstimate(adopt=0, seed=seed)),
        "dsir": lambda target, pool, _: dsir_scores(counts, target, pool),
    }


def _ratio_scores(terms: csr_matrix, target: Rows, pool: Rows, estimate: RatioEstimate) -> NDArray[np.float64]:
    return estimate(terms[pool], terms[target])(terms[pool])


def dsir_scores(counts: csr_matrix, target: Rows, pool: Rows) -> NDArray[np.float64]:
    """The score of :class:`Dsir` at its defaults."""
    bags = [np.asarray(counts[rows].sum(axis=0), dtype=np.float64).ravel() for rows in (target, pool)]
    ratio = log_ratio(*(bag / bag.sum() for bag in bags), Dsir().target_share)
    sums, sizes = np.asarray(counts[pool] @ ratio, dtype=np.float64), np.asarray(counts[pool].sum(axis=1), dtype=np.int64).ravel()
    return mean_log_ratio(sums, sizes, Dsir().shrink)


def trials(documents: Domain, size: int, seeds: int) -> Iterator[tuple[str, int, Rows, Rows, NDArray[np.bool_]]]:
    """(group, seed, rows of target and pool, relevance of the pool's) for every group with at least ``size + 50`` documents."""
    labels = np.array(documents.labels)
    for group in sorted(set(documents.classes)):
        for seed in range(seeds):
            rows = np.flatnonzero(labels == group)
            if len(rows) >= size + 50:
                np.random.default_rng(seed).shuffle(rows)
                rest = np.setdiff1d(np.arange(len(labels)), rows[:size])
                yield group, seed, rows[:size], rest, labels[rest] == group


def best(scores: NDArray[np.float64], count: int) -> Rows:
    """The positions of the best, in order; ties in order of position, as budgets take them."""
    return np.argsort(-scores, kind="stable")[:count]


def precision(score: Score, documents: Domain, size: int, seeds: int) -> dict[str, Any]:
    """Mean precision@k, and its standard error over groups."""
    by_group: dict[str, list[float]] = {}
    for group, seed, target, pool, relevant in trials(documents, size, seeds):
        taken = best(score(target, pool, seed), int(relevant.sum()))
        by_group.setdefault(group, []).append(float(relevant[taken].mean()))
    means = [float(np.mean(values)) for values in by_group.values()]
    return {"precision": float(np.mean(means)), "error": float(np.std(means, ddof=1) / np.sqrt(len(means))), "groups": len(means)}


def agreement(documents: Domain, buckets: int, size: int) -> dict[str, Any]:
    """The share of dsir's k picks that two salts have in common: mean and least over groups, one target draw each."""
    counts = [hash_ngrams(documents.texts, buckets=buckets, salt=salt) for salt in (1, 2)]
    shares = []
    for _, _, target, pool, relevant in trials(documents, size, 1):
        kept = [best(dsir_scores(salted, target, pool), int(relevant.sum())) for salted in counts]
        shares.append(len(np.intersect1d(*kept)) / len(kept[0]))
    return {"agreement": float(np.mean(shares)), "least": float(min(shares))}


def check(documents: Domain, methods: Mapping[str, Score]) -> None:
    """One trial by the public verb: it must pick the same documents."""
    _, seed, target, pool, relevant = next(trials(documents, 100, 1))
    for name in ("classifier", "dsir"):
        source, wanted = documents.take(pool), open_target(documents.take(target).without_labels())
        picked = select(source, wanted, method=name, budget=int(relevant.sum()), seed=seed).indices
        same = len(np.intersect1d(picked, best(methods[name](target, pool, seed), len(picked)))) / len(picked)
        sys.stdout.write(f"{name}: {same:.4f} of the public verb's picks are those measured here\n")
        if same < 0.999:  # words are numbered in another order there, so that sums may differ in their last bit
            raise SystemExit(f"{name} is not measured as it is used")


def main() -> None:
    seeds = 1 if "--quick" in sys.argv else 3
    documents = newsgroups20("train")
    with one_thread():
        methods = scorers(documents)
        check(documents, methods)
        named = [name for name in sys.argv[1:] if name in methods]
        cells: dict[str, Any] = read_json(RESULTS / "precision.json")["cells"] if named else {}
        for name, score in methods.items():
            if named and name not in named:
                continue  # measured before, by the same code
            for size in SIZES:
                cells[f"{name}|{size}"] = precision(score, documents, size, seeds)
                sys.stdout.write(f"{name:24} N={size:<4} {cells[f'{name}|{size}']}\n")
                sys.stdout.flush()
        for buckets in BUCKETS:
            for size in SIZES:
                cells[f"{buckets}|{size}"] = agreement(documents, buckets, size)
                sys.stdout.write(f"two salts, {buckets} buckets, N={size}: {cells[f'{buckets}|{size}']}\n")
                sys.stdout.flush()
    name = "precision-quick" if "--quick" in sys.argv else "precision"
    keep(name, reference=REFERENCE, sizes=SIZES, buckets=BUCKETS, seeds=seeds, methods=list(methods), cells=cells)


if __name__ == "__main__":
    main()
