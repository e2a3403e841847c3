"""What a comparison found out: the value that reports, tables and the command line all read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from acclimate.evaluate.validators.failures import Failures
from acclimate.evaluate.verdict import Comparison
from acclimate.gap.base import GapReport
from acclimate.select.base import Selection
from acclimate.strategy.quality import Quality

if TYPE_CHECKING:
    from acclimate.strategy.advise.advice import Advice

Fidelity = Literal["probe", "fine-tune"]
SuspectKind = Literal["arm", "augmentation", "domain"]


@dataclasses.dataclass(frozen=True)
class ArmResult:
    """One arm at one fidelity, over all seeds.

    Attributes:
        name, line: what tables call the arm, and what it does in one line.
        is_control: whether it is one of the controls.
        fidelity: ``probe`` (frozen features, logistic regression) or ``fine-tune`` (every weight trained).
        scores: metric name to one value per seed, on the sealed test: accuracy, macro_f1, log_loss, calibration_error.
        validation: accuracy per seed on validation (out-of-fold where K-fold serves); empty where not measured.
        comparison: against the best control on the test; None for that control itself.
        validation_comparison: the same on validation; what the gate reads.
        seconds: measured seconds per seed by stage: select, augment, train.
        trained_on: examples learned from, by kind: source, target, augmented (mean over seeds).
        steps: optimiser steps per seed (0 for the probe).
    """

    name: str
    line: str
    is_control: bool
    fidelity: Fidelity
    scores: Mapping[str, Sequence[float]]
    validation: Sequence[float]
    comparison: Comparison | None
    validation_comparison: Comparison | None
    seconds: Mapping[str, float]
    trained_on: Mapping[str, float]
    steps: int = 0


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Arms and controls as a validator ranks them that sees no label: an offer, not evidence.

    Attributes:
        validator: its name.
        scores: by arm, one per seed; the higher, the better.
        failures: how often choosing by it was worse than doing nothing, as measured.
    """

    validator: str
    scores: Mapping[str, Sequence[float]]
    failures: Failures


@dataclasses.dataclass(frozen=True)
class Suspect:
    """Something that may hurt, and what having it does: the difference is *with* minus *without*, so that below 0 it hurts.

    Attributes:
        kind: an ``arm`` is compared with the best control, an ``augmentation`` with its arm without it, a source ``domain`` with
            everything but that domain.
        name: of the arm; ``eda in ARM``; of the domain.
        examples: how many of a domain's are learned from; 0 for the others.
        comparison: on the sealed test; Holm over all suspects of its kind.
        validation: the same on validation; None where no labels validated. What is left out of a model because of this finding
            should be left out because validation says so too: the test has been looked at.
    """

    kind: SuspectKind
    name: str
    examples: int
    comparison: Comparison
    validation: Comparison | None = None


@dataclasses.dataclass(frozen=True)
class NegativeTransfer:
    """Every suspect, arms first, then augmentations, then domains; and why something could not be examined."""

    suspects: Sequence[Suspect]
    notes: Sequence[str] = ()

    @property
    def culprits(self) -> list[Suspect]:
        """Those that are shown to hurt."""
        return [suspect for suspect in self.suspects if suspect.comparison.verdict == "hurt"]


@dataclasses.dataclass(frozen=True)
class GeneratedExample:
    """A generated example beside its parent, for the report; of pictures ``data:`` addresses too."""

    arm: str
    method: str
    label: str
    parent: str
    text: str
    parent_picture: str = ""
    picture: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """Everything that one ``compare`` measured.

    Attributes:
        name: of the run.
        task, model: what was adapted.
        source, target: names; ``sizes`` counts examples: source, target_labelled, target_unlabelled, test, and by source domain.
        classes: the label space.
        seeds: how many repetitions at each fidelity.
        results: every arm and control at every fidelity it ran at; probe first.
        best_control: name by fidelity; chosen on validation.
        recommended: name of the arm or control the gate recommends; a control's name means "do not adapt".
        reason: why, as a message key of the report with its figures: ``{"key": ..., **figures}``.
        gap: measured distances and the map; None where not measured.
        selections: one selection (first seed) by arm name, for the selecting arms and the random control.
        generated: samples of generated examples with their parents.
        hygiene: counts of what was removed before anything ran, and examples of it.
        notes: announcements and warnings worth a reader's eye.
        evidence: the whole table, one row per (arm, fidelity, seed, split).
        manifest: versions, hashes of inputs, seeds, hardware, the command to reproduce.
        quality: figures on the generated examples by arm, one for each augmenter, with the first seed.
        refused: what guards refused of them, one row each with its arm; None where nothing was generated.
        negative_transfer: what hurts, where the comparison was asked to look for it.
        ranking: how a label-free validator ranks the arms; None where validation labels chose.
        advice: what was advised before anything ran, and why; None where nobody asked.
    """

    name: str
    task: str
    model: str
    source: str
    target: str
    sizes: Mapping[str, Any]
    classes: Sequence[str]
    seeds: Mapping[str, int]
    results: Sequence[ArmResult]
    best_control: Mapping[str, str]
    recommended: str
    reason: Mapping[str, Any]
    gap: GapReport | None
    selections: Mapping[str, Selection]
    generated: Sequence[GeneratedExample]
    hygiene: Mapping[str, Any]
    notes: Sequence[str]
    evidence: pa.Table
    manifest: Mapping[str, Any]
    quality: Mapping[str, Sequence[Quality]] = dataclasses.field(default_factory=dict)
    refused: pa.Table | None = None
    ranking: Ranking | None = None
    negative_transfer: NegativeTransfer | None = None
    advice: Advice | None = None
