"""`acclimate advise`: what to try on these data, and why, before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from acclimate.cli.options import (
    DomainColumn,
    Image,
    Json,
    Label,
    OnBadRow,
    Seed,
    SplitSeed,
    TargetLabel,
    TargetText,
    Test,
    Text,
    read_source,
    read_target,
)
from acclimate.cli.output import note, print_json, print_table, say
from acclimate.errors import InputError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from acclimate.data.domain import Domain
    from acclimate.data.shards import Pool
    from acclimate.features.base import Embed
    from acclimate.report.advised import Told
    from acclimate.report.wording import Words


def advise(
    source: Annotated[str, typer.Argument(help="A recipe (YAML), or the source: a file, a pattern, hf:NAME or asset:NAME.")],
    target: Annotated[str | None, typer.Argument(help="The target's file, where SOURCE is no recipe.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="Write a recipe of the suggested arms, which `compare` runs.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the advice as one HTML page.")] = None,
    task: Annotated[str | None, typer.Option(help="text-classification, image-classification or causal-lm.")] = None,
    labels: Annotated[int | None, typer.Option(help="Advise for so many target labels, drawn by the seed.", min=0)] = None,
    minutes: Annotated[float | None, typer.Option(help="Leave out arms of which one seed takes longer.")] = None,
    fidelity: Annotated[
        str | None, typer.Option(help="probe (frozen features) or fine-tune; the second by default where there is a GPU.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Measure distances on this model's vectors, not on words or thumbnails.")
    ] = None,
    sample: Annotated[int, typer.Option(help="Most rows of a side that are looked at.", min=10)] = 800,
    most: Annotated[int, typer.Option(help="How many suggestions.", min=1)] = 8,
    stream: Annotated[
        bool, typer.Option("--stream", help="Look into a few places of a large source, without reading all.")
    ] = False,
    language: Annotated[str, typer.Option(help="en or zh.")] = "en",
    text: Text = None,
    image: Image = None,
    label: Label = None,
    domain: DomainColumn = None,
    target_text: TargetText = None,
    target_label: TargetLabel = None,
    test: Test = "0.3",
    split_seed: SplitSeed = 0,
    seed: Seed = 0,
    on_bad_row: OnBadRow = "fail",
    json: Json = False,
) -> None:
    """Which ways to adapt are worth trying on these data, and why: seconds, and nothing is trained."""
    from acclimate import advising
    from acclimate.data.shards import pool as open_pool
    from acclimate.engine.progress import show
    from acclimate.report.advised import tell
    from acclimate.report.render import write_advice
    from acclimate.report.wording import words_in
    from acclimate.strategy.advise.run import advise as ask

    words = words_in(language)
    if fidelity not in (None, "probe", "fine-tune"):
        raise unknown_name("fidelity", str(fidelity), ("probe", "fine-tune"))
    with show():
        if target is None:
            given = advising.read_given(_recipe(source), note)
        else:
            here: dict[str, Any] = {"text": text, "image": image, "label": label, "domain": domain}
            there: dict[str, Any] = {"text": target_text or text, "image": image, "label": target_label or label, "domain": domain}
            if stream:
                pool: Domain | Pool = open_pool(source, on_bad_row=cast("Any", on_bad_row), **here)
            else:
                pool = read_source(source, on_bad_row, **here)
            wanted = read_target(target, test, split_seed, on_bad_row, **there)
            named = {"source": _named(source, here), "target": {**_named(target, there), **_split(test, split_seed)}}
            given = advising.Given(pool, wanted, named)
        if labels is not None:
            drawn = {"labels": labels} if labels else {}
            named = {**given.named, "target": {**given.named["target"], **drawn}}
            given = advising.Given(given.source, advising.with_labels(given.target, labels), named)
        advice = ask(
            given.source,
            given.target,
            task=cast("Any", task),
            fidelity=cast("Any", fidelity),
            minutes=minutes,
            most=most,
            embed=_embedder(model),
            sample=sample,
            seed=seed,
        )
    if recipe is not None:
        advising.write_recipe(advice, given, recipe)
        note(f"written: {recipe}")
    if html is not None:
        write_advice(advice, html, words.language)
        note(f"written: {html}")
    if json:
        print_json(advice.to_dict())
    else:
        _print(tell(advice, words), words)


def _recipe(source: str) -> str:
    if not source.endswith((".yaml", ".yml")):
        raise InputError(
            f"`acclimate advise {source}` names no target",
            expected="SOURCE TARGET, or a recipe (a .yaml file)",
            fix="add the target's file",
        )
    return source


def _named(path: str, columns: Mapping[str, str | None]) -> dict[str, Any]:
    """A part of a recipe: paths are written whole, since a recipe's are relative to its folder."""
    local = not path.startswith(("asset:", "hf:"))
    place = str(Path(path).expanduser().absolute()) if local else path
    return {"path": place, **{role: column for role, column in columns.items() if column}}


def _split(test: str, seed: int) -> dict[str, Any]:
    """How the test was drawn; where none was, a recipe draws its own."""
    from acclimate.data.make import parse_share

    share = None if test == "none" else parse_share(test, "test")
    if share is None:
        return {}
    place = str(Path(share).expanduser().absolute()) if isinstance(share, str) else share
    return {"test": place, "split_seed": seed}


def _embedder(model: str | None) -> Embed | None:
    if model is None:
        return None
    from acclimate.features.embeddings import Embedder

    return Embedder(model)


def _print(told: Told, words: Words) -> None:
    """The advice for a person: the headline, what to try, the tree, what was left out."""

    def column(*names: str) -> list[str]:
        return [words(f"advise.column.{name}").unescape() for name in names]

    def title(name: str) -> str:
        return "\n" + words(f"advise.{name}").unescape()

    say(told.title)
    say(told.read)
    print_table(title("measured"), column("trait", "value"), [*told.measured, *((name, gap) for name, _, gap in told.parts)])
    rows = [
        (str(number), one.name, one.gain, one.interval, one.seconds, _listed(one.reasons), _listed(one.risks))
        for number, one in enumerate(told.rows, 1)
    ]
    print_table(title("ranked"), column("rank", "arm", "gain", "interval", "seconds", "reasons", "risks"), rows)
    holding = [branch for branch in told.tree if branch.holds]
    tree = [(f"{branch.number}", branch.rule, branch.compared, branch.origin) for branch in holding]
    print_table(title("tree"), column("rank", "rule", "value", "origin"), tree)
    if told.excluded:
        print_table(title("excluded"), column("arm", "lacks"), told.excluded)
    say()
    say(told.headline)
    say(told.basis)


def _listed(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers))
