"""`acclimate demo`, `run` and `compare`: a whole recipe at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acclimate.cli.output import note, print_json, print_table, say, say_plan
from acclimate.errors import InputError

if TYPE_CHECKING:
    from acclimate.evaluate.verdict import Comparison
    from acclimate.recipe import Recipe
    from acclimate.strategy.estimate import Estimate
    from acclimate.strategy.outcome import ArmResult, Outcome
    from acclimate.strategy.outcome import NegativeTransfer as Suspects

RecipeFile = Annotated[Path, typer.Argument(help="A recipe (YAML); examples/ holds some to start from.")]
Out = Annotated[Path | None, typer.Option(help="The run folder; runs/NAME by default.")]
Full = Annotated[bool, typer.Option("--full", help="Fine-tune every arm, not only the best one against the best control.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would run, and what it would take.")]
NegativeTransfer = Annotated[
    bool,
    typer.Option("--negative-transfer", help="Leave out each augmentation and each source domain, to name those that hurt."),
]
Language = Annotated[str | None, typer.Option(help="Language of the report: en or zh.")]

_VERDICTS = {"helped": "green", "no evidence": "yellow", "hurt": "red"}


def demo(
    name: Annotated[str, typer.Argument(help="Which demo: text, image, zh or llm.")] = "text",
    target: Annotated[
        str | None,
        typer.Option(help="Of text, the target domain: tweets, movie, amazon or nyt (default); of llm, one of 20 Newsgroups."),
    ] = None,
    labels: Annotated[int, typer.Option(help="How many target labels are learned from.", min=10)] = 100,
    out: Out = None,
    full: Full = False,
    language: Language = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """The whole job on packaged data with a packaged model."""
    from acclimate.demo import demo_recipe

    if name == "llm":
        _demo_llm(target or "sci.med", out or Path("runs") / "demo-llm", json, dry_run)
        return
    recipe = _changed(demo_recipe(name, target=target, labels=labels), full, language)
    _carry_out(recipe, out, keep_model=False, json=json, dry_run=dry_run)


def _demo_llm(subject: str, out: Path, json: bool, dry_run: bool) -> None:
    from acclimate.demo.llm import METHODS, rows, run_llm
    from acclimate.engine.progress import show

    if dry_run:
        say_plan(f"train SmolLM2 on {' and on '.join(METHODS)} passages and measure it on {subject}", json, subject=subject)
        return
    with show():
        outcome = run_llm(subject, out, announce=note)
    if json:
        print_json({**dataclasses.asdict(outcome), "folder": str(out)})
        return
    columns = ("model", "tokens", "of it", "bits per byte", "against base", "elsewhere", "forgotten", "seconds")
    print_table(f"\nSmolLM2 on held-out {subject}; elsewhere: film reviews; 95% intervals over texts", columns, rows(outcome))
    found = outcome.difference
    figures = f"{found.mean:+.3f} bits per byte, 95% interval {found.low:+.3f} … {found.high:+.3f}"
    say(f"Verdict: {outcome.verdict}. Chosen by {METHODS[0]} against {METHODS[1]}, at equal tokens: {figures}")
    say(f"Written: {out}")


def run(
    recipe: RecipeFile,
    out: Out = None,
    full: Full = False,
    language: Language = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """A recipe from data to report, keeping the recommended model."""
    from acclimate.recipe import read_recipe

    _carry_out(_changed(read_recipe(recipe), full, language), out, keep_model=True, json=json, dry_run=dry_run)


def compare(
    recipe: RecipeFile,
    out: Out = None,
    full: Full = False,
    negative_transfer: NegativeTransfer = False,
    language: Language = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """A recipe's arms against the controls: evidence, verdicts, report."""
    from acclimate.recipe import read_recipe

    asked = _changed(read_recipe(recipe), full, language)
    asked = asked.model_copy(update={"negative_transfer": True}) if negative_transfer else asked
    _carry_out(asked, out, keep_model=False, json=json, dry_run=dry_run)


def _changed(recipe: Recipe, full: bool, language: str | None) -> Recipe:
    """The recipe with what the command line changes."""
    if full:
        recipe = recipe.model_copy(update={"confirm": recipe.confirm.model_copy(update={"all_arms": True})})
    if language is None:
        return recipe
    if language not in ("en", "zh"):
        raise InputError(f"Unknown language '{language}'", expected="en or zh", fix="--language zh")
    return recipe.model_copy(update={"report": recipe.report.model_copy(update={"language": language})})


def _carry_out(recipe: Recipe, out: Path | None, *, keep_model: bool, json: bool, dry_run: bool) -> None:
    from acclimate import pipeline
    from acclimate.engine.progress import show

    with show():
        if dry_run:
            estimate = pipeline.prepare(recipe, note).estimate()
        else:
            verb = pipeline.run if keep_model else pipeline.compare
            outcome = verb(recipe, out, announce=note)
    folder = pipeline.run_folder(recipe, out)
    if dry_run:
        _print_estimate(estimate, json)
    elif json:
        print_json({**_summary(outcome), "report": str(folder / "report.html"), "folder": str(folder)})
    else:
        _print_outcome(outcome, folder)


def _print_estimate(estimate: Estimate, json: bool) -> None:
    if json:
        print_json(
            {"units": estimate.units, "seconds": estimate.seconds, "memory_mib": estimate.memory_mib, "disk_mib": estimate.disk_mib}
        )
        return
    rows = [(stage, round(seconds, 1)) for stage, seconds in estimate.seconds.items()]
    print_table(
        "What this recipe would take on this machine", ("stage", "seconds"), [*rows, ("total", round(estimate.total_seconds, 1))]
    )
    units = ", ".join(f"{count} × {fidelity}" for fidelity, count in estimate.units.items())
    say(f"units of work: {units}; memory about {estimate.memory_mib:.0f} MiB; disk about {estimate.disk_mib:.0f} MiB")
    say("Nothing was run. Vectors that the cache holds and units already done will be reused.")


def _summary(outcome: Outcome) -> dict[str, object]:
    return {
        "name": outcome.name,
        "recommended": outcome.recommended,
        "reason": outcome.reason,
        "best_control": outcome.best_control,
        "results": outcome.results,
        "hygiene": outcome.hygiene,
        "notes": outcome.notes,
        "ranking": outcome.ranking,
        "negative_transfer": outcome.negative_transfer,
    }


def _print_outcome(outcome: Outcome, folder: Path) -> None:
    for fidelity in dict.fromkeys(result.fidelity for result in outcome.results):
        rows = [_row(result) for result in outcome.results if result.fidelity == fidelity]
        kind = "frozen features" if fidelity == "probe" else "fine-tuned"
        title = f"{outcome.target}, {kind}, {outcome.seeds[fidelity]} seeds, {outcome.sizes['test']} test examples"
        columns = ("arm", "accuracy %", "against best control", "95% interval", "p (Holm)", "verdict")
        print_table(f"\n{title}", columns, rows, _VERDICTS)
    if outcome.negative_transfer is not None:
        _print_suspects(outcome.negative_transfer)
    say()
    control = outcome.best_control["probe"]
    if outcome.ranking is not None:
        say(_offered(outcome))
    elif outcome.recommended == control:
        say(f"Verdict: do not adapt further. No arm was shown better than '{control}' on validation; use '{control}'.")
    else:
        say(f"Verdict: use '{outcome.recommended}'. Validation shows it better than the best control, '{control}'.")
    say(f"Report:  {folder / 'report.html'}")


def _print_suspects(found: Suspects) -> None:
    """What having each thing does, against the same without it."""
    rows = [(suspect.kind, suspect.name, *_row_of(suspect.comparison)) for suspect in found.suspects if suspect.kind != "arm"]
    if rows:
        columns = ("kind", "name", "what having it does", "95% interval", "p (Holm)", "verdict")
        print_table("\nNegative transfer: each against the same without it, frozen features", columns, rows, _VERDICTS)
    for told in found.notes:
        say(told)
    named = ", ".join(f"{suspect.kind} '{suspect.name}'" for suspect in found.culprits)
    say(f"Shown to hurt: {named or 'nothing'}.")


def _offered(outcome: Outcome) -> str:
    """The verdict where no label could choose."""
    reason = outcome.reason
    assert outcome.ranking is not None
    kept = f"Verdict: use '{reason['control']}'. Without labels no arm can be shown better."
    if reason["key"] == "gate.not_offered":
        return f"{kept} None of them is ranked above it by {reason['validator']} either."
    return f"{kept} On offer: '{reason['arm']}', {outcome.ranking.failures.sentence}."


def _row(result: ArmResult) -> tuple[str, ...]:
    accuracy = f"{100 * sum(result.scores['accuracy']) / len(result.scores['accuracy']):.1f}"
    compared = result.comparison
    name = f"{result.name} (control)" if result.is_control else result.name
    if compared is None:
        return (name, accuracy, "best control", "", "", "")
    return (name, accuracy, *_row_of(compared))


def _row_of(compared: Comparison) -> tuple[str, str, str, str]:
    interval = f"{100 * compared.low:+.1f} … {100 * compared.high:+.1f}"
    return (f"{100 * compared.difference:+.1f}", interval, f"{compared.p_corrected:.3f}", compared.verdict)
