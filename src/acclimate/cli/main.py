"""The `acclimate` command."""

from __future__ import annotations

import atexit
import errno
import gc
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from acclimate.cli import advice, distinct, export, info, runs, search, selection, stages
from acclimate.cli.output import note
from acclimate.engine.process import collect_rarely
from acclimate.errors import AcclimateError, InterruptedRunError

#: Failures of the place that files are written to, which any library below may meet: a user's to mend, no fault of the program.
_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


class _Commands(TyperGroup):
    """Turns Ctrl-C into our own error: left to itself, typer ends with a code of its own and says nothing."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise InterruptedRunError(
                "Interrupted", fix="start the same command again: what was finished is kept, and it continues from there"
            ) from error


app = typer.Typer(
    name="acclimate",
    cls=_Commands,
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
app.command()(selection.select)
app.command()(selection.models)
app.command()(distinct.distinct)
app.command()(stages.augment)
app.command()(stages.policy)
app.command()(stages.tune)
app.command()(stages.evaluate)
app.command()(runs.compare)
app.command()(search.search)
app.command()(advice.advise)
app.command()(export.export)
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
    collect_rarely()
    atexit.register(gc.freeze)  # looking through all objects once more before they go takes the interpreter half a second
    try:
        app(arguments)
    except AcclimateError as error:
        note(f"acclimate: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _PLACE:
            raise
        place = f"'{error.filename}': " if error.filename else ""
        note(f"acclimate: {place}{error.strerror}. Expected: a writable folder with free space. Fix: choose another, or free some.")
        sys.exit(1)
    sys.exit(0)


if __name__ == "__main__":
    main()
