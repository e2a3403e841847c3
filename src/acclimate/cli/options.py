"""Options that several commands share, and how their text becomes plain values."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from acclimate.errors import InputError, RunError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from acclimate.data.domain import Domain
    from acclimate.data.target import Target

Text = Annotated[str | None, typer.Option(help="The text column; guessed and announced where not named.")]
Image = Annotated[str | None, typer.Option(help="The column of pictures: bytes, or names of files.")]
Messages = Annotated[str | None, typer.Option(help="The column of conversations: lists of {role, content}.")]
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
SourceText = Annotated[str | None, typer.Option(help="The source's text column; guessed and announced where not named.")]
SourceLabel = Annotated[str | None, typer.Option(help="The source's label column.")]
SplitSeed = Annotated[int, typer.Option(help="Draws the test.")]
Seed = Annotated[int, typer.Option(help="Draws everything else.")]
Model = Annotated[str, typer.Option(help="asset:NAME, a Hugging Face name or a local folder.")]
OnBadRow = Annotated[str, typer.Option(help="fail: stop at the first bad row; skip: leave bad rows out and count them.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="A setting of the method, NAME=VALUE; may be repeated.")]
HardwareSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--hardware",
        help="How the machine is used, NAME=VALUE: device, precision, tf32, compile, accumulate, gradient_checkpointing, "
        "report_to, fsdp, fsdp_config, deepspeed; may be repeated.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and check everything, say what would be done, write nothing.")]
Out = Annotated[
    Path,
    typer.Option(help="The file to write; its ending chooses the format: .parquet, .jsonl, .csv, .tsv (also .gz, .zst, .bz2)."),
]
Workers = Annotated[int, typer.Option(help="Processes.", min=1)]


def names_folder(path: Path) -> bool:
    """Whether a name is that of a folder for parts or pictures: there is one, or it has no ending of a data file."""
    from acclimate.data import streams

    return streams.names_folder(path)


def parse_settings(given: list[str] | None) -> dict[str, Any]:
    """``["alpha=0.2", "operations=[swap]"]`` as a dict; values are read as YAML."""
    import yaml

    from acclimate.engine.yaml_loader import Loader

    values = {}
    for text in given or []:
        name, equals, value = text.partition("=")
        try:
            values[name.strip().replace("-", "_")] = yaml.load(value, Loader)
        except yaml.YAMLError:
            equals = ""
        if not equals or not name:
            raise InputError(f"--set {text}", expected="NAME=VALUE", fix="for example --set alpha=0.2")
    return values


def names_in(text: str | None) -> list[str]:
    """``"mmd, coral"`` as a list of names.

    >>> names_in("mmd, coral,"), names_in(None)
    (['mmd', 'coral'], [])
    """
    return [name for part in (text or "").split(",") if (name := part.strip())]


def check_file(out: Path) -> None:
    """Raise now what writing a data file would raise after the work.

    Raises:
        InputError: the name's ending is no format, or the path is a folder.
        RunError: its folder cannot be written.
    """
    from acclimate.data.streams import describe_formats, split_suffix

    try:
        split_suffix(out)
    except InputError as error:
        raise InputError(
            f"--out {out}", expected=describe_formats(), fix=f"for example --out {out.stem or 'out'}.parquet"
        ) from error
    if out.is_dir():
        raise InputError(f"--out {out} is a folder", expected="a file to write", fix="give the file a name")
    _check_place(out, out.absolute().parent)


def check_folder(out: Path) -> None:
    """The same for a folder to be made or filled."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file", expected="a folder", fix="choose another name")
    _check_place(out, out.absolute())


def _check_place(out: Path, folder: Path) -> None:
    from acclimate.engine.storage import check_local

    check_local(out)
    above = next(place for place in (folder, *folder.parents) if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise RunError(
            f"--out {out}: nothing can be written in '{above}'",
            expected="a folder that can be written",
            fix="choose another place",
        )


def read_source(paths: str, on_bad_row: str, **columns: str | None) -> Domain:
    """The source, with what reading it announced on standard error."""
    from acclimate.cli.output import note
    from acclimate.data.load import load

    domain = load(paths, on_bad_row=_on_bad_row(on_bad_row), **columns)
    for line in domain.notes:
        note(line)
    return domain


def read_target(
    path: str, test: str, split_seed: int, on_bad_row: str, *, needs_labels: bool = False, **columns: str | None
) -> Target:
    """The target. With ``--test none`` nothing of it is sealed; nor where it has no labels, which is announced, or refused."""
    from acclimate.cli.output import note
    from acclimate.data.make import make_target, open_target, parse_share, with_distinct_ids

    share = None if test == "none" else parse_share(test, "test")
    domain = read_source(path, on_bad_row, **columns)
    if test == "none":
        return open_target(domain)
    if not domain.classes:
        if needs_labels:
            raise InputError(
                f"'{path}' has no label column that was named or could be guessed, so no test can be sealed",
                expected="labels on the examples of the target",
                fix="name the column with --label, or use all rows with --test none",
            )
        note(f"'{path}': no labels were found, so nothing of it is sealed (--target-label names their column)")
        return open_target(domain)
    if not isinstance(share, str):
        return make_target(domain, test=test if share is None else share, seed=split_seed)
    sealed = with_distinct_ids(read_source(share, on_bad_row, **columns), [domain], "test")
    return make_target(domain, test=sealed, seed=split_seed)


def _on_bad_row(value: str) -> Literal["fail", "skip"]:
    if value == "skip":
        return "skip"
    if value != "fail":
        raise InputError(f"--on-bad-row {value}", expected="fail or skip", fix="--on-bad-row skip")
    return "fail"


def cleaned_of(
    examples: Domain | None,
    target: Target,
    kind: str,
    also: Mapping[str, Domain] | None = None,
    removed: Path | None = None,
) -> tuple[Domain | None, Target]:
    """Examples, and the target's own, without what repeats its test or a further one; what was removed is announced, and listed
    in the file ``removed``.
    """
    from acclimate.cli.output import note
    from acclimate.data.hygiene import cleaning
    from acclimate.data.write import write

    done = cleaning(examples, target, also)
    kept, cleaned = done.source, done.target
    if removed is not None:
        write(done.to_table(), removed)
        note(f"{len(done.removals)} removed rows, and why: {removed}")
    for name, before, after in ((kind, examples, kept), ("target", target.labelled, cleaned.labelled)):
        if before is not None and after is not None and len(after) < len(before):
            note(f"removed {len(before) - len(after)} {name} examples that repeat a test example")
    return kept, cleaned
