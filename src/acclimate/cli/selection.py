"""`acclimate select` and `acclimate models`: which source data, and which base model, suit a target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acclimate.cli.options import (
    DomainColumn,
    DryRun,
    Id,
    Image,
    Json,
    Label,
    Messages,
    Model,
    OnBadRow,
    Seed,
    Settings,
    SplitSeed,
    TargetLabel,
    TargetText,
    Test,
    Text,
    check_file,
    cleaned_of,
    names_folder,
    names_in,
    parse_settings,
    read_source,
    read_target,
)
from acclimate.cli.output import note, print_json, print_table, say, say_plan
from acclimate.cli.stages import SourceFile, TargetFile
from acclimate.errors import InputError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from acclimate.data.domain import Domain
    from acclimate.select.base import Selection
    from acclimate.select.task.rank import TaskRanking

#: The method that speaks for each family of selectors.
FAMILIES = {"similarity": "knn", "task": "logme", "importance": "classifier"}


def select(
    source: SourceFile,
    target: TargetFile,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The file to write: .parquet, .jsonl, .csv, .tsv (also .gz, .zst, .bz2); without it a table is shown. A name "
            "without such an ending is a folder: the pool is then read in pieces, whatever its size, and parts are written."
        ),
    ] = None,
    method: Annotated[str | None, typer.Option(help="A selector; `acclimate methods` lists them.")] = None,
    by: Annotated[str | None, typer.Option(help="A family: similarity, task (ranks the source domains) or importance.")] = None,
    budget: Annotated[str, typer.Option(help="How much is kept: 5000, 20% or '2M tokens' (by the tokenizer of --model).")] = "20%",
    pick: Annotated[
        list[str] | None,
        typer.Option(
            help="How rows are taken: top, gumbel, facility-location, k-center; per=class or per=domain; distinct=true; "
            "temperature=0.1; ... May be repeated."
        ),
    ] = None,
    settings: Settings = None,
    text: Text = None,
    image: Image = None,
    messages: Messages = None,
    label: Label = None,
    domain: DomainColumn = None,
    id: Id = None,  # noqa: A002 - the option's name
    target_text: TargetText = None,
    target_label: TargetLabel = None,
    model: Model = "asset:minilm",
    language_model: Annotated[str, typer.Option(help="For methods that read with a causal language model.")] = "asset:smollm2",
    test: Test = "0.3",
    decontaminate: Annotated[
        list[str] | None, typer.Option(help="A further test file that no kept row may repeat; may be repeated.")
    ] = None,
    removed: Annotated[
        Path | None, typer.Option(help="Write what was removed for repeating a test, and why, to this file.")
    ] = None,
    split_seed: SplitSeed = 0,
    seed: Seed = 0,
    on_bad_row: OnBadRow = "fail",
    workers: Annotated[int, typer.Option(help="Processes, for a pool that is read in pieces.", min=1)] = 1,
    engine: Annotated[str, typer.Option(help="What runs them: local, or ray.")] = "local",
    ray_address: Annotated[
        str | None, typer.Option(help="A Ray cluster to join; one is started on this machine without it.")
    ] = None,
    parts: Annotated[
        str, typer.Option(help="The format of parts in a folder: parquet, jsonl, jsonl.gz, jsonl.zst, csv.")
    ] = "parquet",
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Keep the source examples that help the target, with scores and reasons."""
    if out is not None and names_folder(out):
        if removed is not None:
            raise InputError(
                f"--removed {removed} beside a folder",
                expected="no such option: what was removed is listed in removed.parquet in the folder",
                fix="leave it out",
            )
        from acclimate.cli.pools import select_pool

        columns: dict[str, Any] = {"text": text, "image": image, "messages": messages, "label": label}
        select_pool(
            source,
            lambda: read_target(
                target, test, split_seed, on_bad_row, **{**columns, "text": target_text or text, "label": target_label or label}
            ),
            out,
            columns={**columns, "domain": domain, "id": id},
            method=_method(method, by),
            settings=parse_settings(settings),
            budget=budget,
            pick=_pick(pick),
            seed=seed,
            model=model,
            language_model=language_model,
            further=lambda: {path: read_source(path, on_bad_row, **columns) for path in decontaminate or []},
            on_bad_row=on_bad_row,
            engine_name=engine,
            workers=workers,
            ray_address=ray_address,
            parts=parts,
            json=json,
            dry_run=dry_run,
        )
        return
    _check_in_memory(workers, engine, ray_address)
    from acclimate.data.write import write
    from acclimate.engine.build import build
    from acclimate.engine.progress import show
    from acclimate.select import METHODS
    from acclimate.select.base import Toolbox
    from acclimate.select.budget import Budget
    from acclimate.select.pick import Pick
    from acclimate.strategy.select import select as choose

    for place in (out, removed):
        if place is not None:
            check_file(place)
    name = _method(method, by)
    chosen = parse_settings(settings)
    build(METHODS, "selector", name, chosen, Toolbox().provided)  # a mistake is told before the files are read
    amount, taking = Budget.parse(budget), Pick.parse(_pick(pick))
    roles: dict[str, Any] = {"text": text, "image": image, "messages": messages, "label": label}
    pool = read_source(source, on_bad_row, domain=domain, id=id, **roles)
    there = {**roles, "text": target_text or text, "label": target_label or label}
    wanted = read_target(target, test, split_seed, on_bad_row, **there)
    further = {path: read_source(path, on_bad_row, **roles) for path in decontaminate or []}
    read = pool
    cleaned, wanted = cleaned_of(pool, wanted, "source", further, None if dry_run else removed)
    assert cleaned is not None
    if dry_run:
        place_told = f" and write '{out}'" if out else ""
        plan = f"score {len(cleaned)} source examples with '{name}', keep {amount} ({taking}){place_told}"
        say_plan(plan, json, method=name, of=len(cleaned), budget=str(amount), pick=str(taking), out=str(out or ""))
        return
    ranking = None
    with show():
        if by == "task":
            ranking = _ranking(cleaned, wanted, model)
        picked = choose(
            cleaned,
            wanted,
            method=name,
            budget=amount,
            pick=taking,
            seed=seed,
            model=model,
            language_model=language_model,
            **chosen,
        )
    for line in picked.notes:
        note(line)
    if out is not None:
        write(_writable(picked, read, out), out)
    _tell(picked, cleaned, ranking, out, json)


def _check_in_memory(workers: int, engine: str, address: str | None) -> None:
    """A pool that is held in memory is not shared among workers."""
    if workers > 1 or engine != "local" or address is not None:
        raise InputError(
            "Workers and engines serve pools that are read in pieces, into a folder",
            expected="--out with the name of a folder, such as --out picked/",
            fix="name a folder, or leave --workers, --engine and --ray-address out",
        )


def _method(method: str | None, by: str | None) -> str:
    """The method that was named, or that of the family that was."""
    if by is not None and by not in FAMILIES:
        raise unknown_name("family of selectors", by, FAMILIES)
    return method or FAMILIES.get(by or "", "classifier")


def _pick(given: list[str] | None) -> dict[str, Any]:
    """``["gumbel", "per=class"]`` as a mapping."""
    named = [text for text in given or [] if "=" in text]
    ways = [text for text in given or [] if "=" not in text]
    if len(ways) > 1:
        raise InputError(f"--pick names {len(ways)} ways: {', '.join(ways)}", expected="one of them", fix="leave one")
    return {**({"how": ways[0]} if ways else {}), **parse_settings(named)}


def _ranking(source: Domain, target: Any, model: str) -> TaskRanking:
    from acclimate.select.task.rank import rank_domains
    from acclimate.strategy.select import toolbox

    return rank_domains(source, target, toolbox(model=model))


def _writable(picked: Selection, read: Domain, out: Path) -> Any:
    """The kept rows as a table; pictures go into Parquet only."""
    table = picked.to_table(read)
    if read.modality == "image" and ".parquet" not in out.name:
        note("the pictures themselves are only written to Parquet; this file names them by id and position")
        return table.drop_columns(["image"])
    return table


def _tell(picked: Selection, source: Domain, ranking: TaskRanking | None, out: Path | None, json: bool) -> None:
    kept = picked.to_domain().domains
    counts = {name: kept.count(name) for name in dict.fromkeys(source.domains)}
    if json:
        facts = {"out": str(out or ""), "method": picked.method, "kept": len(picked), "of": len(source), "by_domain": counts}
        print_json(facts | ({"ranking": ranking.to_dict()} if ranking else {}))
        return
    if ranking is not None:
        by_domain = {
            name: {method: score for method, found in ranking.scores.items() for score in found if score.name == name}
            for name in ranking.mean_rank
        }
        tell_ranking(f"Source domains for {ranking.target}", "source domain", by_domain, ranking.mean_rank)
        for line in ranking.notes:
            note(line)
    sizes = {name: source.domains.count(name) for name in counts}
    rows = [(name, sizes[name], kept, f"{100 * kept / sizes[name]:.1f}") for name, kept in counts.items()]
    print_table(f"{picked.method}: kept {len(picked)} of {len(source)}", ("source domain", "examples", "kept", "kept %"), rows)
    say(f"written: {out}" if out else "nothing was written: name a file with --out to keep the selection")


def tell_ranking(title: str, kind: str, scores: Mapping[str, Mapping[str, Any]], mean_rank: Mapping[str, float]) -> None:
    """Every score of everything that is ranked, best first, with its interval and how often it came first among resamples.

    Args:
        scores: by name of what is ranked, its scores by name.
    """
    rows = [
        (name if first else "", f"{rank:.1f}" if first else "", score, *_figures(found))
        for name, rank in mean_rank.items()
        for first, (score, found) in zip([True] + [False] * len(scores[name]), scores[name].items(), strict=False)
    ]
    print_table(title, (kind, "mean rank", "score", "value", "95% interval", "came first"), rows)


def _figures(score: Any) -> tuple[str, str, str]:
    interval = "" if score.low is None or score.high is None else f"{score.low:.3g} … {score.high:.3g}"
    return f"{score.score:.3g}", interval, "" if score.first is None else f"{100 * score.first:.0f}%"


def models(
    target: TargetFile,
    rank: Annotated[
        str | None, typer.Option("--rank", help="Models to rank, separated by commas; the packaged encoders by default.")
    ] = None,
    text: Text = None,
    image: Image = None,
    messages: Messages = None,
    label: Label = None,
    test: Test = "0.3",
    split_seed: SplitSeed = 0,
    seed: Seed = 0,
    on_bad_row: OnBadRow = "fail",
    json: Json = False,
) -> None:
    """Rank pre-trained models by how well they suit the target, from its labelled examples, without fine-tuning any."""
    from acclimate.engine.progress import show
    from acclimate.strategy.models import rank_models

    wanted = read_target(
        target, test, split_seed, on_bad_row, needs_labels=True, text=text, image=image, messages=messages, label=label
    )
    with show():
        ranking = rank_models(names_in(rank) or None, wanted, seed=seed)
    if json:
        print_json(ranking.to_dict())
        return
    title = f"Models for {ranking.target}, from {ranking.examples} labelled examples"
    tell_ranking(title, "model", ranking.scores, ranking.mean_rank)
    for line in ranking.notes:
        note(line)
