"""Negative transfer: which arm, which augmentation and which source domain hurts, by how much, and how sure that is."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from acclimate.data.domain import Domain
from acclimate.evaluate.verdict import Comparison, Paired, verdicts
from acclimate.strategy.arms import EVERYTHING, SOURCE_ONLY, Arm
from acclimate.strategy.compare import Measured, Runs, carry_out_units, paired
from acclimate.strategy.evidence import Unit
from acclimate.strategy.outcome import NegativeTransfer, Suspect, SuspectKind
from acclimate.strategy.plan import Plan
from acclimate.strategy.run_folder import RunFolder
from acclimate.strategy.units import Bench

#: What a suspect is compared with.
WITHOUT = "the same without it"


@dataclasses.dataclass(frozen=True)
class _Trial:
    """A suspect before it is measured: the arm that has it, the arm that lacks it."""

    kind: SuspectKind
    name: str
    examples: int
    has: Arm
    lacks: Arm


def examine(plan: Plan, bench: Bench, folder: RunFolder, measured: Measured) -> tuple[NegativeTransfer, dict[str, Sequence[Unit]]]:
    """Carry out what is missing on the probe, with every seed, and judge every suspect, paired over items and seeds.

    Returns:
        The finding, and the units that were measured for it beside those of the comparison, by arm.
    """
    trials, notes = _trials(plan)
    known: dict[str, Sequence[Unit]] = dict(measured.units["probe"])
    further = carry_out_units(bench, further_arms(plan), "probe", plan.seeds, folder)
    known |= further
    best = next(arm for arm in plan.all_arms if arm.name == measured.best_control)
    accused = [_Trial("arm", arm.name, 0, arm, best) for arm in plan.arms]
    kinds = [accused, *([trial for trial in trials if trial.kind == kind] for kind in ("augmentation", "domain"))]
    suspects = [suspect for kind in kinds if kind for suspect in _judged(kind, known)]
    return NegativeTransfer(suspects, tuple(notes)), dict(further)


def further_arms(plan: Plan) -> list[Arm]:
    """The arms that :func:`examine` measures beside the comparison's own."""
    names = {arm.name for arm in plan.all_arms}
    arms = (arm for trial in _trials(plan)[0] for arm in (trial.has, trial.lacks))
    return list(dict.fromkeys(arm for arm in arms if arm.name not in names))


def _trials(plan: Plan) -> tuple[list[_Trial], list[str]]:
    """Augmentations, then domains; and what cannot be tried."""
    domains, notes = _domains(plan.source, EVERYTHING if EVERYTHING in plan.all_arms else SOURCE_ONLY)
    return [*_augmentations(plan), *domains], notes


def _augmentations(plan: Plan) -> Iterator[_Trial]:
    """Each augmenter of each arm against the arm without it; a comparison that has that arm already lends it."""
    known = {str(arm): arm for arm in reversed(plan.all_arms)}
    for arm in plan.arms:
        for place, method in enumerate(arm.augment):
            bare = dataclasses.replace(arm, augment=(*arm.augment[:place], *arm.augment[place + 1 :]))
            yield _Trial("augmentation", f"{method} in {arm.name}", 0, arm, known.get(str(bare), bare))


def _domains(source: Domain, base: Arm) -> tuple[list[_Trial], list[str]]:
    """Everything against everything but one domain, for each domain without which two classes are left."""
    rows = Counter(source.domains)
    if len(rows) < 2:
        return [], [f"the source '{source.name}' is a single domain, so that none can be left out"]
    labels = Counter(zip(source.domains, source.labels, strict=True))
    trials, notes = [], []
    for name in rows:
        classes = {label for (domain, label), count in labels.items() if domain != name and count}
        if len(classes) < 2:
            notes.append(f"the domain '{name}' cannot be left out: fewer than two classes would be left")
            continue
        lacks = dataclasses.replace(base, without=(name,), control="")
        trials.append(_Trial("domain", name, rows[name], base, lacks))
    return trials, notes


def _judged(trials: Sequence[_Trial], known: Runs) -> Iterator[Suspect]:
    """The suspects of one kind."""
    found = _compared(trials, known, "test")
    labelled = "validation" in known[trials[0].has.name][0].facts["scores"]
    checked = _compared(trials, known, "validation") if labelled else {}
    for trial in trials:
        yield Suspect(trial.kind, trial.name, trial.examples, found[trial.name], checked.get(trial.name))


def _compared(trials: Sequence[_Trial], known: Runs, split: str) -> Mapping[str, Comparison]:
    pairs: dict[str, Paired] = {t.name: paired(known[t.has.name], known[t.lacks.name], split) for t in trials}
    control = trials[0].lacks.name if trials[0].kind == "arm" else WITHOUT
    return {comparison.arm: comparison for comparison in verdicts(pairs, control)}
