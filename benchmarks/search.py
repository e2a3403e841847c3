"""Which way of searching finds good settings first? `make bench-search`, about an hour on two cores; a stopped run goes on.

Five cells (two domains of blitzer_amazon, two of icwsm4, the computer groups of 20 Newsgroups; 100 target labels, a source of
1,500) under the probe: what share of the source a domain classifier keeps, how much a target label weighs, the probe's penalty.
Each trial is validated on 5 folds, twice. Grid, random, TPE and Hyperband (random points) with five seeds; each has the same budget
of fits, of which Hyperband spends fewer on a trial. Best-found validation accuracy of complete trials against fits. Then twenty
trials on one study by four processes, of which one is killed (SIGKILL) within a trial: none may be lost or doubled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.data.domain import Domain, concatenate
from acclimate.data.hygiene import clean, without_repeats
from acclimate.data.load import load
from acclimate.data.make import make_target
from acclimate.data.packaged import icwsm4, newsgroups20
from acclimate.engine.storage import content_hash, read_json, write_json
from acclimate.features.embeddings import Embedder
from acclimate.models.reference import resolve
from acclimate.pipeline import at_most
from acclimate.strategy.arms import Arm, Method
from acclimate.strategy.plan import Plan
from acclimate.strategy.search.asked import Asked
from acclimate.strategy.search.candidate import Candidate
from acclimate.strategy.search.judge import Judge
from acclimate.strategy.search.space import Choice, Dimension, Range, grid
from acclimate.strategy.search.study import WORKER
from acclimate.strategy.search.work import Job, carry_out_job
from acclimate.strategy.units import Bench
from benchmarks.common import keep

SHARED = Path(__file__).parents[2] / "shared" / "data"
PARTS = Path("runs") / "bench-search"
FIGURE = Path(__file__).parents[1] / "docs" / "images" / "search.svg"
MODEL = "asset:minilm"
CELLS = ("blitzer kitchen", "blitzer books", "icwsm4 nyt", "icwsm4 movie", "newsgroups comp")
LABELS, SOURCE, TEST, FOLDS, REPEATS = 100, 1500, 1000, 5, 2
SPACE: Mapping[str, Dimension] = {
    "C": Range(0.04, 400.0, log=True),
    "target_weight": Range(0.5, 50.0, log=True),
    "budget": Choice(("5%", "20%", "50%", "80%")),
}
ARM = Arm("selected", select=Method("classifier"), budget="20%")
#: Sampler and pruner behind each name.
WAYS = {"grid": ("grid", "none"), "random": ("random", "none"), "tpe": ("tpe", "none"), "hyperband": ("random", "hyperband")}
#: Trials of those that carry each out in full; a budget is so many times the fits of one.
TRIALS, SEEDS = 40, 5
#: Hyperband may begin so many times as many trials within the same fits.
MORE = 3


def quick() -> bool:
    return "--quick" in sys.argv


def budget() -> int:
    """Fits that every way of searching has."""
    return (6 if quick() else TRIALS) * FOLDS * REPEATS


@functools.cache
def bench(cell: str) -> Bench:
    """The material of one cell, cleaned of what repeats its test or a label that may be held out."""
    data, _, part = cell.partition(" ")
    source, own = _newsgroups(part) if data == "newsgroups" else _domains(data, part)
    target = make_target(own, test=min(TEST, len(own) // 2))
    cleaned, target = clean(at_most(source, SOURCE), target)
    assert cleaned is not None
    apart = without_repeats(cleaned, target.labelled)
    embed = Embedder(MODEL, max_length=128)
    plan = Plan(apart, target, (ARM,), model=MODEL, name=cell, labels=LABELS, folds=FOLDS)
    made = Bench(plan, embed, resolve(MODEL).fingerprint, None)
    made.warm()
    return made


def _domains(data: str, part: str) -> tuple[Domain, Domain]:
    """The other domains as the source of one."""
    if data == "icwsm4":
        parts = icwsm4()
        return concatenate("others", [domain for name, domain in parts.items() if name != part]), parts[part]
    whole = load(SHARED / "blitzer_amazon" / "data.parquet", text="text", label="label", domain="domain")
    mine = np.array(whole.domains) == part
    return whole.take(np.flatnonzero(~mine), "others"), whole.take(np.flatnonzero(mine), part)


def _newsgroups(part: str) -> tuple[Domain, Domain]:
    """Groups of one kind, of earlier months as the source of later ones."""
    found = []
    for split in ("train", "test"):
        domain = newsgroups20(split)  # type: ignore[arg-type]  # one of its two
        rows = [row for row, label in enumerate(domain.labels) if str(label).startswith(part)]
        found.append(domain.take(rows, f"{part}-{split}"))
    return found[0], found[1]


def present() -> list[str]:
    """Cells whose data is here."""
    there = (SHARED / "blitzer_amazon").exists()
    if not there:
        sys.stdout.write(f"skipped blitzer: its data is not in '{SHARED}'\n")
    return [cell for cell in CELLS if there or not cell.startswith("blitzer")]


def job_of(cell: str, way: str, seed: int) -> Job:
    """One search."""
    sampler, pruner = WAYS[way]
    fits = FOLDS * REPEATS
    trials = budget() // fits * (MORE if pruner != "none" else 1)
    asked = Asked(sampler=sampler, pruner=pruner, trials=trials, repeats=REPEATS, seed=seed, space=SPACE)
    return Job(bench(cell), Candidate(ARM), asked, SPACE, FOLDS)


def path_of(cell: str, way: str, seed: int) -> dict[str, Any]:
    """Trials in order: the fits behind each, and its accuracy where it is complete."""
    place = PARTS / f"{content_hash('search', cell, way, seed, budget(), repr(sorted(SPACE.items())), LABELS, SOURCE)}.json"
    if not place.exists():
        begun = time.process_time()
        trials = carry_out_job(job_of(cell, way, seed)).trials()
        rows = [(len(trial.intermediate_values), trial.value if trial.state.name == "COMPLETE" else None) for trial in trials]
        write_json(place, {"trials": rows, "cpu_seconds": time.process_time() - begun})
    found: dict[str, Any] = read_json(place)
    return found


def best_found(trials: list[tuple[int, float | None]], at: list[int]) -> list[float]:
    """The best complete trial within so many fits; NaN before the first one."""
    spent, best, curve = 0, float("nan"), []
    steps = []
    for fits, accuracy in trials:
        spent += fits
        best = best if accuracy is None else float(np.nanmax([best, accuracy]))
        steps.append((spent, best))
    for budgeted in at:
        reached = [value for fits, value in steps if fits <= budgeted]
        curve.append(reached[-1] if reached else float("nan"))
    return curve


def curves(cells: list[str], seeds: int, at: list[int]) -> list[dict[str, Any]]:
    """One row for each cell and way: mean and spread over seeds of the best found, and how far it is from the best of any way."""
    rows = []
    for cell in cells:
        found = {way: np.array([best_found(path_of(cell, way, seed)["trials"], at) for seed in range(seeds)]) for way in WAYS}
        ceiling = np.nanmax([curve[:, -1] for curve in found.values()], axis=0)
        default = _default(cell, seeds)
        for way, curve in found.items():
            seconds = [path_of(cell, way, seed)["cpu_seconds"] for seed in range(seeds)]
            rows.append(
                {
                    "cell": cell,
                    "way": way,
                    "fits": at,
                    "best": [float(value) for value in curve.mean(axis=0)],
                    "spread": [float(value) for value in curve.std(axis=0)],
                    "regret": [float(value) for value in (ceiling[:, None] - curve).mean(axis=0)],
                    "default": default,
                    "cpu_seconds": float(np.mean(seconds)),
                }
            )
            sys.stdout.write(f"{cell}, {way}: {rows[-1]['best'][-1]:.3f} (default {default:.3f})\n")
            sys.stdout.flush()
    return rows


def _default(cell: str, seeds: int) -> float:
    """Accuracy of the settings that nobody searched, on the same validation."""
    place = PARTS / f"{content_hash('default', cell, seeds, LABELS, SOURCE)}.json"
    if not place.exists():
        judges = [Judge(bench(cell), "probe", FOLDS, seed=seed) for seed in range(seeds)]
        write_json(place, float(np.mean([judge.measure(Candidate(ARM), range(REPEATS)).accuracy for judge in judges])))
    return float(read_json(place))


def four_workers(cell: str) -> dict[str, Any]:
    """Twenty trials by four processes, one of them killed within a trial; what the database holds afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "trials.db"
        asked = Asked(sampler="random", trials=20, repeats=REPEATS, space=SPACE)
        job = Job(bench(cell), Candidate(ARM), asked, SPACE, FOLDS, base, 4)
        study = job.study()
        killed: list[tuple[int, int]] = []
        killer = threading.Thread(target=_kill_one, args=(base, killed), daemon=True)
        killer.start()
        begun = time.monotonic()
        carry_out_job(job)
        wall = time.monotonic() - begun
        killer.join(timeout=1)
        trials = study.trials()
        with contextlib.closing(sqlite3.connect(base)) as opened:
            recorded = opened.execute("SELECT count(*) FROM trials").fetchone()[0]
    alone = carry_out_job(dataclasses.replace(job, storage=None, workers=1)).trials()
    again = bool(killed) and trials[killed[0][1]].system_attrs[WORKER]["pid"] != killed[0][0]
    return {
        "cell": cell,
        "wanted": 20,
        "recorded": recorded,
        "complete": sum(trial.state.name == "COMPLETE" for trial in trials),
        "processes": len({trial.system_attrs[WORKER]["pid"] for trial in trials}),
        "killed": len(killed),
        "done_again": again,
        "as_one_worker": [(t.params, t.value) for t in trials] == [(t.params, t.value) for t in alone],
        "wall_seconds": wall,
    }


def _kill_one(base: Path, killed: list[tuple[int, int]]) -> None:
    """Kill a worker that is known to be within a trial: it is stopped first, then looked up."""
    question = (
        "SELECT a.value_json, t.number FROM trials t JOIN trial_system_attributes a ON a.trial_id = t.trial_id "
        "WHERE t.state = 'RUNNING' AND a.key = ?"
    )

    def running() -> dict[int, int]:
        with contextlib.closing(sqlite3.connect(f"file:{base}?mode=ro", uri=True, timeout=60)) as opened:
            return {json.loads(sign)["pid"]: number for sign, number in opened.execute(question, (WORKER,))}

    while not killed:
        for pid in running():
            os.kill(pid, signal.SIGSTOP)
            number = running().get(pid)
            os.kill(pid, signal.SIGCONT if number is None else signal.SIGKILL)
            if number is not None:
                killed.append((pid, number))
                return
        time.sleep(0.02)


def draw(rows: list[dict[str, Any]], place: Path) -> None:
    """The best found against fits, a panel for each cell."""
    import altair as alt
    import pyarrow as pa

    points = [
        {"cell": row["cell"], "way": row["way"], "fits": fits, "accuracy, %": 100 * value}
        for row in rows
        for fits, value in zip(row["fits"], row["best"], strict=True)
        if np.isfinite(value)
    ]
    lines = alt.Chart(pa.Table.from_pylist(points)).mark_line(interpolate="step-after")
    chart = lines.encode(
        alt.X("fits:Q", scale=alt.Scale(type="log", nice=False)),
        alt.Y("accuracy\\, %:Q", scale=alt.Scale(zero=False)),
        alt.Color("way:N", sort=list(WAYS)),
    )
    place.parent.mkdir(parents=True, exist_ok=True)
    faceted = chart.properties(width=190, height=150).facet("cell:N", columns=3).resolve_scale(y="independent")
    faceted.properties(title="Best-found validation accuracy, mean over seeds").save(str(place))


def main() -> None:
    """All cells, or with `--quick` one cell, two seeds and six trials."""
    cells, seeds = (["icwsm4 nyt"], 2) if quick() else (present(), SEEDS)
    whole = budget()
    at = sorted({round(share * whole) for share in (0.1, 0.15, 0.25, 0.4, 0.6, 0.8, 1.0)})
    rows = curves(cells, seeds, at)
    workers = four_workers(cells[0] if quick() else "icwsm4 nyt")
    sys.stdout.write(f"{workers}\n")
    draw(rows, PARTS / FIGURE.name if quick() else FIGURE)
    facts = {"trials": whole // (FOLDS * REPEATS), "points": len(grid(SPACE)), "labels": LABELS, "source": SOURCE}
    name = "search-quick" if quick() else "search"
    keep(name, rows=rows, workers=workers, seeds=seeds, folds=FOLDS, repeats=REPEATS, budget=whole, **facts)


if __name__ == "__main__":
    from benchmarks import search  # the parts are named by the module's own name

    search.main()
