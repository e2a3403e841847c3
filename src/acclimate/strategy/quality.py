"""What a report says about the examples that an arm generated."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import orjson
import pyarrow as pa

from acclimate.augment.guard.agreement import Agreement, CrossFitted, cross_fit, label_probabilities
from acclimate.augment.guard.base import Teacher, parents_of
from acclimate.augment.guard.run import Sifted
from acclimate.augment.quality import coverage, distinct, flip_rate, self_bleu
from acclimate.data.domain import Domain, concatenate
from acclimate.data.target import Target
from acclimate.features.base import Embed
from acclimate.tune.probe import unit_rows

#: Target examples whose neighbourhoods are looked at, evenly spread.
COVERED = 2_000
#: Column in which a person's labels of generated examples stand, where there are any.
GOLD = "gold"
#: Refused examples shown.
_SHOWN = 8


@dataclasses.dataclass(frozen=True)
class Refusal:
    """An example that a guard refused."""

    reason: str
    detail: str
    label: str
    parent: str
    text: str


@dataclasses.dataclass(frozen=True)
class Quality:
    """One augmenter's examples in one arm, with the first seed. Figures that could not be had are NaN.

    Attributes:
        method: the augmenter.
        made, kept: how many examples it made and how many passed the guards.
        refused: counts by guard, in the order in which they were asked.
        flips: shares that the teacher labels otherwise: ``genuine`` examples (what a faithful one gives), ``made``, ``kept``.
        gold: share of kept ones that a person labels otherwise.
        distinct1, distinct2, self_bleu, coverage: ``parents`` and ``kept``; of coverage ``both`` too: share of the target's
            neighbourhoods that the parents, the new examples, or either of them reach.
        examples: some of the refused.
    """

    method: str
    made: int
    kept: int
    refused: Mapping[str, int]
    flips: Mapping[str, float]
    gold: float
    distinct1: Mapping[str, float]
    distinct2: Mapping[str, float]
    self_bleu: Mapping[str, float]
    coverage: Mapping[str, float]
    examples: Sequence[Refusal]


def measure_quality(sifted: Sifted, view: Target, embed: Embed, teacher: Teacher, seed: int = 0) -> Quality:
    """Measure what guards kept against its parents and against the target's inputs (labelled and unlabelled; never the test)."""
    parents, kept = view.labelled, sifted.kept
    settings = Agreement()
    fitted = cross_fit(teacher, parents, settings.folds, seed) if parents.is_labelled else None
    gold = kept.table.column(GOLD).to_pylist() if GOLD in kept.table.column_names else [None] * len(kept)
    texts = parents.modality != "image"

    def told(figure: object, *arguments: int) -> dict[str, float]:
        if not texts:
            return {"parents": math.nan, "kept": math.nan}
        return {name: figure(part.texts, *arguments) for name, part in (("parents", parents), ("kept", kept))}  # type: ignore[operator]

    return Quality(
        method=_method_of(sifted),
        made=sifted.made,
        kept=len(kept),
        refused=sifted.counts,
        flips=_flips(sifted, fitted, texts),
        gold=flip_rate(kept.labels, gold),
        distinct1=told(distinct, 1),
        distinct2=told(distinct, 2),
        self_bleu=told(self_bleu),
        coverage=_coverage(view, kept, embed),
        examples=_examples(sifted),
    )


def _flips(sifted: Sifted, fitted: CrossFitted | None, texts: bool) -> dict[str, float]:
    if fitted is None:
        return dict.fromkeys(("genuine", "made", "kept"), math.nan)
    kept = sifted.kept
    refused = _refused(sifted) if texts else None

    def rate(part: Domain) -> float:
        _, top = label_probabilities(fitted, part, parents_of(part))
        return flip_rate(part.labels, top) if len(part) else math.nan

    made = kept if refused is None or not len(refused) else concatenate("made", [_plain(kept), refused])
    return {"genuine": 1 - fitted.agreed, "made": rate(made) if texts else math.nan, "kept": rate(kept)}


def _plain(domain: Domain) -> Domain:
    return Domain(domain.name, domain.table.select(["id", "text", "label", "origin"]))


def _refused(sifted: Sifted) -> Domain:
    """What guards refused, as examples."""
    rows = sifted.removed.to_pylist()
    origins = [orjson.dumps({"method": row["method"], "parents": [row["parent"]]}).decode() for row in rows]
    table = {name: pa.array([row[name] for row in rows], pa.string()) for name in ("id", "text", "label")}
    return Domain("refused", pa.table({**table, "origin": pa.array(origins, pa.string())}))


def _coverage(view: Target, kept: Domain, embed: Embed) -> dict[str, float]:
    inputs = view.inputs
    rows = np.linspace(0, len(inputs) - 1, min(COVERED, len(inputs))).round().astype(np.int64)
    target = unit_rows(embed(inputs.take(rows).contents))
    parents = unit_rows(embed(view.labelled.contents))
    made = unit_rows(embed(kept.contents)) if len(kept) else parents[:0]
    both = np.concatenate([parents, made])
    return {"parents": coverage(target, parents), "kept": coverage(target, made), "both": coverage(target, both)}


def _examples(sifted: Sifted) -> list[Refusal]:
    """A few of each reason, reasons in their order."""
    found = sifted.removed.to_pylist()
    reasons = [reason for reason, count in sifted.counts.items() if count]
    each = max(1, _SHOWN // max(1, len(reasons)))
    return [
        Refusal(row["reason"], row["detail"], row["label"] or "", row["parent_text"], row["text"])
        for reason in reasons
        for row in [row for row in found if row["reason"] == reason][:each]
    ]


def _method_of(sifted: Sifted) -> str:
    if len(sifted.kept) and "origin" in sifted.kept.table.column_names:
        return str(orjson.loads(sifted.kept.table.column("origin")[0].as_py())["method"])
    return str(sifted.removed["method"][0].as_py()) if sifted.removed.num_rows else ""
