"""Near duplicates inside a pool, beside datasketch. `make bench-near-duplicates`, about two minutes; `--quick`, `--full`.

The pool is that of ``scale_pool`` with duplicates planted among its documents. A twentieth of it each are exact copies of
documents drawn without repetition, and copies in which 2, 5 and 10 per cent of the words are replaced: the places are drawn, and
the words that come there, from the whole pool. Then all rows are shuffled.

Both sides compare the same elements (words, each occurrence by itself) with as many hash functions, from the same threshold on,
one thread each. datasketch is handed the elements ready; acclimate reads the file. ``--reference ENV`` names an environment that
has datasketch; otherwise one is made beside the pool.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import resource
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from acclimate.data.shards import pool
from acclimate.engine.local import Local
from acclimate.features.minhash import MinHash
from acclimate.features.tokenize import words
from acclimate.select.stream.distinct import distinct
from acclimate.select.stream.near import duplicates
from benchmarks.common import keep
from benchmarks.scale_pool import FOLDER, make_pool

#: Shares of words that are edited.
KINDS = {"exact": 0.0, "2% edited": 0.02, "5% edited": 0.05, "10% edited": 0.1}
#: Rows of the pool that are planted, for each kind.
PLANTED = 0.05
PACKAGE = "datasketch==2.0.0"
Pairs = NDArray[np.int64]


def make_planted(count: int, path: Path) -> Path:
    """Write the pool; made once. A row says its kind and, where it was planted, the line of the row that it repeats."""
    if path.exists():
        return path
    each = int(PLANTED * count)
    originals = count - each * len(KINDS)
    source = make_pool(originals, FOLDER / f"pool-{originals}.jsonl")
    texts = [orjson.loads(line)["text"].split(" ") for line in source.open("rb")]
    rng = np.random.default_rng(1)
    rows = [(" ".join(text), "", row) for row, text in enumerate(texts)]
    of = rng.choice(originals, each * len(KINDS), replace=False).tolist()
    for kind, share in KINDS.items():
        for _ in range(each):
            row = of.pop()
            rows.append((" ".join(_edited(texts[row], share, texts, rng)), kind, row))
    order = rng.permutation(count)
    line_of = np.argsort(order)
    with path.with_suffix(".part").open("wb") as file:
        for row in order.tolist():
            text, kind, twin = rows[row]
            file.write(orjson.dumps({"text": text, "kind": kind, "twin": int(line_of[twin])}) + b"\n")
    path.with_suffix(".part").replace(path)
    return path


def _edited(text: Sequence[str], share: float, texts: Sequence[Sequence[str]], rng: np.random.Generator) -> list[str]:
    changed = list(text)
    for place in rng.choice(len(text), round(share * len(text)), replace=False):
        other = texts[rng.integers(len(texts))]
        changed[place] = other[rng.integers(len(other))]
    return changed


def occurrences(bag: Counter[str]) -> list[str]:
    """Each occurrence of a word as an element of its own."""
    return [f"{word} {place}" for word, count in bag.items() for place in range(count)]


def measure(file: Path, work: Path) -> dict[str, Any]:
    """acclimate's side, in a process of its own: CPU seconds of finding, and of the whole command; peak memory of finding."""
    warm = work / "warm.jsonl"
    warm.write_bytes(b"".join(orjson.dumps({"text": f"a few words {row} for the compiler, twice"}) + b"\n" for row in (0, 0, 1)))
    duplicates(pool(warm, text="text"), Local(), work / "warm")
    begun = time.process_time()
    found = duplicates(pool(file, text="text"), Local(), work / "found")
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pairs = np.concatenate([np.load(one) for one in sorted(found.job.work.glob("pairs-*/*.alike.npy"))])
    begun = time.process_time()
    distinct(pool(file, text="text"), work / "written")
    whole = time.process_time() - begun
    kept = sum(one.stat().st_size for one in found.job.work.rglob("*") if one.is_file())
    return {"cpu_seconds": seconds, "with_writing": whole, "peak_mb": peak, "disk_bytes": kept, "pairs": pairs.tolist()}


def reference_python(given: str | None) -> Path:
    """The interpreter of an environment that has datasketch; made where there is none."""
    place = Path(given) if given else FOLDER / "reference-env"
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    if subprocess.run([str(python), "-c", "import datasketch"], capture_output=True, check=False).returncode:
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    return python


def judged(pairs: Sequence[Sequence[int]], rows: Sequence[dict[str, Any]], bags: Sequence[Counter[str]], threshold: float) -> Any:
    """Recall of the planted by kind, and how many pairs are below the threshold by their exact similarity, and how far."""
    found = np.array(pairs, np.int64).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(found)), (found[:, 0], found[:, 1])), shape=(len(rows), len(rows)))
    _, cluster = connected_components(graph, directed=False)
    recall = {}
    for kind in KINDS:
        planted = [(line, row["twin"]) for line, row in enumerate(rows) if row["kind"] == kind]
        recall[kind] = sum(cluster[a] == cluster[b] for a, b in planted) / len(planted)
    exact = np.array([(bags[a] & bags[b]).total() / (bags[a] | bags[b]).total() for a, b in found.tolist()])
    below = exact[exact < threshold]
    return {"recall": recall, "pairs": len(found), "below": len(below), "least": float(exact.min(initial=1.0))}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--reference")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        sys.stdout.buffer.write(orjson.dumps(measure(Path(given.measure[0]), Path(given.measure[1]))))
        return
    count = 5_000 if given.quick else 50_000 if given.full else 20_000
    minhash = MinHash()
    file = make_planted(count, FOLDER / f"planted-{count}.jsonl")
    work = FOLDER / "near-work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    # before anything is read here: a child's peak of memory counts what its parent held when it was begun
    command = [sys.executable, "-m", "benchmarks.near_duplicates", "--measure", str(file), str(work)]
    ours = orjson.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    rows = [orjson.loads(line) for line in file.open("rb")]
    bags = [Counter(words(row["text"])) for row in rows]
    truth = [(bags[line] & bags[row["twin"]]).total() / (bags[line] | bags[row["twin"]]).total() for line, row in enumerate(rows)]
    ready, answer = work / "elements.jsonl", work / "pairs.json"
    ready.write_bytes(b"".join(orjson.dumps(occurrences(bag)) + b"\n" for bag in bags))
    bands = [str(number) for number in (minhash.permutations, minhash.threshold, *minhash.bands)]
    script = Path(__file__).with_name("reference_datasketch.py")
    subprocess.run([str(reference_python(given.reference)), str(script), str(ready), str(answer), *bands], check=True)
    theirs = orjson.loads(answer.read_bytes())
    sides: dict[str, dict[str, Any]] = {"acclimate": {**ours, "bands": minhash.bands[0], "rows": minhash.bands[1]}}
    sides |= {f"datasketch {theirs['version']}, {name}": run for name, run in theirs["runs"].items()}
    table = []
    for name, side in sides.items():
        row = {
            "side": name,
            **{key: value for key, value in side.items() if key != "pairs"},
            **judged(side["pairs"], rows, bags, minhash.threshold),
        }
        row["ratio"] = side["cpu_seconds"] / ours["cpu_seconds"]
        row["microseconds"] = 1e6 * side["cpu_seconds"] / count
        table.append(row)
        recall = ", ".join(f"{kind} {100 * value:.1f}%" for kind, value in row["recall"].items())
        sys.stdout.write(f"{name}: {row['microseconds']:.1f} µs a document, {row['ratio']:.1f} times; {recall}; ")
        sys.stdout.write(f"{row['pairs']} pairs, {row['below']} below the threshold, the least {row['least']:.2f}\n")
    similar = {kind: float(np.mean([t for t, row in zip(truth, rows, strict=True) if row["kind"] == kind])) for kind in KINDS}
    sys.stdout.write(
        f"with writing {1e6 * ours['with_writing'] / count:.1f} µs; {ours['peak_mb']:.0f} MB; similarities {similar}\n"
    )
    shutil.rmtree(work)
    if not given.quick:
        keep(
            "near-duplicates",
            rows=table,
            documents=count,
            bytes=file.stat().st_size,
            permutations=minhash.permutations,
            threshold=minhash.threshold,
            kinds=list(KINDS),
            similarity=similar,
        )


if __name__ == "__main__":
    main()
