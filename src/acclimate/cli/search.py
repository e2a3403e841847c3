"""`acclimate search`: the settings of one arm of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acclimate.cli.output import note, print_json, print_table, say
from acclimate.cli.runs import Json, Language, Out, RecipeFile
from acclimate.errors import InputError

if TYPE_CHECKING:
    from acclimate.strategy.search.found import Found, TrialResult

#: Trials shown; the file holds all of them.
_SHOWN = 10


def search(
    recipe: RecipeFile,
    trials: Annotated[int | None, typer.Option(help="How many trials; 30 by default.", min=1)] = None,
    sampler: Annotated[str | None, typer.Option(help="grid, random, tpe (default) or cma-es.")] = None,
    pruner: Annotated[str | None, typer.Option(help="none (default), successive-halving or hyperband.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core where trials train, else 1.", min=1)] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Where trials are kept: a URL such as postgresql://user@host/base, which several machines may share; "
            "SQLite in the run's folder by default."
        ),
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="No trial begins after so many seconds.", min=0.001)] = None,
    out: Out = None,
    language: Language = None,
    json: Json = False,
) -> None:
    """Settings of one arm: trials, the best with its uncertainty, what matters, and whether it is all noise."""
    from acclimate.engine.progress import show
    from acclimate.pipeline import run_folder
    from acclimate.recipe import read_recipe
    from acclimate.search import PLACE
    from acclimate.search import search as carry_out

    read = read_recipe(recipe)
    if language is not None:
        if language not in ("en", "zh"):
            raise InputError(f"Unknown language '{language}'", expected="en or zh", fix="--language zh")
        read = read.model_copy(update={"report": read.report.model_copy(update={"language": language})})
    with show():
        found = carry_out(
            read,
            out,
            trials=trials,
            sampler=sampler,
            pruner=pruner,
            workers=workers,
            storage=storage,
            seconds=seconds,
            announce=note,
        )
    place = run_folder(read, out) / PLACE
    if json:
        print_json({**found.to_dict(), "report": str(place / "report.html"), "folder": str(place)})
    else:
        _print(found, place)


def _print(found: Found, place: Path) -> None:
    complete = found.complete
    measured = f"{found.folds} folds" if found.folds else "a part held out"
    title = f"{found.target}, {found.line}, {found.fidelity}: the best of {len(found.trials)} trials, {measured} × {found.repeats}"
    columns = ("trial", "accuracy %", "against the best", "95% interval", "may be the best", *found.space)
    print_table(f"\n{title}", columns, [_row(trial, list(found.space)) for trial in complete[:_SHOWN]])
    say(f"\nThe recipe's own settings: {100 * found.default_accuracy:.1f}%")
    if found.importance:
        say("Importance: " + ", ".join(f"{name} {share:.0%}" for name, share in found.importance.items()))
    for line in found.notes:
        say(f"Note: {line}")
    gain = found.gain
    if gain is not None:
        interval = f"{100 * gain.low:+.1f} … {100 * gain.high:+.1f}"
        say(
            f"Trial {gain.trial} against the recipe's settings on {gain.draws} fresh repetitions: "
            f"{100 * gain.difference:+.1f} points, 95% interval {interval} and p {gain.p_corrected:.3f}, "
            f"both corrected for {gain.looked_at} trials: {gain.verdict}"
        )
    if found.recommended:
        from acclimate.strategy.search.run import to_recipe

        say("Verdict: set " + ", ".join(to_recipe(found.recommended)))
    else:
        say("Verdict: keep the recipe's settings.")
    say(f"Report:  {place / 'report.html'}")


def _row(trial: TrialResult, names: list[str]) -> tuple[str, ...]:
    against = trial.against
    told = [f"{value:.3g}" if isinstance(value := trial.settings.get(name, ""), float) else str(value) for name in names]
    accuracy = f"{100 * (trial.accuracy or 0):.1f}"
    if against is None or against.low == against.high == 0:
        return (str(trial.number), accuracy, "best" if against else "", "", "yes" if against else "", *told)
    interval = f"{100 * against.low:+.1f} … {100 * against.high:+.1f}"
    return (
        str(trial.number),
        accuracy,
        f"{100 * against.difference:+.1f}",
        interval,
        "yes" if against.may_be_best else "no",
        *told,
    )
