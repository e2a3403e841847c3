"""Options that several commands share, and how their text becomes plain values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from acclimate.errors import InputError

if TYPE_CHECKING:
    from acclimate.data.domain import Domain
    from acclimate.data.target import Target

Source = Annotated[list[str], typer.Argument(help="Source files.")]
Text = Annotated[str | None, typer.Option(help="The text column; guessed and announced where not named.")]
Label = Annotated[str | None, typer.Option(help="The label column.")]
DomainColumn = Annotated[str | None, typer.Option("--domain", help="The column that names each row's domain.")]
Id = Annotated[str | None, typer.Option(help="The column of unique ids.")]
TargetText = Annotated[str | None, typer.Option(help="The target's text column, where it differs.")]
TargetLabel = Annotated[str | None, typer.Option(help="The target's label column, where it differs.")]
Test = Annotated[
    str,
    typer.Option(
        help="What of TARGET is sealed for the test: a share, a count, a file, or 'none'. "
        "The same value and split seed keep the same rows apart in every command."
    ),
]
SplitSeed = Annotated[int, typer.Option(help="Draws the test.")]
Seed = Annotated[int, typer.Option(help="Draws everything else.")]
Model = Annotated[str, typer.Option(help="asset:NAME, a Hugging Face name or a local folder.")]
OnBadRow = Annotated[str, typer.Option(help="fail: stop at the first bad row; skip: leave bad rows out and count them.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="A setting of the method, NAME=VALUE; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and check everything, say what would be done, write nothing.")]
Out = Annotated[
    Path,
    typer.Option(help="The file to write; its ending chooses the format: .parquet, .jsonl, .csv, .tsv (also .gz, .zst, .bz2)."),
]
Workers = Annotated[int, typer.Option(help="Processes.", min=1)]


def parse_settings(given: list[str] | None) -> dict[str, Any]:
    """``["alpha=0.2", "operations=[swap]"]`` as a dict; values are read as YAML."""
    import yaml

    values = {}
    for text in given or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"--set {text}", expected="NAME=VALUE", fix="for example --set alpha=0.2")
        values[name.strip().replace("-", "_")] = yaml.safe_load(value)
    return values


def read_source(paths: str, on_bad_row: str, **columns: str | None) -> Domain:
    """The source, with what reading it announced on standard error."""
    from acclimate.cli.output import note
    from acclimate.data.load import load

    domain = load(paths, on_bad_row=_on_bad_row(on_bad_row), **columns)
    for line in domain.notes:
        note(line)
    return domain


def read_target(path: str, test: str, split_seed: int, on_bad_row: str, **columns: str | None) -> Target:
    """The target; without labels, or with ``--test none``, nothing of it is sealed."""
    from acclimate.data.make import make_target, open_target

    domain = read_source(path, on_bad_row, **columns)
    if test == "none" or not domain.classes:
        return open_target(domain)
    sealed = read_source(test, on_bad_row, **columns) if Path(test).suffix and Path(test).exists() else test
    return make_target(domain, test=sealed, seed=split_seed)


def _on_bad_row(value: str) -> Literal["fail", "skip"]:
    if value == "skip":
        return "skip"
    if value != "fail":
        raise InputError(f"--on-bad-row {value}", expected="fail or skip", fix="--on-bad-row skip")
    return "fail"
