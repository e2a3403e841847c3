"""Selection from large pools: against the reference, on two cores, by size, beside an encoder, on Ray. `make bench-scale`.

Pools are made once by `benchmarks/scale_pool.py`. Each part is measured apart and kept at once; without arguments all that are not
there yet are run, with their names those alone. Whole commands are timed: starting Python, reading the target, reading the pool
twice, writing what is kept.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from acclimate.engine.storage import read_json
from benchmarks.common import RESULTS, keep, machine
from benchmarks.process import Taken, run
from benchmarks.scale_pool import FOLDER, make_pool, make_target

QUICK = "--quick" in sys.argv
SIZES = (5_000, 20_000, 50_000) if QUICK else (50_000, 500_000, 5_000_000)
TAKE = 1_000 if QUICK else 25_000
REFERENCE = FOLDER / "reference-env"
#: What is asked: times less CPU than the reference at its own number of buckets, and at ours.
ASKED = {"10k": 150, "default": 100}
OUT = FOLDER / "out"
#: Documents of the pools whose selection is estimated: methods that a sample is fitted for take hundreds of seconds on large ones.
ESTIMATED = {"dsir": SIZES[1], "random": SIZES[1], **dict.fromkeys(("moore-lewis", "tfidf", "classifier"), SIZES[0])}
ONE = {"OMP_NUM_THREADS": "1"}

REFERENCE_JOB = """
import sys
from data_selection import HashedNgramDSIR
pool, target, cache, out, take = sys.argv[1:]
dsir = HashedNgramDSIR([pool], [target], cache, num_proc=1)
dsir.fit_importance_estimator()
dsir.compute_importance_weights()
dsir.resample(out_dir=out, num_to_sample=int(take), cache_dir=cache + "-resampled")
"""


def a_pool(count: int) -> Path:
    return make_pool(count, FOLDER / f"pool-{count // 1000}k.jsonl")


def ours(pool: Path, *options: str, method: str = "dsir", take: int = TAKE) -> Taken:
    """One whole command, into a folder that was not there."""
    shutil.rmtree(OUT, ignore_errors=True)
    target = make_target(FOLDER / "target.jsonl")
    command = [sys.executable, "-m", "acclimate.cli.main", "select", str(pool), str(target), "--test", "none", "--text", "text"]
    return run([*command, "--method", method, "--budget", str(take), "--out", str(OUT), *options], **ONE)


def median_of(runs: list[Taken]) -> dict[str, float]:
    """The medians of repeated runs."""
    return {field.name: statistics.median(getattr(one, field.name) for one in runs) for field in dataclasses.fields(Taken)}


def versus() -> dict[str, Any]:
    """Ours at the reference's number of buckets and at the default, the reference between them."""
    pool, times = a_pool(SIZES[1]), 1 if QUICK else 3
    ours(a_pool(SIZES[0]))  # compiles
    few = [ours(pool, "--set", "buckets=10000") for _ in range(times)]
    many = [ours(pool) for _ in range(times)]
    reference = _reference(pool)
    few += [ours(pool, "--set", "buckets=10000") for _ in range(times)]
    many += [ours(pool) for _ in range(times)]
    found = {"10k": median_of(few), "default": median_of(many), "reference": dataclasses.asdict(reference)}
    return {**found, "ratio": {name: reference.cpu / found[name]["cpu"] for name in ("10k", "default")}, "documents": SIZES[1]}


def _reference(pool: Path) -> Taken:
    """PyPI data-selection 1.0.3 in its own environment: fit, weights, resample."""
    python = REFERENCE / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(REFERENCE)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "data-selection==1.0.3", "datasketch"], check=True)
    cache = FOLDER / "reference-cache"
    for folder in (cache, Path(f"{cache}-resampled"), FOLDER / "reference-out"):
        shutil.rmtree(folder, ignore_errors=True)
    target = make_target(FOLDER / "target.jsonl")
    arguments = [str(pool), str(target), str(cache), str(FOLDER / "reference-out"), str(TAKE)]
    return run([str(python), "-c", REFERENCE_JOB, *arguments], every=0.2, **ONE)


def memory() -> dict[str, Any]:
    """The largest memory of one process that does it all, and of each of two workers, at a tenth and at all of the pool."""
    rows = []
    for count in SIZES[:2]:
        for buckets in ("10000", "4194304"):
            alone = ours(a_pool(count), "--set", f"buckets={buckets}")
            two = ours(a_pool(count), "--set", f"buckets={buckets}", "--workers", "2")
            rows.append({"documents": count, "buckets": int(buckets), "alone": alone.first_mb, "worker": two.other_mb})
    return {"rows": rows}


def workers() -> dict[str, Any]:
    """One file by one worker and by two, in turns."""
    pairs = [(ours(a_pool(SIZES[2])), ours(a_pool(SIZES[2]), "--workers", "2")) for _ in range(1 if QUICK else 3)]
    speedups = [one.wall / two.wall for one, two in pairs]
    load = os.getloadavg()[0]
    return {"documents": SIZES[2], "speedup": statistics.median(speedups), "all": speedups, "load": load,
            "cpu": [(one.cpu, two.cpu) for one, two in pairs]}  # fmt: skip


def growth() -> dict[str, Any]:
    """Time per document by the size of the pool, of which a twentieth is kept; a start, on an almost empty pool, is told apart."""
    empty = make_pool(200, FOLDER / "pool-0k.jsonl")
    start = statistics.median(ours(empty, take=20).cpu for _ in range(7))  # a tenth of a second is 2 us of each of 50,000
    rows = []
    for count in SIZES:
        taken = median_of([ours(a_pool(count), take=count // 20) for _ in range(max(2, 350_000 // count))])
        each = 1e6 * taken["cpu"] / count
        rows.append({"documents": count, "cpu": taken["cpu"], "first_mb": taken["first_mb"], "each": each,
                     "each_without_start": 1e6 * (taken["cpu"] - start) / count})  # fmt: skip
    return {"rows": rows, "start": start}


def ray() -> dict[str, Any]:
    """Ray beside the local engine, two workers each, in turns; with and without starting the cluster."""
    pool = a_pool(SIZES[1])
    local, on_ray = [], []
    for _ in range(1 if QUICK else 3):
        local.append(ours(pool, "--workers", "2"))
        ours_bytes = _bytes()
        on_ray.append(ours(pool, "--workers", "2", "--engine", "ray"))
        if _bytes() != ours_bytes:
            raise RuntimeError("Ray and the local engine kept different documents")
    empty = make_pool(200, FOLDER / "pool-0k.jsonl")
    start = ours(empty, "--workers", "2", "--engine", "ray", take=20).cpu - ours(empty, "--workers", "2", take=20).cpu
    one, other = median_of(local), median_of(on_ray)
    return {"documents": SIZES[1], "local": one, "ray": other, "ratio": other["cpu"] / one["cpu"], "start": start,
            "ratio_without_start": (other["cpu"] - start) / one["cpu"]}  # fmt: skip


def _bytes() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(OUT.glob("part-*"))}


def embeddings() -> dict[str, Any]:
    """A selector on vectors beside the encoder's own passes over the pool and over the target, both with loading it.

    One call each, as they are encoded whoever does it: passes have fixed shapes, and the last of each length is not full.
    """
    from acclimate.data.load import load
    from acclimate.engine.threads import one_thread
    from acclimate.features.embeddings import Embedder

    count = 300 if QUICK else 1_000
    pool, target = make_pool(count, FOLDER / f"pool-{count}.jsonl"), load(make_target(FOLDER / "target.jsonl")).take(range(50))
    texts = load(pool, text="text").texts
    ratios = []
    for _ in range(1 if QUICK else 2):
        with one_thread():
            begun = time.process_time()
            encoder = Embedder(cache=None)
            encoder(texts)
            encoder(target.texts)
            passes = time.process_time() - begun
            whole = _stream_with_encoder(pool, target)
        ratios.append(whole / passes)
    return {"documents": count, "ratio": statistics.median(ratios), "all": ratios}


def _stream_with_encoder(pool: Path, target: Any) -> float:
    """CPU seconds of selecting by `centroid`, the encoder included, with nothing remembered from before."""
    from acclimate.data.make import open_target
    from acclimate.data.shards import pool as open_pool
    from acclimate.features.embeddings import Embedder
    from acclimate.strategy.pools import select_stream

    cache = FOLDER / "vectors"
    shutil.rmtree(cache, ignore_errors=True)
    shutil.rmtree(OUT, ignore_errors=True)
    begun = time.process_time()
    select_stream(
        open_pool(pool, text="text"), open_target(target), OUT, method="centroid", budget="5%", embed=Embedder(cache=cache)
    )
    return time.process_time() - begun


def estimate() -> dict[str, Any]:
    """What `--dry-run` says of the pool, and what it then takes."""
    rows, target = [], make_target(FOLDER / "target.jsonl")
    verb = [sys.executable, "-m", "acclimate.cli.main", "select"]
    for method, documents in ESTIMATED.items():
        pool = a_pool(documents)
        command = [*verb, str(pool), str(target), "--test", "none", "--text", "text"]
        count = ["--method", method, "--budget", str(TAKE), "--out", str(FOLDER / "dry")]
        told = json.loads(
            subprocess.run(
                [*command, *count, "--dry-run", "--json"], capture_output=True, check=True, env={**os.environ, **ONE}
            ).stdout
        )
        taken = ours(pool, method=method)
        disk = sum(file.stat().st_size for file in OUT.rglob("*") if file.is_file())
        rows.append(
            {
                "method": method,
                "documents": documents,
                "cpu_told": told["cpu_seconds"],
                "cpu": taken.cpu,
                "memory_told": told["memory_bytes"] / 2**20,
                "memory": taken.first_mb,
                "disk_told": told["disk_bytes"]["kept"] / 2**20,
                "disk": disk / 2**20,
            }
        )
    return {"rows": rows}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "versus": versus,
    "memory": memory,
    "workers": workers,
    "growth": growth,
    "ray": ray,
    "embeddings": embeddings,
    "estimate": estimate,
}


def main() -> None:
    """Run what is asked for, or what is missing; each part is kept when it is done."""
    file = RESULTS / "scale.json"
    parts: dict[str, Any] = read_json(file)["parts"] if file.exists() and not QUICK else {}
    named = [name for name in sys.argv[1:] if name in PARTS]
    for name in named or [name for name in PARTS if name not in parts]:
        parts[name] = {**PARTS[name](), "load": machine()["load"]}
        if QUICK:
            sys.stdout.write(f"{name}: {json.dumps(parts[name])}\n")
        else:
            keep("scale", parts=parts, take=TAKE, asked=ASKED)


if __name__ == "__main__":
    main()
