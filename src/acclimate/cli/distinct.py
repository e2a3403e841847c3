"""`acclimate distinct`: a pool without its near duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from acclimate.cli.options import DomainColumn, DryRun, Id, Json, Label, Messages, OnBadRow, Text, Workers, check_folder
from acclimate.cli.output import note, print_json, print_table, say, say_plan

PoolFile = Annotated[str, typer.Argument(metavar="POOL", help="A file, a pattern such as 'pool/*.jsonl.zst', or a URL.")]


def distinct(
    source: PoolFile,
    out: Annotated[Path, typer.Option(help="A folder for the parts, duplicates.parquet and manifest.json.")],
    threshold: Annotated[float, typer.Option(help="From which Jaccard similarity on two texts are near duplicates.")] = 0.8,
    words: Annotated[int, typer.Option(help="Length of the n-grams that are compared; 1 ignores order, 5 suits web pages.")] = 1,
    permutations: Annotated[int, typer.Option(help="Hash functions: more of them judge more exactly.")] = 128,
    text: Text = None,
    messages: Messages = None,
    label: Label = None,
    domain: DomainColumn = None,
    id: Id = None,  # noqa: A002 - the option's name
    workers: Workers = 1,
    engine: Annotated[str, typer.Option(help="What runs them: local, or ray.")] = "local",
    ray_address: Annotated[
        str | None, typer.Option(help="A Ray cluster to join; one is started on this machine without it.")
    ] = None,
    parts: Annotated[str, typer.Option(help="The format of parts: parquet, jsonl, jsonl.gz, jsonl.zst, csv.")] = "parquet",
    on_bad_row: OnBadRow = "fail",
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Keep the first of all rows that are nearly alike, of a pool of any size, which is read in pieces."""
    from acclimate.data.shards import pool as open_pool
    from acclimate.engine.base import engine as make_engine
    from acclimate.engine.progress import show
    from acclimate.select.stream.distinct import check_settings
    from acclimate.select.stream.distinct import distinct as keep_distinct

    check_folder(out)
    settings: dict[str, Any] = {"words": words, "permutations": permutations, "threshold": threshold}
    check_settings(**settings)
    runner = make_engine(engine, workers=workers, address=ray_address)
    columns = {"text": text, "messages": messages, "label": label, "domain": domain, "id": id}
    pool = open_pool(source, on_bad_row=on_bad_row, **columns)  # type: ignore[arg-type]  # the word is checked there
    if dry_run:
        plan = f"compare {pool.bytes:,} bytes in {len(pool.shards)} pieces and write what is distinct into '{out}'"
        say_plan(plan, json, bytes=pool.bytes, pieces=len(pool.shards), out=str(out), **settings)
        return
    with show():
        done = keep_distinct(pool, out, engine=runner, format=parts, **settings)
    if json:
        print_json({"out": str(out), **done.manifest})
        return
    for line in done.notes:
        note(line)
    manifest = done.manifest
    shown = ("records", "bad_rows", "usable", "duplicates", "clusters", "largest_cluster", "kept")
    rows = [(name.replace("_", " "), f"{manifest[name]:,}") for name in shown]
    print_table(f"kept {manifest['kept']:,} of {manifest['usable']:,}", ("", "count"), rows)
    say(f"written: {len(manifest['parts'])} parts, duplicates.parquet and manifest.json in {out}")
