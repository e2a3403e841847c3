"""Does kernel mean matching solve its quadratic programme, and how fast? `make bench-kmm`, some two minutes on one core.

ICWSM sentiment, MiniLM vectors: the target is 500 editorial snippets, the source 5,000 (or all 17,409) tweets, film and product
reviews and other editorial snippets. One thread. The objective is the squared maximum mean discrepancy between the weighted source
and the target; the gap bounds how far it is above its minimum, and the residual is the largest violation of the optimality
conditions by any weight, both in the same unit.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from typing import Any

import numpy as np

from acclimate.data.packaged import icwsm4
from acclimate.engine.threads import one_thread
from acclimate.features.embeddings import Embedder
from acclimate.select.importance.gaussian import median_distance
from acclimate.select.importance.kmm import Bounds, Matching, match
from acclimate.select.similarity.cosine import unit_rows
from benchmarks.common import keep

#: Source and target rows, and the bandwidth as a multiple of the median; what is asked of the first: seconds on one or two cores.
SIZES = ((5000, 500, 1.0), (5000, 500, 1 / 8), (17_409, 500, 1 / 8))
ASKED_SECONDS = 30


def vectors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Source and target rows in random order, and which source rows are editorial."""
    embed = Embedder("asset:minilm")
    rows = {name: unit_rows(embed(domain.contents)) for name, domain in icwsm4().items()}
    rng = np.random.default_rng(0)
    editorial = rows["nyt"][rng.permutation(len(rows["nyt"]))]
    source = np.concatenate([rows["tweets"], rows["movie"], rows["amazon"], editorial[1000:]])
    order = rng.permutation(len(source))
    return source[order], editorial[:500], (order >= len(source) - len(editorial[1000:]))


def residual(matching: Matching, bounds: Bounds) -> float:
    """The largest violation of the conditions of Karush, Kuhn and Tucker, over weights, as a change of the objective by one row.

    With a price ``t`` on the sum (0 unless the sum is at a bound), the gradient is ``-t`` where a weight is free, at least that
    where it is 0, at most that where it is at its bound.
    """
    weights, gradient = matching.weights, 2 * matching.surplus / len(matching.surplus)
    total = weights.sum()
    free = (weights > 0) & (weights < bounds.upper)
    bound = np.isclose(total, bounds.most) or np.isclose(total, bounds.least)
    slope = gradient - (np.median(gradient[free]) if bound and free.any() else 0.0)
    wrong = np.where(weights == 0, np.maximum(-slope, 0), np.where(weights == bounds.upper, np.maximum(slope, 0), np.abs(slope)))
    return float(wrong.max())


def one_size(source: np.ndarray, target: np.ndarray, editorial: np.ndarray, factor: float) -> dict[str, Any]:
    """Time, memory and quality of one solution."""
    n = len(source)
    slack = 1 - 1 / np.sqrt(n)
    bounds = Bounds(1000.0, n * (1 - slack), n * (1 + slack))
    bandwidth = factor * median_distance(source, target)
    wall, cpu = time.perf_counter(), time.process_time()
    matching = match(source, target, bandwidth, bounds)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    tracemalloc.start()
    match(source, target, bandwidth, bounds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "source": n,
        "target": len(target),
        "bandwidth": factor,
        "seconds": wall,
        "cpu_seconds": cpu,
        "peak_mb": peak / 2**20,
        "mmd2_equal_weights": matching.before,
        "mmd2": matching.after,
        "gap": matching.gap,
        "kkt_residual": residual(matching, bounds),
        "with_weight": int((matching.weights > 0).sum()),
        "largest_weight": float(matching.weights.max()),
        "mean_weight": float(matching.weights.mean()),
        "editorial_share": float(editorial.mean()),
        "editorial_share_of_weight": float(matching.weights[editorial].sum() / matching.weights.sum()),
    }


def main() -> None:
    source, target, editorial = vectors()
    rows = []
    with one_thread():
        match(source[:50], target[:20], 1.0, Bounds(10.0, 25.0, 75.0))  # compiles what numba compiles
        for n, m, factor in SIZES[:1] if "--quick" in sys.argv else SIZES:
            rows.append(one_size(source[:n], target[:m], editorial[:n], factor))
            sys.stdout.write("  ".join(f"{name}={value:.4g}" for name, value in rows[-1].items()) + "\n")
    keep("kmm", asked_seconds=ASKED_SECONDS, rows=rows)


if __name__ == "__main__":
    main()
