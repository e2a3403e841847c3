"""`acclimate select POOL TARGET --out FOLDER`: from pools that are read in pieces."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.cli.options import check_folder
from acclimate.cli.output import note, print_json, print_table, say

if TYPE_CHECKING:
    from acclimate.data.domain import Domain
    from acclimate.data.target import Target


def select_pool(
    source: str,
    read_target: Callable[[], Target],
    out: Path,
    *,
    columns: Mapping[str, Any],
    method: str,
    settings: Mapping[str, Any],
    budget: str,
    pick: Mapping[str, Any],
    seed: int,
    model: str,
    language_model: str,
    further: Callable[[], Mapping[str, Domain]],
    on_bad_row: Any,
    engine_name: str,
    workers: int,
    ray_address: str | None,
    parts: str,
    json: bool,
    dry_run: bool,
) -> None:
    """Select, or with ``dry_run`` say what it would take. Mistakes in the options are told before anything is read."""
    from acclimate.data.shards import pool as open_pool
    from acclimate.engine.base import engine as make_engine
    from acclimate.engine.build import build
    from acclimate.engine.process import start_light
    from acclimate.engine.progress import show
    from acclimate.select import METHODS
    from acclimate.select.base import Toolbox
    from acclimate.select.budget import Budget
    from acclimate.select.pick import Pick
    from acclimate.strategy.pools import estimate, select_stream

    start_light()
    check_folder(out)
    build(METHODS, "selector", method, settings, Toolbox().provided)
    Budget.parse(budget), Pick.parse(pick)
    engine = make_engine(engine_name, workers=workers, address=ray_address)
    pool = open_pool(source, on_bad_row=on_bad_row, **columns)
    job: dict[str, Any] = {
        "method": method,
        "budget": budget,
        "pick": pick,
        "seed": seed,
        "model": model,
        "language_model": language_model,
        "also": further(),
        **settings,
    }
    with show():
        target = read_target()
        if dry_run:
            found = estimate(pool, target, workers=workers, format=parts, started=time.process_time(), **job).to_dict()
        else:
            done = select_stream(pool, target, out, engine=engine, format=parts, **job)
    if dry_run:
        for line in pool.notes:
            note(line)
        _tell_estimate(found, method, out, json)
        return
    if json:
        print_json({"out": str(out), **done.manifest})
        return
    for line in done.notes:
        note(line)
    manifest = done.manifest
    shown = ("records", "bad_rows", "removed", "usable", *(["duplicates"] if "duplicates" in manifest else []), "kept")
    rows = [(name.replace("_", " "), f"{manifest[name]:,}") for name in shown]
    print_table(f"{manifest['method']}: kept {manifest['kept']:,} of {manifest['usable']:,}", ("", "examples"), rows)
    if manifest["removed"]:
        note(f"removed {manifest['removed']} examples that repeat a test example: {out / 'removed.parquet'}")
    say(f"written: {len(manifest['parts'])} parts and manifest.json in {out}")


def _tell_estimate(found: Mapping[str, Any], method: str, out: Path, json: bool) -> None:
    if json:
        print_json({"method": method, "out": str(out), **found})
        return
    mega = 1 << 20
    rows = [
        ("examples", f"{found['rows']:,}, of which {found['kept']:,} are kept"),
        ("time", f"{found['seconds']:,.1f} s, {found['cpu_seconds']:,.1f} CPU s"),
        ("memory", f"{found['memory_bytes'] / mega:,.0f} MB in each process"),
        ("disk", f"{found['disk_bytes']['at_most'] / mega:,.1f} MB at most, {found['disk_bytes']['kept'] / mega:,.1f} MB kept"),
        ("measured on", f"{found['measured_bytes'] / mega:,.1f} MB of the pool"),
    ]
    print_table(f"{method} into '{out}' would take", ("", "about"), rows)
    say("nothing was written")
