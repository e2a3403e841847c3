"""The `acclimate` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from acclimate.cli import info, runs, stages
from acclimate.cli.output import note
from acclimate.errors import AcclimateError

app = typer.Typer(
    name="acclimate",
    help="Bring a pre-trained model into a new domain, and prove whether it helped.",
    epilog="Exit codes: 0 done, 1 failed while running, 2 bad input or recipe, 3 interrupted (start again to continue).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(runs.demo)
app.command()(runs.run)
app.command()(stages.gap)
app.command()(stages.select)
app.command()(stages.augment)
app.command()(stages.tune)
app.command()(stages.evaluate)
app.command()(runs.compare)
app.command()(info.methods)
app.command()(info.doctor)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and end.")) -> None:
    """Bring a pre-trained model into a new domain, and prove whether it helped."""
    if version:
        from acclimate import __version__

        typer.echo(f"acclimate {__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; every foreseen failure is one message and a documented exit code, never a traceback."""
    try:
        app(arguments)
    except AcclimateError as error:
        note(f"acclimate: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        note("acclimate: interrupted. What was finished is kept; the same command continues from there.")
        sys.exit(3)
    sys.exit(0)


if __name__ == "__main__":
    main()
