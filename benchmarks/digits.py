"""Unsupervised adaptation of digits, MNIST to USPS and back. `make bench-digits`, a few hours on one core.

Sub-sampled for two cores: 5,000 labelled source digits, 5,000 unlabelled target ones, the small CNN from scratch, 5 seeds that move
the draw, the initial weights and the order. The test is USPS's own (2,007), or the first 2,007 of MNIST's. Pictures are resized,
nothing else. Every arm has a few candidates (weights of its term); what is taken is chosen three times: by label-free validators
(entropy, SND, BNM) on the target's unlabelled digits, by 500 labelled target digits apart, and, to say what was to be had, per arm
by those labels. An arm hurts where its paired difference from source-only, the same seeds, is negative with its interval and test.

Cells are kept in `runs/bench-digits`, so that a stopped run goes on; `--part 0/2` and `--part 1/2` share them between two
processes, and a run without `--part` then gathers. `--quick` runs a tiny version, `--large` all digits for five times the steps
(for a GPU). Skipped where the data is absent.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.images import encoded
from acclimate.engine.storage import content_hash, read_json, write_json
from acclimate.engine.threads import one_thread
from acclimate.evaluate.validators import METHODS
from acclimate.evaluate.validators.base import Seen
from acclimate.evaluate.verdict import verdicts
from acclimate.tune.examples import Examples
from acclimate.tune.learn.base import Training
from acclimate.tune.run import build_course
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import build_terms
from benchmarks.common import keep
from benchmarks.pacs import FILE

FOLDER = FILE.parents[1] / "digits"
PARTS = Path("runs") / "bench-digits"
CLASSES = tuple("0123456789")
PAIRS = (("mnist", "usps"), ("usps", "mnist"))
SEEDS, SIZE, HELD, TEST = 5, 5_000, 500, 2_007
SETTINGS = {"steps": 600, "batch_size": 32, "lr": 2e-3}
#: All digits of either set, as far as there are any; written as another result.
LARGE, LARGE_SIZE = {"steps": 3_000, "batch_size": 64, "lr": 2e-3}, 60_000
QUICK = {"steps": 12, "batch_size": 16, "lr": 2e-3}
PLAIN = "source only"
ROUNDS = {"method": "self-training", "rounds": 2, "share": 1.0}
#: Candidates of each arm: a term of the loss with its weight, or a course.
ARMS: dict[str, list[dict[str, Any]]] = {
    PLAIN: [{}],
    "dan": [{"method": "dan", "weight": weight} for weight in (0.3, 1.0, 3.0)],
    "dann": [{"method": "dann", "weight": weight} for weight in (0.3, 1.0)],
    "cdan": [{"method": "cdan", "weight": weight} for weight in (0.3, 1.0)],
    "coral": [{"method": "coral", "weight": weight} for weight in (1.0, 10.0, 100.0)],
    "mcc": [{"method": "mcc", "weight": weight} for weight in (0.3, 1.0, 3.0)],
    "self-training": [{**ROUNDS, "balance": balance} for balance in (True, False)],
}
#: Figures of SKADA-Bench (chosen with target labels), and of Long 2018 for CDAN.
PUBLISHED = {("mnist", "usps"): {PLAIN: 94.2, "dan": 95.0, "dann": 92.6, "coral": 97.1, "mcc": 98.2, "cdan": 95.6},
             ("usps", "mnist"): {PLAIN: 73.4, "dan": 86.3, "dann": 86.8, "coral": 89.9, "mcc": 90.4, "cdan": 98.0}}  # fmt: skip
LABELS = "target labels"
#: Those that need the answers on the target alone.
VALIDATORS = ("entropy", "snd", "bnm")

#: What a cell found: validators, accuracy on the held labels, and which test digits are right.
Cell = dict[str, Any]
Cells = dict[tuple[str, int, int], Cell]


def main() -> None:
    if not (FOLDER / "mnist.npz").exists():
        sys.stdout.write(f"skipped: there is no '{FOLDER}'\n")
        return
    quick, large = "--quick" in sys.argv, "--large" in sys.argv
    part, parts = (int(number) for number in (sys.argv[sys.argv.index("--part") + 1] if "--part" in sys.argv else "0/1").split("/"))
    seeds, sizes, settings = SEEDS, (SIZE, SIZE, HELD, TEST), SETTINGS
    if quick:
        seeds, sizes, settings = 2, (200, 200, 100, 200), QUICK
    elif large:
        sizes, settings = (LARGE_SIZE, LARGE_SIZE, HELD, TEST), LARGE
    rows, costs = [], {}
    for pair in PAIRS:
        done = finished(pair, seeds, sizes, settings, part, parts)
        if parts == 1:
            rows += summary(pair, done, seeds)
            costs["-".join(pair)] = {arm: float(np.mean([done[arm, c, s]["cpu_seconds"] for s in range(seeds) for c in
                                                         range(len(ARMS[arm]))])) for arm in ARMS}  # fmt: skip
    if parts == 1:
        facts = {"seeds": seeds, "source": sizes[0], "target": sizes[1], "held": sizes[2], "test": sizes[3]}
        name = "digits-quick" if quick else "digits-large" if large else "digits"
        keep(name, **facts, settings=settings, rows=rows, cpu_seconds=costs)


def finished(pair: tuple[str, str], seeds: int, sizes: Sequence[int], settings: Mapping[str, Any], part: int, parts: int) -> Cells:
    """Every candidate with every seed; cells that are not kept yet are carried out, of several parts its own ones."""
    done: Cells = {}
    places = [(arm, number, seed) for seed in range(seeds) for arm in ARMS for number in range(len(ARMS[arm]))]
    for count, (arm, number, seed) in enumerate(places):
        place = PARTS / f"{content_hash('digits', pair, ARMS[arm][number], seed, list(sizes), settings)}.json"
        if not place.exists():
            if count % parts != part:
                continue
            with one_thread():
                write_json(place, carry_out(pair, ARMS[arm][number], seed, sizes, settings))
        cell = done[arm, number, seed] = read_json(place)
        right = float(np.mean(cell["correct"]))
        sys.stdout.write(f"{'→'.join(pair)}, seed {seed}, {arm} {ARMS[arm][number].get('weight', '')}: {right:.3f}\n")
        sys.stdout.flush()
    return done


def drawn(name: str, split: str, count: int, seed: int, first: int = 0) -> tuple[list[bytes], NDArray[np.int64]]:
    """``count`` digits of a part in an order that ``seed`` draws, after the first so many; of tests the first ones."""
    data = np.load(FOLDER / f"{name}.npz")
    order = np.arange(len(data[f"y_{split}"])) if split == "test" else np.random.default_rng(seed).permutation(len(data["y_train"]))
    chosen = order[first : first + count]
    return [encoded(picture) for picture in data[f"x_{split}"][chosen]], data[f"y_{split}"][chosen].astype(np.int64)


def carry_out(pair: tuple[str, str], spec: Mapping[str, Any], seed: int, sizes: Sequence[int], settings: Mapping[str, Any]) -> Cell:
    """Train one candidate once and look at it from all sides."""
    source, target = pair
    pictures, labels = drawn(source, "train", sizes[0], seed)
    unlabelled, _ = drawn(target, "train", sizes[1], seed, first=sizes[2])
    given = Examples(pictures, labels, np.ones(len(labels)), np.zeros(len(labels), dtype=bool), unlabelled)
    begun = time.process_time()
    course = spec.get("method") == "self-training"
    terms = build_terms([dict(spec)] if spec and not course else [])
    task = "image-classification"
    training = Training("small-cnn", given, CLASSES, TuneSettings.of(settings), terms, seed, task=task)
    model = build_course(spec).train(training) if course else training.run()
    spent = time.process_time() - begun
    scores = model.predict_proba(unlabelled[:1_000])
    held, held_labels = drawn(target, "train", sizes[2], seed)
    test, test_labels = drawn(target, "test", sizes[3], seed)
    return {
        **{name: METHODS[name]().score(Seen(scores)) for name in VALIDATORS},
        LABELS: float((model.predict_proba(held).argmax(1) == held_labels).mean()),
        "correct": (model.predict_proba(test).argmax(1) == test_labels).astype(int).tolist(),
        "cpu_seconds": spent,
    }


def summary(pair: tuple[str, str], done: Cells, seeds: int) -> list[dict[str, Any]]:
    """A row for each arm under each chooser, and one for what a chooser takes of all of them."""
    plain = {seed: np.asarray(done[PLAIN, 0, seed]["correct"]) for seed in range(seeds)}
    rows = []
    for chooser in (*VALIDATORS, LABELS):
        taken = {arm: [best(done, [arm], seed, chooser) for seed in range(seeds)] for arm in ARMS}
        taken["any"] = [best(done, list(ARMS), seed, chooser) for seed in range(seeds)]
        pairs = {arm: paired(cells, plain) for arm, cells in taken.items() if arm != PLAIN}
        compared = {comparison.arm: comparison for comparison in verdicts(pairs, PLAIN)}
        for arm, cells in taken.items():
            beside = compared.get(arm)
            rows.append(
                {
                    "pair": "→".join(pair),
                    "chooser": chooser,
                    "arm": arm,
                    "accuracy": 100 * float(np.mean([np.mean(cell["correct"]) for cell in cells])),
                    "published": PUBLISHED[pair].get(arm),
                    "difference": None if beside is None else 100 * beside.difference,
                    "low": None if beside is None else 100 * beside.low,
                    "high": None if beside is None else 100 * beside.high,
                    "verdict": "–" if beside is None else beside.verdict,
                }
            )
    return rows


def best(done: Cells, arms: Sequence[str], seed: int, chooser: str) -> Cell:
    """The candidate of some arms that a chooser likes most."""
    candidates = itertools.chain.from_iterable([done[arm, number, seed] for number in range(len(ARMS[arm]))] for arm in arms)
    return max(candidates, key=lambda cell: cell[chooser])


def paired(cells: Sequence[Cell], plain: Mapping[int, NDArray[np.int64]]) -> tuple[Any, Any, Any]:
    """Items, seeds and difference of correctness, one row for each item and seed."""
    count = len(plain[0])
    seeds = np.repeat(np.arange(len(cells)), count)
    difference = np.concatenate([np.asarray(cell["correct"]) - plain[seed] for seed, cell in enumerate(cells)])
    return np.tile(np.arange(count), len(cells)), seeds, difference


if __name__ == "__main__":
    main()
