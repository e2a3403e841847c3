"""Carries out a recipe from files to report: the public verb :func:`compare`, and :func:`run`, which also keeps the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from acclimate.data import hygiene
from acclimate.data.domain import Domain
from acclimate.data.load import load
from acclimate.data.make import make_target, make_unlabelled_target, with_distinct_ids
from acclimate.data.target import Target
from acclimate.engine.local import cores
from acclimate.engine.storage import write_json, write_parquet, write_text
from acclimate.errors import unknown_name
from acclimate.features.embeddings import Embedder
from acclimate.gap.measure import gap
from acclimate.models.reference import resolve
from acclimate.recipe import ArmSpec, DataSpec, MethodSpec, Recipe, is_folds, is_label_free, read_recipe
from acclimate.report import write_report
from acclimate.select.pick import Pick
from acclimate.strategy.arms import Arm, Method, settings
from acclimate.strategy.assemble import assemble
from acclimate.strategy.compare import Measured, measure
from acclimate.strategy.estimate import Estimate, estimate
from acclimate.strategy.evidence import cost_table, evidence_table
from acclimate.strategy.manifest import manifest
from acclimate.strategy.negative_transfer import examine
from acclimate.strategy.outcome import Outcome
from acclimate.strategy.plan import Plan
from acclimate.strategy.run_folder import RunFolder
from acclimate.strategy.units import Bench

Announce = Callable[[str], None]


def compare(recipe: str | Path | Recipe, out: str | Path | None = None, *, announce: Announce | None = None) -> Outcome:
    """Measure every arm of a recipe against the controls, and write evidence and report into a run folder.

    Args:
        recipe: a file, or a :class:`~acclimate.recipe.Recipe`.
        out: the run folder; ``runs/<name of the recipe>`` by default. A second call with the same recipe does only what is missing.
        announce: called with each thing a user should know: guessed columns, removed duplicates, ...

    Returns:
        The outcome: results, verdicts, recommendation; ``out/evidence.parquet`` and ``out/report.html`` hold the same.

    Raises:
        InputError: the recipe or the data is wrong (nothing was run).
        RunError: the folder is in use, the disk is full, an asset cannot be fetched.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> shop = [f"{word} parcel {n},{label}" for n in range(8) for word, label in (("lovely", "good"), ("broken", "bad"))]
    >>> ward = [f"{word} nurse {n},{label}" for n in range(8) for word, label in (("kind", "good"), ("rude", "bad"))]
    >>> for name, rows in (("shop", shop), ("ward", ward)):
    ...     _ = (folder / f"{name}.csv").write_text("\\n".join(["text,label", *rows]))
    >>> recipe = folder / "recipe.yaml"
    >>> _ = recipe.write_text(
    ...     "source: {path: shop.csv}\\n"
    ...     "target: {path: ward.csv, test: 0.5, validation: cv2}\\n"
    ...     "arms: [{select: {method: dsir, budget: 50%}}]\\n"
    ...     "seeds: 1\\n"
    ...     "confirm: {seeds: 0}\\n"
    ... )
    >>> outcome = compare(recipe, folder / "run")
    >>> [result.name for result in outcome.results]
    ['target-only', 'source-only', 'everything', 'random 50%', 'dsir 50% + target']
    >>> (folder / "run" / "report.html").exists()
    True
    """
    job = prepare(recipe, announce)
    folder = RunFolder(run_folder(job.recipe, out))
    with folder.locked():
        return _compare(job, folder)


def run(recipe: str | Path | Recipe, out: str | Path | None = None, *, announce: Announce | None = None) -> Outcome:
    """As :func:`compare`; then fine-tunes what the gate recommends and keeps it in ``out/models/recommended``."""
    job = prepare(recipe, announce)
    folder = RunFolder(run_folder(job.recipe, out))
    with folder.locked():
        outcome = _compare(job, folder)
        arm = next(arm for arm in job.plan.all_arms if arm.name == outcome.recommended)
        job.bench(folder).keep(arm, folder.path / "models" / "recommended", card_facts(job, outcome, arm))
        return outcome


def card_facts(job: Job, outcome: Outcome, arm: Arm) -> dict[str, Any]:
    """What the card of an arm's model tells of data and evidence; see :func:`acclimate.tune.card.model_card`."""
    shown = [result for result in outcome.results if result.name == arm.name]
    result = shown[-1]  # fine-tuned where it was, else on frozen features
    compared = result.comparison
    evidence: dict[str, Any] = {
        "target": outcome.target,
        "scores": {metric: float(np.mean(values)) for metric, values in result.scores.items()},
        "items": outcome.sizes["test"],
        "seeds": outcome.seeds[result.fidelity],
        "fidelity": result.fidelity,
        "verdict": compared.verdict if compared else "best control",
        "sentence": "no arm was shown better on validation than this control"
        if compared is None
        else f"{100 * compared.difference:+.1f} points of accuracy against '{compared.control}', "
        f"95% interval {100 * compared.low:+.1f} to {100 * compared.high:+.1f}, p {compared.p_corrected:.3g} (Holm)",
    }
    sizes = outcome.sizes
    data = {
        "target": f"{outcome.target}, {sizes['target_labelled']} labelled and {sizes['target_unlabelled']} unlabelled examples",
        "source": f"{outcome.source}, {sizes['source']} examples",
        "learned from": ", ".join(f"{count:.0f} {kind}" for kind, count in result.trained_on.items() if count),
    }
    paths = [path for spec in (job.recipe.source, job.recipe.target) for path in _paths(spec)]
    return {
        "arm": str(arm) if arm.name == str(arm) else f"{arm.name}: {arm}",
        "data": data,
        "datasets": paths,
        "evidence": evidence,
    }


def _paths(spec: DataSpec) -> tuple[str, ...]:
    return (spec.path,) if isinstance(spec.path, str) else spec.path


def run_folder(recipe: Recipe, out: str | Path | None) -> Path:
    """Where a recipe runs: ``out``, else ``runs/`` and the recipe's name."""
    return Path(out) if out else Path("runs") / (recipe.name or "run")


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A recipe with its data read, cleaned and checked; ``removed`` lists what was taken out for repeating a test, and why."""

    recipe: Recipe
    plan: Plan
    embed: Embedder
    notes: tuple[str, ...]
    removed: pa.Table

    def bench(self, folder: RunFolder) -> Bench:
        return Bench(self.plan, self.embed, resolve(self.plan.model).fingerprint, folder.path / "checkpoints")

    def estimate(self) -> Estimate:
        """Time, memory and disk of the whole comparison, from a few seconds of real steps on this machine."""
        return estimate(self.plan, self.embed)


def prepare(recipe: str | Path | Recipe, announce: Announce | None = None) -> Job:
    """Read the recipe and its data, remove from everything trainable what the test holds, and check the plan."""
    recipe = read_recipe(recipe) if isinstance(recipe, str | Path) else recipe
    source, target = _read(recipe)
    swept = hygiene.cleaning(source, target, _further_tests(recipe))
    cleaned, target = swept.source, swept.target
    assert cleaned is not None
    cleaned, foreign = _of_classes(cleaned, target.classes)
    cleaned, repeated = _apart_from_folds(cleaned, target)
    notes = (*source.notes, *target.notes, *_hygiene_notes(target), *foreign, *repeated, *_same_labels_note(recipe, target))
    for note in notes if announce else ():
        announce(note)  # type: ignore[misc]  # not None: the loop is empty then
    plan = Plan(
        source=cleaned,
        target=target,
        arms=tuple(_arm(spec, labels=recipe.target.labels != 0) for spec in recipe.arms),
        model=recipe.model,
        name=recipe.name or "run",
        task=recipe.task,
        seeds=recipe.seeds,
        labels=recipe.target.labels,
        folds=int(str(recipe.target.validation)[2:]) if is_folds(recipe.target.validation) else 0,
        validator=recipe.target.validator,
        negative_transfer=recipe.negative_transfer,
        confirm_seeds=recipe.confirm.seeds,
        confirm_all=recipe.confirm.all_arms,
        tune=recipe.tune,
        hardware=recipe.hardware,
        workers=recipe.workers or cores(),
    )
    plan.check()
    return Job(recipe, plan, Embedder(recipe.model), notes, swept.to_table())


def _compare(job: Job, folder: RunFolder) -> Outcome:
    plan = job.plan
    facts = manifest(plan, job.recipe.to_yaml())
    write_text(folder.path / "recipe.yaml", job.recipe.to_yaml())
    write_json(folder.path / "manifest.json", facts)
    folder.log("start", recipe=plan.name, arms=[arm.name for arm in plan.all_arms])
    write_parquet(folder.path / "removed.parquet", job.removed)
    bench = job.bench(folder)
    bench.warm()
    known = plan.target.draw(0, 0) if plan.labels == 0 else plan.target
    measured_gap = gap(plan.source, known, embed=job.embed)
    measured = measure(plan, bench, folder)
    harm = None
    if plan.negative_transfer:
        harm, further = examine(plan, bench, folder, measured)
        measured = dataclasses.replace(measured, further=further)
    notes = (*job.notes, *measured_gap.notes, *_truncation_notes(job.embed))
    outcome = assemble(plan, measured, bench, measured_gap, notes, facts, harm)
    _keep(folder, outcome, measured)
    write_report(outcome, folder.path / "report.html", job.recipe.report.language)
    folder.log("done", recommended=outcome.recommended)
    return outcome


def _keep(folder: RunFolder, outcome: Outcome, measured: Measured) -> None:
    """Write what a reader of the run may want as files."""
    write_parquet(folder.path / "evidence.parquet", evidence_table(measured.all_units()))
    write_parquet(folder.path / "costs.parquet", cost_table(measured.all_units()))
    openings = [
        {**{name: unit.facts[name] for name in ("arm", "fidelity", "seed")}, **opening}
        for unit in measured.all_units()
        for opening in unit.facts["openings"]
    ]
    write_json(folder.path / "ledger.json", openings)
    told = {"recommended": outcome.recommended, "reason": outcome.reason, "best_control": outcome.best_control}
    results = [dataclasses.asdict(result) for result in outcome.results]
    harm = dataclasses.asdict(outcome.negative_transfer) if outcome.negative_transfer else None
    ranking = dataclasses.asdict(outcome.ranking) if outcome.ranking else None
    write_json(folder.path / "verdict.json", {**told, "results": results, "negative_transfer": harm, "ranking": ranking})
    for name, selection in outcome.selections.items():
        selection.to_parquet(folder.path / "selection" / f"{_file_name(name)}.parquet")
    if outcome.generated:
        rows = [dataclasses.asdict(example) for example in outcome.generated]
        write_parquet(folder.path / "augmented" / "samples.parquet", pa.Table.from_pylist(rows))
    if outcome.refused is not None:
        write_parquet(folder.path / "augmented" / "removed.parquet", outcome.refused)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_.%" else "-" for letter in name).strip("-")


def _read(recipe: Recipe) -> tuple[Domain, Target]:
    spec = recipe.target
    known = [read_domain(spec)]

    def part(value: float | int | str, role: str) -> float | int | Domain:
        """A share or a count as it is; anything else is a file with the target's columns."""
        if not isinstance(value, str):
            return value
        known.append(with_distinct_ids(read_domain(spec.model_copy(update={"path": value})), known, role))
        return known[-1]

    test = part(spec.test, "test")
    validation = None if is_folds(spec.validation) or is_label_free(spec.validation) else part(spec.validation, "validation")
    unlabelled = part(spec.unlabelled, "unlabelled") if spec.unlabelled else None
    more = unlabelled if isinstance(unlabelled, Domain) else None
    source = read_domain(recipe.source)
    if spec.labels == 0 and not known[0].classes and isinstance(test, Domain) and validation is None:
        return source, make_unlabelled_target(known[0], test, source.classes, unlabelled=more)
    return source, make_target(known[0], test=test, validation=validation, unlabelled=more, seed=spec.split_seed)


def _further_tests(recipe: Recipe) -> dict[str, Domain]:
    """Tests beside the target's own that nothing may repeat, by the names of their files; only their inputs are looked at."""
    return {path: load(path, text=recipe.target.text, on_bad_row=recipe.target.on_bad_row) for path in recipe.decontaminate}


def _same_labels_note(recipe: Recipe, target: Target) -> list[str]:
    if recipe.target.labels is not None or recipe.seeds == 1:
        return []
    count = len(target.labelled)
    return [f"every seed learns from the same {count} target labels; intervals do not speak of other draws of them (`labels` does)"]


def _apart_from_folds(source: Domain, target: Target) -> tuple[Domain, list[str]]:
    """Where folds validate, the source without what repeats a labelled target example: that example is held out once."""
    if target.validation is not None:
        return source, []
    apart = hygiene.without_repeats(source, target.labelled)
    removed = len(source) - len(apart)
    return apart, [f"removed {removed} source examples that repeat a labelled target example"] if removed else []


def _of_classes(source: Domain, classes: Sequence[str]) -> tuple[Domain, list[str]]:
    """The source examples of the target's classes, and a note on the others; examples without a label stay, to be refused."""
    others = sorted(set(source.classes) - set(classes))
    if not others or len(others) == len(source.classes):
        return source, []
    rows = [row for row, label in enumerate(source.labels) if label not in others]
    left_out = len(source) - len(rows)
    note = f"left out {left_out} source examples of classes that the target does not have: {', '.join(others[:8])}"
    return dataclasses.replace(source.take(rows), notes=source.notes), [note]


def read_domain(spec: DataSpec) -> Domain:
    """The examples that a part of a recipe names: files, a hub data set, or packaged data (``asset:icwsm4``)."""
    paths = _paths(spec)
    columns = {role: getattr(spec, role) for role in ("text", "image", "label", "domain", "id", "weight")}
    domain = load(paths[0] if len(paths) == 1 else list(paths), **columns, on_bad_row=spec.on_bad_row)
    domain = only_domains(domain, spec.domains) if spec.domains else domain
    return at_most(domain, spec.rows) if spec.rows else domain


def at_most(domain: Domain, rows: int) -> Domain:
    """So many rows at most, drawn once and for all, in their order; what was left out is noted."""
    if len(domain) <= rows:
        return domain
    chosen = np.sort(np.random.default_rng(0).permutation(len(domain))[:rows])
    note = f"{domain.name}: {rows} of {len(domain)} examples were drawn, as the recipe asks"
    return dataclasses.replace(domain.take(chosen), notes=(*domain.notes, note))


def only_domains(domain: Domain, names: Sequence[str]) -> Domain:
    """The rows of some sub-domains, in their order.

    Raises:
        InputError: a name that does not occur.
    """
    present = list(dict.fromkeys(domain.domains))
    for name in names:
        if name not in present:
            raise unknown_name(f"domain of {domain.name}", name, present)
    wanted = frozenset(names)
    rows = [row for row, name in enumerate(domain.domains) if name in wanted]
    return dataclasses.replace(domain.take(rows, "+".join(names)), notes=domain.notes)


def _arm(spec: ArmSpec, *, labels: bool = True) -> Arm:
    """A recipe's arm as plain values; where there are no target labels, it learns from none."""
    objectives = [MethodSpec(method=o) if isinstance(o, str) else o for o in spec.tune.objectives]
    stages = [MethodSpec(method=stage) if isinstance(stage, str) else stage for stage in spec.tune.pretrain]
    features = MethodSpec(method=spec.tune.features) if isinstance(spec.tune.features, str) else spec.tune.features
    learn = MethodSpec(method=spec.tune.learn) if isinstance(spec.tune.learn, str) else spec.tune.learn
    return Arm(
        source="selected" if spec.select else (spec.source or "none"),
        target=spec.target and labels,
        select=_method(spec.select) if spec.select else None,
        budget=spec.select.budget if spec.select else "",
        pick=Pick.parse(spec.select.pick) if spec.select else Pick(),
        augment=tuple(_method(method) for method in spec.augment),
        objectives=tuple(_method(method) for method in objectives),
        pretrain=tuple(_method(method) for method in stages),
        learn=_method(learn) if learn else None,
        features=_method(features) if features else None,
        target_weight=spec.tune.target_weight,
    )


def _method(spec: MethodSpec) -> Method:
    return Method(spec.method, settings(spec.settings))


def _truncation_notes(embed: Embedder) -> list[str]:
    cut = embed.truncated
    return [f"{cut} texts are longer than {embed.max_length} tokens; the rest of them was not read"] if cut else []


def _hygiene_notes(target: Target) -> list[str]:
    removed: Mapping[str, Any] = target.hygiene.get("removed", {})
    total = sum(sum(kinds.values()) for kinds in removed.values())
    if not total:
        return []
    places = ", ".join(f"{sum(kinds.values())} from {place}" for place, kinds in removed.items() if sum(kinds.values()))
    bare = [name for name in target.classes if name not in target.labelled.classes]
    lost = [f"no labelled example is left of: {', '.join(bare)}"] if bare else []
    return [f"removed {total} examples that repeat a test or validation example: {places}", *lost]
