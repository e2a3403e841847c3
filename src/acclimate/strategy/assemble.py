"""Puts what was measured, chosen, selected and generated into the one value that reports read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from acclimate.data.domain import Domain
from acclimate.gap.base import GapReport
from acclimate.select.base import Selection
from acclimate.strategy.arms import Arm
from acclimate.strategy.compare import Measured, results
from acclimate.strategy.evidence import evidence_table
from acclimate.strategy.gate import offer, recommend
from acclimate.strategy.materials import Material
from acclimate.strategy.outcome import GeneratedExample, NegativeTransfer, Outcome
from acclimate.strategy.plan import Plan
from acclimate.strategy.quality import Quality
from acclimate.strategy.units import Bench

#: Generated examples shown per arm.
_SHOWN = 6


def assemble(
    plan: Plan,
    measured: Measured,
    bench: Bench,
    gap: GapReport | None,
    notes: Sequence[str],
    facts: Mapping[str, Any],
    negative_transfer: NegativeTransfer | None = None,
) -> Outcome:
    """The outcome of a comparison. Selections and generated samples are those of the first seed, made again for showing."""
    rows = results(measured)
    if measured.ranking is None:
        recommended, reason = recommend(rows, measured.best_arm, measured.best_control)
    else:
        recommended, reason = offer(measured.ranking, measured.best_arm, measured.best_control)
    shown = [arm for arm in plan.all_arms if arm.select or arm.augment]
    materials = {arm.name: bench.first_material(arm) for arm in shown}
    selections = {name: m.selection for name, m in materials.items() if m.selection is not None}
    generated = [
        sample
        for arm in plan.arms
        if (material := materials.get(arm.name)) and material.target is not None and material.augmented is not None
        for sample in _samples(arm, material.target, material.augmented)
    ]
    return Outcome(
        name=plan.name,
        task=plan.task,
        model=plan.model,
        source=plan.source.name,
        target=plan.target.name,
        sizes=_sizes(plan),
        classes=plan.target.classes,
        seeds={fidelity: len(next(iter(runs.values()))) for fidelity, runs in measured.units.items()},
        results=rows,
        best_control=dict.fromkeys(measured.units, measured.best_control),
        recommended=recommended,
        reason=reason,
        gap=gap,
        selections=_first_of_each(selections),
        generated=generated,
        hygiene=plan.target.hygiene,
        notes=[*notes, *_making_notes(materials)],
        evidence=evidence_table(measured.all_units()),
        manifest=facts,
        quality=_quality(bench, materials),
        refused=_refused(materials),
        ranking=measured.ranking,
        negative_transfer=negative_transfer,
    )


def _quality(bench: Bench, materials: Mapping[str, Material]) -> dict[str, list[Quality]]:
    """By arm; arms that generated the same are told once."""
    seen: set[tuple[str, ...]] = set()
    found = {}
    for name, material in materials.items():
        key = tuple(sifted.kept.fingerprint for sifted in material.growth)
        if key and key not in seen:
            seen.add(key)
            found[name] = bench.quality(material)
    return found


def _refused(materials: Mapping[str, Material]) -> pa.Table | None:
    """Everything that guards refused, with the arm."""
    tables = [
        sifted.removed.add_column(0, "arm", pa.array([name] * sifted.removed.num_rows, pa.string()))
        for name, material in materials.items()
        for sifted in material.growth
    ]
    return pa.concat_tables(tables) if tables else None


def _making_notes(materials: Mapping[str, Material]) -> list[str]:
    """What selectors and augmenters announced, each once."""
    selected = [note for material in materials.values() if material.selection for note in material.selection.notes]
    grown = [note for material in materials.values() if material.augmented for note in material.augmented.notes]
    return list(dict.fromkeys([*selected, *grown]))


def _sizes(plan: Plan) -> dict[str, Any]:
    target = plan.target
    labelled = len(target.labelled) if plan.labels is None else plan.labels
    return {
        "source": len(plan.source),
        "target_labelled": labelled,
        "target_unlabelled": len(target.unlabelled) + len(target.labelled) - labelled,
        "test": len(target.test),
        "by_domain": dict(Counter(plan.source.domains)),
    }


def _first_of_each(selections: Mapping[str, Selection]) -> dict[str, Selection]:
    """One selection per selector and budget: arms that share one would show the same page twice."""
    seen: dict[tuple[str, int], str] = {}
    for name, selection in selections.items():
        seen.setdefault((selection.method, len(selection)), name)
    return {name: selections[name] for name in seen.values()}


def _samples(arm: Arm, target: Domain, grown: Domain) -> list[GeneratedExample]:
    parents = dict(zip(target.ids, target.contents, strict=True))
    step = max(1, len(grown) // _SHOWN)
    samples = []
    for row in list(range(0, len(grown), step))[:_SHOWN]:
        origin = orjson.loads(grown.table.column("origin")[row].as_py())
        shown = [_shown(content) for content in (parents[origin["parents"][0]], grown.contents[row])]
        texts, pictures = zip(*shown, strict=True)
        samples.append(GeneratedExample(arm.name, origin["method"], str(grown.labels[row]), *texts, *pictures))
    return samples


def _shown(content: object) -> tuple[str, str]:
    """A text and no picture, or a picture in words and as the address of its own content."""
    if not isinstance(content, bytes):
        return str(content), ""
    from acclimate.data.images import described, thumbnail

    return described(content), thumbnail(content)
