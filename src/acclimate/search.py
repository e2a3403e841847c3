"""The public verb :func:`search`: a recipe's `search` part from files to report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from acclimate.data import hygiene
from acclimate.engine.storage import write_json, write_parquet, write_text
from acclimate.errors import InputError
from acclimate.pipeline import Announce, Job, prepare, run_folder
from acclimate.recipe import Recipe, SearchSpec, is_folds, read_recipe
from acclimate.report.search import write_search_report
from acclimate.strategy.manifest import manifest
from acclimate.strategy.plan import Plan
from acclimate.strategy.run_folder import RunFolder
from acclimate.strategy.search import run as engine
from acclimate.strategy.search.asked import Asked
from acclimate.strategy.search.candidate import Candidate, check_space, default_space
from acclimate.strategy.search.found import Found
from acclimate.strategy.search.judge import HELD_OUT
from acclimate.strategy.search.space import parse_dimension
from acclimate.strategy.search.work import workers_or

#: Where in a run's folder everything of a search lies.
PLACE = "search"


def search(
    recipe: str | Path | Recipe,
    out: str | Path | None = None,
    *,
    trials: int | None = None,
    sampler: str | None = None,
    pruner: str | None = None,
    workers: int | None = None,
    storage: str | None = None,
    seconds: float | None = None,
    announce: Announce | None = None,
) -> Found:
    """Search the settings of one arm of a recipe on validation, and say how sure the answer is.

    Args:
        recipe: a file, or a :class:`~acclimate.recipe.Recipe`; its ``search`` part says what is searched.
        out: the run folder; ``runs/<name of the recipe>`` by default. A second call goes on where the first one ended.
        trials, sampler, pruner, storage, seconds: instead of the recipe's.
        workers: processes; by default one per core where trials train, and none but this one on frozen features. Several machines
            may work on one study: start the same recipe on each with one ``storage``.
        announce: called with each thing a user should know before the trials begin.

    Returns:
        What was found; ``out/search`` holds the same: ``trials.parquet``, ``search.json``, ``report.html``.

    Raises:
        InputError: the recipe, the space or the data is wrong (nothing was run).
        RunError: the folder is in use, the disk is full, every trial failed.

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
    ...     "arms: [{source: all}]\\n"
    ...     "search: {sampler: random, trials: 3, fresh: 1, space: {C: {low: 0.1, high: 10, log: true}}}\\n"
    ... )
    >>> found = search(recipe, folder / "run", workers=1)
    >>> [trial.state for trial in found.trials]
    ['complete', 'complete', 'complete']
    """
    ready = prepare(recipe, announce)
    changed = {"trials": trials, "sampler": sampler, "pruner": pruner, "storage": storage, "seconds": seconds}
    spec = _changed(ready.recipe.search, {name: value for name, value in changed.items() if value is not None})
    ready = dataclasses.replace(ready, recipe=ready.recipe.model_copy(update={"search": spec}))
    base = Candidate(ready.plan.arms[spec.arm - 1], ready.plan.tune)
    asked = _asked(base, spec)
    plan, folds = _plan(ready, spec)
    many = workers_or(workers or ready.recipe.workers, asked.fidelity)
    ready = dataclasses.replace(ready, plan=dataclasses.replace(plan, workers=many))
    folder = RunFolder(run_folder(ready.recipe, out))
    with folder.locked():
        return _carry_out(ready, folder, base, asked, folds)


def _changed(spec: SearchSpec, changed: dict[str, Any]) -> SearchSpec:
    """The recipe's search with other values, checked by the same rules.

    Raises:
        InputError: an unknown sampler or pruner, or a number that means nothing.
    """
    names = ("sampler", "pruner", "trials", "seconds")
    Asked(**{name: value for name, value in changed.items() if name in names})
    return spec.model_copy(update=changed)


def _asked(base: Candidate, spec: SearchSpec) -> Asked:
    fidelity: Any = spec.fidelity
    space = {name: parse_dimension(value) for name, value in spec.space.items()} or default_space(base, fidelity)
    check_space(base, space, fidelity)
    if not space:
        raise InputError(
            f"There is nothing to search about '{base.arm}' on frozen features",
            expected="a space, or an arm with settings",
            fix="name settings under `search.space`, or set `fidelity: fine-tune`",
        )
    names = [field.name for field in dataclasses.fields(Asked) if field.name not in ("space", "fidelity")]
    return Asked(fidelity=fidelity, space=space, **{name: getattr(spec, name) for name in names})


def _plan(ready: Job, spec: SearchSpec) -> tuple[Plan, int]:
    """The plan for the validation that a search asks for, and K; 0 where a part is held out."""
    plan, folds = ready.plan, ready.plan.folds
    if spec.validation is not None:
        folds = int(spec.validation[2:]) if is_folds(spec.validation) else 0
    if folds or plan.target.validation is None:  # labelled examples are held out, so that the source may not repeat them
        source = hygiene.without_repeats(plan.source, plan.target.labelled)
        without = dataclasses.replace(plan.target, validation=None)
        dataclasses.replace(plan, source=source, target=without, folds=folds or HELD_OUT).check()
        plan = dataclasses.replace(plan, source=source)
    return plan, folds


def _carry_out(ready: Job, folder: RunFolder, base: Candidate, asked: Asked, folds: int) -> Found:
    spec, place = ready.recipe.search, folder.path / PLACE
    write_text(place / "recipe.yaml", ready.recipe.to_yaml())
    folder.log("search", recipe=ready.plan.name, sampler=asked.sampler, trials=asked.trials)
    bench = ready.bench(folder)
    bench.warm()
    storage = spec.storage or place / "trials.db"
    job = engine.Job(bench, base, asked, asked.space, folds, storage, ready.plan.workers)
    facts = manifest(ready.plan, ready.recipe.to_yaml())
    again = ["pip install -r requirements.lock", f"acclimate search {PLACE}/recipe.yaml"]
    found = engine.search(job, folder, {**facts, "seeds": {"search": asked.seed}, "reproduce": again})
    found = dataclasses.replace(found, notes=(*found.notes, *ready.notes))
    write_parquet(place / "trials.parquet", found.table)
    write_json(place / "search.json", found.to_dict())
    write_json(place / "ledger.json", list(found.openings))
    write_search_report(found, place / "report.html", ready.recipe.report.language)
    folder.log("searched", best=found.best_trial, recommended=dict(found.recommended))
    return found


__all__ = ["read_recipe", "search"]
