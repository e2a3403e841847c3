"""Compare arms and controls: screen all on frozen features, confirm the best against the best control by fine-tuning."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from acclimate.engine.local import map_ordered
from acclimate.engine.progress import track
from acclimate.errors import RunError
from acclimate.evaluate.validators.failures import failures
from acclimate.evaluate.verdict import Comparison, verdicts
from acclimate.strategy.arms import EVERYTHING, SOURCE_ONLY, Arm
from acclimate.strategy.evidence import Unit
from acclimate.strategy.outcome import ArmResult, Fidelity, Ranking
from acclimate.strategy.plan import Plan
from acclimate.strategy.run_folder import RunFolder
from acclimate.strategy.units import Bench

#: An arm's units, one per seed.
Runs = Mapping[str, Sequence[Unit]]


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """What was measured and what was chosen on validation.

    Attributes:
        units: by fidelity, then by arm name, one unit per seed.
        best_arm, best_control: names, by mean validation accuracy on the probe; ties go to the one listed first. Where a validator
            ranks without labels, ``best_control`` is what a careful user takes unseen: source only, or everything where there are
            target labels.
        further: units that were measured to find negative transfer, by arm; no result is made of them.
        ranking: what such a validator said of each; None where labels chose.
    """

    units: Mapping[Fidelity, Runs]
    best_arm: str
    best_control: str
    ranking: Ranking | None = None
    further: Runs = dataclasses.field(default_factory=dict)

    def all_units(self) -> Iterator[Unit]:
        """Every unit: probe first, arms in their order, seeds in theirs, then the further ones."""
        for runs in self.units.values():
            for units in runs.values():
                yield from units
        for units in self.further.values():
            yield from units


def measure(plan: Plan, bench: Bench, folder: RunFolder) -> Measured:
    """Carry out every unit that is missing.

    Every arm and control is screened on the probe with every seed; validation alone chooses the best arm and the best control, and
    these two (or all, with ``confirm_all``) are fine-tuned.
    """
    arms = plan.all_arms
    probe = carry_out_units(bench, arms, "probe", plan.seeds, folder)
    best_arm = _best([arm for arm in arms if not arm.is_control], probe)
    ranking = _ranking(plan.validator, probe) if plan.validator else None
    if ranking is not None:
        best_control = (EVERYTHING if EVERYTHING in arms else SOURCE_ONLY).name
    else:
        best_control = _best([arm for arm in arms if arm.is_control], probe)
    units: dict[Fidelity, Runs] = {"probe": probe}
    if plan.confirm_seeds:
        chosen = [arm for arm in arms if plan.confirm_all or arm.name in (best_arm, best_control)]
        units["fine-tune"] = carry_out_units(bench, chosen, "fine-tune", plan.confirm_seeds, folder)
    return Measured(units, best_arm, best_control, ranking)


def _ranking(validator: str, probe: Runs) -> Ranking:
    scores = {name: [unit.facts["validator"]["score"] for unit in units] for name, units in probe.items()}
    return Ranking(validator, scores, failures()[validator])


def carry_out_units(bench: Bench, arms: Sequence[Arm], fidelity: Fidelity, seeds: int, folder: RunFolder) -> Runs:
    """The missing units in parallel, then all of them from the folder.

    A seed's probes go to one worker together: arms that share a selection or an expansion meet it while it is remembered.
    """
    keys = {(arm.name, seed): bench.key(arm, fidelity, seed) for arm in arms for seed in range(seeds)}
    missing = [(seed, arm) for seed in range(seeds) for arm in arms if folder.read_step(keys[arm.name, seed]) is None]
    if fidelity == "probe":
        batches = [(seed, [arm for s, arm in missing if s == seed]) for seed in dict.fromkeys(seed for seed, _ in missing)]
    else:
        batches = [(seed, [arm]) for seed, arm in missing]
    label = "screening on frozen features, seed by seed" if fidelity == "probe" else "fine-tuning"
    work = partial(_carry_out, bench, fidelity, folder)
    workers = max(1, min(bench.plan.workers, len(batches)))
    for _ in track(map_ordered(work, batches, workers), label, total=len(batches)):
        pass
    return {arm.name: [_unit(folder, keys[arm.name, seed]) for seed in range(seeds)] for arm in arms}


def _carry_out(bench: Bench, fidelity: Fidelity, folder: RunFolder, batch: tuple[int, Sequence[Arm]]) -> None:
    seed, arms = batch
    for arm in arms:
        folder.step(bench.key(arm, fidelity, seed), partial(_table, bench, arm, fidelity, seed))


def _table(bench: Bench, arm: Arm, fidelity: Fidelity, seed: int) -> pa.Table:
    return bench.carry_out(arm, fidelity, seed).to_table()


def _unit(folder: RunFolder, key: str) -> Unit:
    table = folder.read_step(key)
    if table is None:
        raise RunError(f"The step {key} of '{folder.path}' is gone", fix="do not empty a run folder while it runs; start again")
    return Unit.from_table(table)


def _best(arms: Sequence[Arm], probe: Runs) -> str:
    return max(arms, key=lambda arm: mean_validation(probe[arm.name])).name


def mean_validation(units: Sequence[Unit]) -> float:
    """Mean over seeds of the accuracy on validation, or of what a validator that sees no labels says instead."""
    return float(np.mean([_validated(unit) for unit in units]))


def _validated(unit: Unit) -> float:
    judged = unit.facts.get("validator")
    return float(judged["score"] if judged else unit.facts["scores"]["validation"]["accuracy"])


def results(measured: Measured) -> list[ArmResult]:
    """One result per arm and fidelity, each against the best control; Holm over the arms, and apart over the other controls."""
    rows = []
    for fidelity, runs in measured.units.items():
        test = _compared(runs, measured.best_control, "test")
        labelled = fidelity == "probe" and measured.ranking is None
        validation = _compared(runs, measured.best_control, "validation") if labelled else {}
        rows += [_result(name, units, fidelity, test.get(name), validation.get(name)) for name, units in runs.items()]
    return rows


def _compared(runs: Runs, control: str, split: str) -> dict[str, Comparison]:
    """Every arm, and every other control, against the best control."""
    compared: dict[str, Comparison] = {}
    for controls in (False, True):
        names = [name for name, units in runs.items() if units[0].facts["is_control"] is controls and name != control]
        pairs = {name: paired(runs[name], runs[control], split) for name in names}
        compared.update({comparison.arm: comparison for comparison in verdicts(pairs, control)})
    return compared


def paired(units: Sequence[Unit], control: Sequence[Unit], split: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Items ``(n,)``, seeds ``(n,)`` and difference of correctness ``(n,)`` in {-1, 0, 1}, over all seeds of two arms."""
    items: list[str] = []
    seeds: list[np.ndarray] = []
    differences: list[np.ndarray] = []
    for seed, (unit, other) in enumerate(zip(units, control, strict=True)):
        ids, correct = unit.correct(split)
        other_ids, other_correct = other.correct(split)
        assert ids == other_ids, "both arms predict the same examples in the same order"
        items += ids
        seeds.append(np.full(len(ids), seed))
        differences.append(correct - other_correct)
    return items, np.concatenate(seeds), np.concatenate(differences)


def _result(
    name: str, units: Sequence[Unit], fidelity: Fidelity, test: Comparison | None, validation: Comparison | None
) -> ArmResult:
    facts = [unit.facts for unit in units]
    metrics = [metric for metric in facts[0]["scores"]["test"] if metric != "items"]
    return ArmResult(
        name=name,
        line=facts[0]["line"],
        is_control=facts[0]["is_control"],
        fidelity=fidelity,
        scores={metric: [f["scores"]["test"][metric] for f in facts] for metric in metrics},
        validation=[f["scores"]["validation"]["accuracy"] for f in facts if "validation" in f["scores"]],
        comparison=test,
        validation_comparison=validation,
        seconds={stage: float(np.mean([f["seconds"][stage] for f in facts])) for stage in facts[0]["seconds"]},
        trained_on={kind: float(np.mean([f["trained_on"][kind] for f in facts])) for kind in facts[0]["trained_on"]},
        steps=facts[0]["steps"],
    )
