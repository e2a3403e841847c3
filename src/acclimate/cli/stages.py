"""`acclimate gap`, `select`, `augment`, `tune` and `evaluate`: one stage on files, each usable alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from acclimate.cli.options import (
    DomainColumn,
    DryRun,
    HardwareSettings,
    Id,
    Json,
    Label,
    Messages,
    Model,
    OnBadRow,
    Seed,
    Settings,
    SourceLabel,
    SourceText,
    SplitSeed,
    TargetLabel,
    TargetText,
    Test,
    Text,
    Workers,
    check_file,
    check_folder,
    cleaned_of,
    names_folder,
    names_in,
    parse_settings,
    read_source,
    read_target,
)
from acclimate.cli.output import note, print_json, print_table, say, say_plan
from acclimate.errors import unknown_name

if TYPE_CHECKING:
    from acclimate.data.domain import Domain
    from acclimate.tune.rehearsal import Rehearsal

SourceFile = Annotated[str, typer.Argument(help="The source: a file, a pattern such as 'pool/*.jsonl', or hf:NAME.")]
TargetFile = Annotated[str, typer.Argument(help="The target: a file of examples, labelled or not.")]
_MINILM = "asset:minilm"


def gap(
    source: SourceFile,
    target: TargetFile,
    methods: Annotated[str | None, typer.Option(help="Which measures, separated by commas; all by default.")] = None,
    text: Text = None,
    label: Label = None,
    domain: DomainColumn = None,
    target_text: TargetText = None,
    target_label: TargetLabel = None,
    model: Model = _MINILM,
    test: Test = "0.3",
    split_seed: SplitSeed = 0,
    seed: Seed = 0,
    on_bad_row: OnBadRow = "fail",
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """How far apart source and target are, for the whole source and each of its domains."""
    from acclimate.engine.progress import show
    from acclimate.gap import METHODS
    from acclimate.gap.measure import gap as measure

    names = names_in(methods) or list(METHODS)
    for name in names:
        if name not in METHODS:
            raise unknown_name("gap method", name, METHODS)
    pool = read_source(source, on_bad_row, text=text, label=label, domain=domain)
    wanted = read_target(target, test, split_seed, on_bad_row, text=target_text or text, label=target_label or label)
    counts = {"source": len(pool), "target": len(wanted.inputs)}
    if dry_run:
        plan = f"measure {', '.join(names)} between {counts['source']} source and {counts['target']} target examples"
        say_plan(plan, json, methods=names, examples=counts)
        return
    with show():
        report = measure(pool, wanted, methods=names if methods else None, model=model, seed=seed)
    for line in report.notes:
        note(line)
    if json:
        print_json(report.to_dict())
        return
    rows = [
        (
            name,
            method,
            f"{result.value:.4g}",
            _interval(result.low, result.high),
            "" if result.p_value is None else f"{result.p_value:.3f}",
            result.warning,
        )
        for name, results in {"all": report.results, **report.by_domain}.items()
        for method, result in results.items()
    ]
    print_table(
        f"Gap from {report.source} to {report.target}", ("source domain", "measure", "value", "95% interval", "p", "warning"), rows
    )


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.4g} … {high:.4g}"


def augment(
    file: Annotated[str, typer.Argument(help="Labelled target examples (training rows only: never the test).")],
    out: Annotated[
        Path,
        typer.Option(
            help="The file to write; its ending chooses the format: .parquet, .jsonl, .csv, .tsv (also .gz, .zst, .bz2). "
            "Of pictures a .parquet file, or a folder, which becomes class/picture.png."
        ),
    ],
    method: Annotated[str, typer.Option(help="An augmenter; `acclimate methods` lists them.")] = "eda",
    times: Annotated[
        int | None,
        typer.Option(help="New examples per example; 4 by default, 1 for balance (classes as large as the largest).", min=1),
    ] = None,
    predict: Annotated[
        str | None,
        typer.Option(help="The model whose errors are followed (error-driven): a folder that `tune` wrote; a probe by default."),
    ] = None,
    style: Annotated[str | None, typer.Option(help="For methods of style: pictures of another domain, a file or a folder.")] = None,
    settings: Settings = None,
    guard: Annotated[
        list[str] | None,
        typer.Option(
            help="Guards that new examples pass; all by default: none, no-NAME, NAME, NAME.SETTING=VALUE; may be repeated. "
            "`acclimate methods` lists them."
        ),
    ] = None,
    removed: Annotated[Path | None, typer.Option(help="Write what the guards refused, and why, to this file.")] = None,
    model: Annotated[str | None, typer.Option(help="The encoder of the guards' teacher; a packaged one by default.")] = None,
    text: Text = None,
    messages: Messages = None,
    label: Label = None,
    id: Id = None,  # noqa: A002 - the option's name
    test: Test = "0.3",
    split_seed: SplitSeed = 0,
    seed: Seed = 0,
    workers: Workers = 1,
    on_bad_row: OnBadRow = "fail",
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Make new target examples, each with its origin; the test part is split off first and never augmented.

    Interrupted, the same command goes on where it stopped.
    """
    from acclimate.augment.guard.run import Guards
    from acclimate.augment.run import context_of, expander, times_of
    from acclimate.augment.to_file import augment_to_file
    from acclimate.data.write import check_pictures, write
    from acclimate.engine.progress import show
    from acclimate.strategy.augment import ENCODERS, teacher_for
    from acclimate.strategy.predict import predictor

    if names_folder(out):
        check_folder(out)
    else:
        check_file(out)
    if removed is not None:
        check_file(removed)
    guards = Guards.parse(guard)
    chosen = parse_settings(settings)
    lenders = read_source(style, on_bad_row) if style else None
    grower = expander(method, chosen, style=lenders)  # a mistake is told before the file is read
    labelled = not getattr(grower, "reads_unlabelled", False)
    columns = {"text": text, "messages": messages, "label": label, "id": id}
    examples = read_target(file, test, split_seed, on_bad_row, needs_labels=labelled, **columns)
    # A child of what repeats a test example would be a child of that.
    lenders, examples = cleaned_of(lenders, examples, "style")
    if not len(examples.labelled):
        examples = dataclasses.replace(examples, labelled=examples.unlabelled)
    parents = examples.labelled if len(examples.labelled) else examples.unlabelled
    if parents.modality == "image":
        check_pictures(out, parents.table.schema)
    else:
        check_file(out)
    if len(examples.test):
        note(f"{len(examples.test)} examples are set apart for the test and not augmented (--test none augments all)")
    if dry_run:
        many = times_of(grower, times)
        asked = predictor(predict, model or _MINILM)
        whole = expander(method, chosen, predict=asked, style=lenders, training=parents)
        whole.expand(parents.take([]), many, seed)  # tells what is missing
        plan = f"make {many} examples of each of {len(parents)} with '{method}' and write '{out}'"
        if method == "balance":
            plan = f"balance the classes of {len(parents)} examples and write '{out}'"
        say_plan(plan, json, method=method, parents=len(parents), made=many * len(parents), out=str(out))
        return
    with show():
        sieve = None
        if guards.checks:
            sieve = guards.sieve(context_of(examples, parents, teacher_for(parents.modality, model=model), seed))
        grown = augment_to_file(
            parents,
            out,
            method=method,
            times=times,
            seed=seed,
            workers=workers,
            style=lenders,
            predict=predictor(predict, model or _MINILM),
            sieve=sieve,
            off=guards.off,
            models=(model or ENCODERS[parents.modality], predict or ""),
            **chosen,
        )
    for line in grown.notes:
        note(line)
    if grown.kept:
        note(f"{grown.kept} of {grown.chunks} chunks were there from an earlier start")
    if removed is not None:
        write(grown.removed, removed)
        note(f"{grown.removed.num_rows} refused examples, and why: {removed}")
    if json:
        facts = {"out": str(out), "method": method, "parents": len(parents), "made": grown.made}
        print_json({**facts, "refused": dict(grown.refused)})
        return
    content = dict(zip(parents.ids, parents.contents, strict=True)) if grown.samples else {}
    pairs = [(made, _shown(cast("str | bytes", content[parent]))) for parent, made in grown.samples]
    print_table(f"{method}: {grown.made} examples from {len(parents)}", ("made", "from"), pairs)
    say(f"written: {out}")


def policy(
    file: Annotated[str, typer.Argument(help="Labelled target examples.")],
    out: Annotated[Path | None, typer.Option(help="Write the trials to this file.")] = None,
    methods: Annotated[str | None, typer.Option(help="Augmenters that may be used, separated by commas.")] = None,
    trials: Annotated[int, typer.Option(help="Policies tried.", min=1)] = 20,
    seconds: Annotated[float | None, typer.Option(help="No new trial begins after so long.")] = None,
    folds: Annotated[int, typer.Option(help="Folds of the validation.", min=2)] = 5,
    settings: Settings = None,
    guard: Annotated[list[str] | None, typer.Option(help="As for `acclimate augment`.")] = None,
    storage: Annotated[Path | None, typer.Option(help="An SQLite file: a search that was stopped goes on from there.")] = None,
    model: Annotated[str | None, typer.Option(help="The encoder of the inner learner.")] = None,
    text: Text = None,
    label: Label = None,
    id: Id = None,  # noqa: A002 - the option's name
    test: Test = "0.3",
    split_seed: SplitSeed = 0,
    seed: Seed = 0,
    on_bad_row: OnBadRow = "fail",
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Search which augmenters, how many examples and how strong, on validation alone; the answer may be: none."""
    from acclimate.augment.guard.run import Guards
    from acclimate.data.write import write
    from acclimate.engine.progress import show
    from acclimate.strategy.policy import build_settings, search_policy

    if out is not None:
        check_file(out)
    guards = Guards.parse(guard)
    told = {"methods": names_in(methods), "trials": trials, "seconds": seconds, "folds": folds, **parse_settings(settings)}
    asked = build_settings(told)
    examples = read_target(file, test, split_seed, on_bad_row, needs_labels=True, text=text, label=label, id=id)
    _, examples = cleaned_of(None, examples, "")
    if dry_run:
        names = asked.names(examples.labelled.modality)
        plan = f"try {asked.trials} policies of {', '.join(names)} on {len(examples.labelled)} labelled examples"
        say_plan(plan, json, methods=list(names), trials=asked.trials)
        return
    with show():
        found = search_policy(examples, asked, seed=seed, guard=guards, model=model, storage=storage)
    for line in found.notes:
        note(line)
    if out is not None:
        write(found.trials, out)
    if json:
        best = dataclasses.asdict(found.comparison) if found.comparison else None
        print_json({"recommended": found.policy.to_recipe(), "best": found.best.to_recipe(), "comparison": best})
        return
    rows = [
        (c.arm, f"{100 * c.difference:+.1f}", f"{100 * c.low:+.1f} … {100 * c.high:+.1f}", f"{c.p_corrected:.3f}", c.verdict)
        for c in found.finalists
    ]
    print_table("Against no augmentation, fresh draws", ("policy", "points", "95% interval", "p (Holm)", "verdict"), rows)
    say(f"recommended: {found.policy}")


def _shown(content: str | bytes) -> str:
    """A text, or a picture in a few words."""
    from acclimate.data.images import described

    return content if isinstance(content, str) else described(content)


def tune(
    model: Annotated[str, typer.Argument(help="asset:NAME, a Hugging Face name or a local folder.")],
    target: TargetFile,
    out: Annotated[Path, typer.Option(help="The folder for the adapted model.")],
    source: Annotated[str | None, typer.Option(help="Source examples to learn from as well, such as what `select` wrote.")] = None,
    augmented: Annotated[str | None, typer.Option(help="Generated examples, such as what `augment` wrote.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A training setting, NAME=VALUE: lr, steps, batch_size, ...")
    ] = None,
    objectives: Annotated[str, typer.Option(help="Further terms of the loss, separated by commas, such as mixup.")] = "",
    learn: Annotated[str | None, typer.Option(help="Trains in several rounds, such as self-training.")] = None,
    pretrain: Annotated[
        list[str] | None, typer.Option(help="What happens before: dapt, tapt, vocabulary, or '{method: tapt, steps: 50}'.")
    ] = None,
    corpus: Annotated[str | None, typer.Option(help="Texts of the domain for these stages; the source where not given.")] = None,
    replay: Annotated[str | None, typer.Option(help="General examples that fill a share of each batch (--set replay=0.1).")] = None,
    task: Annotated[str | None, typer.Option(help="text-classification, image-classification, causal-lm or masked-lm.")] = None,
    hardware: HardwareSettings = None,
    text: Text = None,
    label: Label = None,
    source_text: SourceText = None,
    source_label: SourceLabel = None,
    test: Test = "0.3",
    split_seed: SplitSeed = 0,
    seed: Seed = 0,
    on_bad_row: OnBadRow = "fail",
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Fine-tune a model on target, source and generated examples."""
    import yaml

    from acclimate.engine.progress import show
    from acclimate.tune.bases import LANGUAGE, task_of
    from acclimate.tune.hardware import Hardware
    from acclimate.tune.learn.stages import build_stages
    from acclimate.tune.run import build_course
    from acclimate.tune.run import tune as train
    from acclimate.tune.settings import TuneSettings
    from acclimate.tune.terms import build_terms

    check_folder(out)
    training = TuneSettings.of(parse_settings(settings))
    means = Hardware.of(parse_settings(hardware))
    terms = build_terms(names_in(objectives))
    stages = build_stages([yaml.safe_load(stage) for stage in pretrain or ()])
    if learn is not None:
        build_course(learn)
    aim = task or task_of(model, "text")
    wanted = read_target(target, test, split_seed, on_bad_row, needs_labels=aim not in LANGUAGE, text=text, label=label)
    more, wanted = cleaned_of(read_source(corpus, on_bad_row) if corpus else None, wanted, "corpus")
    known, wanted = cleaned_of(read_source(replay, on_bad_row) if replay else None, wanted, "replay")
    pool = read_source(source, on_bad_row, text=source_text, label=source_label) if source else None
    pool, wanted = cleaned_of(pool, wanted, "source")
    grown, wanted = cleaned_of(read_source(augmented, on_bad_row) if augmented else None, wanted, "augmented")
    counts = {"target": len(wanted.labelled), "source": len(pool or ()), "augmented": len(grown or ())}
    how: dict[str, Any] = {"source": pool, "augmented": grown, "replay": known, "objectives": terms}
    how |= {"settings": training, "seed": seed, "task": task, "hardware": means}
    if dry_run:
        from acclimate.tune.rehearsal import rehearse_tune

        with show():
            told = rehearse_tune(model, wanted, **how)
        plan = f"fine-tune '{model}' for {training.steps} steps on {counts} and save it in '{out}'"
        say_plan(plan, json, trained_on=counts, steps=training.steps, out=str(out), takes=dataclasses.asdict(told))
        if not json:
            _tell_rehearsal(told)
            if stages or learn:
                note("these figures are of one fine-tuning: stages before it (--pretrain) and further rounds (--learn) come on top")
        return
    with show():
        adapted = train(model, wanted, pretrain=stages, corpus=more, learn=learn, folder=out, **how)
    parts = adapted.about["hardware"]["parts"]
    if means.accumulate == "auto" and parts > 1:
        note(f"memory did not hold {training.batch_size} examples at once: each batch was taken in {parts} parts")
    if json:
        print_json({"out": str(out), "trained_on": counts, "steps": training.steps})
    else:
        say(f"trained on {counts}; saved in {out}")


def _tell_rehearsal(told: Rehearsal) -> None:
    parts = f" in {told.parts} parts" if told.parts > 1 else ""
    share = 100 * told.trainable / told.parameters
    rows = [
        ("parameters", f"{told.parameters:,}, of which {told.trainable:,} ({share:.3g}%) are trained"),
        ("memory", f"{told.memory_mib:,.0f} MiB at most ({told.device}, {told.precision})"),
        ("time", f"{told.seconds:,.0f} s: {told.steps:,} steps of {told.step_seconds:.3g} s{parts}"),
        ("start, end", f"{told.start_seconds:.1f} s, {told.end_seconds:.1f} s"),
        ("checkpoints", f"{told.checkpoints} of {told.checkpoint_seconds:.2g} s"),
    ]
    print_table("What this training would take on this machine", ("", "about"), rows)


def evaluate(
    model: Annotated[str, typer.Argument(help="A folder that `tune` or `run` wrote.")],
    target: TargetFile,
    text: Text = None,
    label: Label = None,
    general: Annotated[str | None, typer.Option(help="Of a language model: general texts on which forgetting is measured.")] = None,
    before: Annotated[str | None, typer.Option(help="The model before adaptation, for --general; the one that it records.")] = None,
    answers: Annotated[bool, typer.Option(help="Of a language model: answer conversations, and compare exactly.")] = False,
    test: Test = "0.3",
    split_seed: SplitSeed = 0,
    on_bad_row: OnBadRow = "fail",
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Measure an adapted model on the sealed test part of TARGET (or on all of it with --test none).

    A language model is measured by its likelihood: loss, perplexity, bits per byte.
    """
    from acclimate.data.make import sealed_whole
    from acclimate.engine.progress import show
    from acclimate.evaluate.measure import evaluate as measure
    from acclimate.tune.adapted import Adapted

    adapted = Adapted.load(Path(model))
    speaks = adapted.task == "causal-lm"
    wanted = read_target(target, test, split_seed, on_bad_row, needs_labels=not speaks, text=text, label=label)
    if not len(wanted.test) and not speaks:
        wanted = sealed_whole(wanted)
    part = wanted.test.inputs if len(wanted.test) else wanted.inputs
    if dry_run:
        say_plan(f"measure '{model}' on {len(part)} examples", json, model=model, examples=len(part))
        return
    with show():
        if speaks:
            old = before or str(adapted.about["base"]).partition(" + ")[0]
            metrics = _language_metrics(model, part, read_source(general, on_bad_row) if general else None, old, answers)
        else:
            metrics = measure(adapted, wanted).metrics
    if json:
        print_json({"metrics": metrics, "examples": len(part)})
    else:
        print_table(f"{model} on {len(part)} test examples of {wanted.name}", ("metric", "value"), list(metrics.items()))


def _language_metrics(model: str, part: Domain, general: Domain | None, before: str, answers: bool) -> dict[str, float]:
    """Figures of a language model, with what it forgot on general texts where there are some."""
    from acclimate.evaluate.language import bits_difference, evaluate_language
    from acclimate.models.causal import CausalModel
    from acclimate.models.likelihood import costs

    adapted = CausalModel(model, windows=1_000_000)
    metrics = evaluate_language(adapted, part, answers=answers).metrics
    if general is not None:
        old, new = costs(CausalModel(before, windows=1_000_000), general), costs(adapted, general)
        lost = bits_difference(new, old)
        metrics |= {"general bits_per_byte before": old.bits_per_byte, "general bits_per_byte after": new.bits_per_byte}
        metrics |= {"forgotten": lost.mean, "forgotten, low": lost.low, "forgotten, high": lost.high}
    return metrics
