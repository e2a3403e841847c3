"""The verb ``export``: an adapted model, the data that an arm of a run learned from, or files of examples, for other programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from acclimate.data.domain import Domain, concatenate
from acclimate.data.write import write
from acclimate.engine.storage import atomic_path, read_json, write_text
from acclimate.errors import InputError, unknown_name
from acclimate.export import FILES, FRAMEWORKS, TARGETS
from acclimate.export.rows import Job, Row, choose_form, repeats, rows_of
from acclimate.tune.adapted import ABOUT
from acclimate.tune.card import hub_name
from acclimate.tune.settings import TuneSettings

if TYPE_CHECKING:
    from acclimate.recipe import Recipe

#: Where a run keeps the model it recommends.
RECOMMENDED = Path("models") / "recommended"
#: A model that language-model frameworks are set up for where the run's own is none.
LANGUAGE_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
#: Of such a configuration: adapters want some ten times the rate of full tuning (Hu 2022, table 11: 2e-4 for GPT-2).
USUAL = TuneSettings(lr=2e-4, max_length=1024, parameters="lora")


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: where.
        to: for whom.
        rows: examples written; 0 of a model.
        notes: what a user should know.
        command: what starts the training, or loads the model.
    """

    folder: Path
    to: str
    rows: int = 0
    notes: tuple[str, ...] = ()
    command: str = ""


def export(
    what: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    to: str,
    arm: str | None = None,
    form: str | None = None,
    model: str | None = None,
    settings: TuneSettings | Mapping[str, Any] | None = None,
) -> Exported:
    """Write what acclimate made for another program.

    Args:
        what: the folder of a run or of an adapted model, or files of examples such as ``select`` and ``augment`` write.
        out: the folder to write.
        to: one of :data:`acclimate.export.TARGETS`: ``transformers`` writes a model, the others write data.
        arm: of a run, whose data; the recommended one where not given.
        form: ``text``, ``prompt`` (a text and its label as the answer) or ``chat``; what the examples are where not given.
        model: base model that the configuration names; the run's own where that is a language model.
        settings: of training, for the configuration; where not given :data:`USUAL`, or of a run with a language model its own.

    Raises:
        InputError: nothing to export there, an unknown arm, form or program, or a model without a plain form.
        RunError: the folder cannot be written.

    >>> import tempfile
    >>> from acclimate.data.domain import from_columns
    >>> from acclimate.data.write import write
    >>> place = Path(tempfile.mkdtemp())
    >>> write(from_columns("ward", ["a fever", "a broken leg"], ["warm", "hurt"]), place / "picked.jsonl")
    >>> done = export(place / "picked.jsonl", place / "out", to="trl")
    >>> done.rows, sorted(file.name for file in done.folder.iterdir())
    (2, ['README.md', 'train.jsonl', 'train.yaml'])
    """
    if to not in TARGETS:
        raise unknown_name("program to export to", to, TARGETS)
    paths = [Path(what)] if isinstance(what, str | Path) else [Path(path) for path in what]
    place = Path(out)
    if to == "transformers":
        return _model(paths, place)
    chosen = TuneSettings.of(settings) if settings is not None else None
    if len(paths) == 1 and (paths[0] / "recipe.yaml").is_file():
        data, recipe, told = of_run(paths[0], arm)
        own = _language_model(recipe.model)
        return _data(data, place, to, form, model or own or LANGUAGE_MODEL, chosen or (recipe.tune if own else USUAL), told)
    if arm is not None:
        raise InputError("--arm of files", expected="the folder of a run", fix="leave --arm out")
    return _data(_of_files(paths), place, to, form, model or LANGUAGE_MODEL, chosen or USUAL, ())


def _model(paths: Sequence[Path], out: Path) -> Exported:
    from acclimate.export.plain import export_model
    from acclimate.tune.adapted import Adapted

    place = next((path for path in (paths[0], paths[0] / RECOMMENDED) if (path / ABOUT).is_file()), None)
    if len(paths) != 1 or place is None:
        raise InputError(
            f"'{paths[0]}' holds no adapted model",
            expected="a folder that `acclimate tune` wrote, or the run folder of `acclimate run`",
            fix="`acclimate run RECIPE` keeps the recommended model; `acclimate compare` keeps none",
        )
    made = export_model(Adapted.load(place, device="cpu"), out)
    return Exported(out, "transformers", command=f'{made}.from_pretrained("{out}")')


def of_run(folder: Path, arm: str | None) -> tuple[Domain, Recipe, tuple[str, ...]]:
    """What an arm of a run learned from with the first seed, its recipe, and what to say of it.

    Selection and augmentation follow from the recipe and are made again; vectors come from the cache.

    Raises:
        InputError: there is no such arm, or the run has not ended.
    """
    from acclimate.pipeline import prepare
    from acclimate.recipe import read_recipe
    from acclimate.strategy.run_folder import RunFolder

    recipe = read_recipe(folder / "recipe.yaml")
    job = prepare(recipe)
    arms = {one.name: one for one in job.plan.all_arms}
    verdict = _verdict(folder)
    name = arm or verdict.get("recommended")
    if name is None:
        raise InputError(f"The run '{folder}' has not ended", expected="a run with a verdict", fix="finish it, or name an --arm")
    if name not in arms:
        raise unknown_name("arm", name, arms)
    material = job.bench(RunFolder(folder)).first_material(arms[name])
    parts = {"source": material.source, "target": material.target, "augmented": material.augmented}
    kept = {kind: part for kind, part in parts.items() if part is not None and len(part)}
    weighed = [_part(part, kind, 1.0 if kind == "source" else arms[name].target_weight) for kind, part in kept.items()]
    told = [f"arm: {name}", *(f"{kind}: {len(part)} examples" for kind, part in kept.items())]
    told += [f"verdict: {line}" for line in _lines(verdict, name)]
    return concatenate(name, weighed), recipe, tuple(told)


def _part(part: Domain, kind: str, factor: float) -> Domain:
    """The canonical columns alone, with what kind of example each is."""
    names = [name for name in ("id", "text", "image", "messages", "label", "weight", "origin") if name in part.table.column_names]
    kept = dataclasses.replace(part, table=part.table.select(names))
    kept = kept.with_column("id", pa.array([f"{kind}:{identity}" for identity in part.ids], pa.string()))
    kept = kept.with_column("weight", pa.array(part.weights * factor, pa.float64()))
    return kept.with_column("kind", pa.array([kind] * len(part), pa.string()))


def _of_files(paths: Sequence[Path]) -> Domain:
    from acclimate.data.load import load

    parts = [load(str(path)) for path in paths]
    if len(parts) == 1:
        return parts[0]
    return concatenate("exported", [_part(part, path.name.split(".")[0], 1.0) for part, path in zip(parts, paths, strict=True)])


def _data(
    data: Domain, out: Path, to: str, form: str | None, model: str, settings: TuneSettings, told: tuple[str, ...]
) -> Exported:
    if to in FILES:
        write(data, out / f"train.{to}")
        return Exported(out, to, len(data), told)
    chosen = choose_form(data, form)
    framework = FRAMEWORKS[to]()
    weighed = len(set(data.weights.tolist())) > 1
    counts = repeats(data.weights) if weighed else np.ones(len(data), dtype=np.int64)
    given = [row for row, count in zip(rows_of(data, chosen), counts.tolist(), strict=True) for _ in range(count)]
    rows, refused = framework.rows(given, chosen)
    if not rows:
        raise InputError(f"No example that {to} can take", expected="conversations in which the user begins and is answered")
    notes = [*told]
    if weighed:
        notes.append(f"{to} knows no weights: rows stand in proportion to theirs, {int((counts == 0).sum())} of them not at all")
    if refused:
        notes.append(f"{refused} conversations were left out: they do not take turns, or hold no answer")
    job = Job(
        model=model,
        form=chosen,
        rows=len(rows),
        lr=settings.lr,
        batch_size=settings.batch_size,
        steps=settings.steps,
        max_length=settings.max_length,
        rank=settings.rank,
        parameters="lora" if settings.parameters == "head" else settings.parameters,
    )
    _write_rows(out / "train.jsonl", rows)
    for name, content in framework.files(job).items():
        write_text(out / name, _serialised(name, content))
    write_text(out / "README.md", _readme(to, framework.command, notes, len(rows)))
    return Exported(out, to, len(rows), tuple(notes), framework.command)


def _write_rows(file: Path, rows: Sequence[Row]) -> None:
    import orjson

    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        stream.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def _serialised(name: str, content: Any) -> str:
    if name.endswith(".json"):
        import orjson

        return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    import yaml

    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _readme(to: str, command: str, notes: Sequence[str], rows: int) -> str:
    lines = [f"# Data for {to}, written by acclimate", "", f"{rows} rows in `train.jsonl`."]
    lines += [f"- {note}" for note in notes]
    return "\n".join([*lines, "", "Start in this folder:", "", "```", command, "```", ""])


def _language_model(name: str) -> str | None:
    """The run's model where it writes, as the hub calls it."""
    from acclimate.models.reference import resolve

    return (hub_name(name) or name) if resolve(name).writes else None


def _verdict(folder: Path) -> Mapping[str, Any]:
    file = folder / "verdict.json"
    found = read_json(file) if file.is_file() else {}
    return found if isinstance(found, dict) else {}


def _lines(verdict: Mapping[str, Any], arm: str) -> list[str]:
    """What a run found of an arm at each fidelity."""
    compared = [(one["fidelity"], one["comparison"]) for one in verdict.get("results", ()) if one["name"] == arm]
    return [
        f"{fidelity}: {found['verdict']} against '{found['control']}', {100 * found['difference']:+.1f} points "
        f"({100 * found['low']:+.1f} to {100 * found['high']:+.1f})"
        if found
        else f"{fidelity}: the best control"
        for fidelity, found in compared
    ]
