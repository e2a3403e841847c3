"""`acclimate export`: for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli.options import Json, check_folder, parse_settings
from acclimate.cli.output import note, print_json, say


def export(
    what: Annotated[
        list[Path], typer.Argument(help="The folder of a run or of an adapted model, or files that `select` and `augment` wrote.")
    ],
    to: Annotated[str, typer.Option(help="transformers (a model); llama-factory, axolotl, trl, parquet or jsonl (data).")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    arm: Annotated[str | None, typer.Option(help="Of a run: whose data; the recommended arm's by default.")] = None,
    form: Annotated[str | None, typer.Option(help="text, prompt (the label is the answer) or chat; what the examples are.")] = None,
    model: Annotated[str | None, typer.Option(help="The base model that the configuration names.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A training setting for the configuration, NAME=VALUE: lr, steps, ...")
    ] = None,
    json: Json = False,
) -> None:
    """Write an adapted model as a plain one of transformers, or the data of an arm with a ready configuration."""
    from acclimate.engine.progress import show
    from acclimate.export.run import export as carry_out

    check_folder(out)
    with show():
        done = carry_out(what, out, to=to, arm=arm, form=form, model=model, settings=parse_settings(settings) or None)
    if json:
        print_json({"out": str(done.folder), "to": done.to, "rows": done.rows, "notes": done.notes, "command": done.command})
        return
    for line in done.notes:
        note(line)
    rows = f", {done.rows} rows" if done.rows else ""
    say(f"written for {done.to}: {done.folder}{rows}" + (f"; next: {done.command}" if done.command else ""))
