"""Reads the traits off the data: bounded samples, closed forms, seconds. Nothing is trained and no sealed label is read."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, concatenate
from acclimate.data.hygiene import check_same_modality
from acclimate.data.target import Target
from acclimate.engine.local import cores
from acclimate.errors import InputError, unknown_name
from acclimate.features.base import Embed
from acclimate.gap.base import Sample
from acclimate.gap.divergence import Divergence
from acclimate.gap.proxy_a import ProxyA
from acclimate.select.random import uniform
from acclimate.strategy.advise import looks
from acclimate.strategy.advise.classes import balance, label_shift, transfer
from acclimate.strategy.advise.repeats import repeated_across, repeated_within
from acclimate.strategy.advise.scripts import script
from acclimate.strategy.advise.traits import TASKS, Part, Task, Traits

#: Rows of a side that are looked at: a proxy A-distance from 800 rows a side is known to within ±0.1.
SAMPLE = 800
#: The largest domains of the source that are measured one by one, and rows of each.
MOST_PARTS, PART_SAMPLE = 12, 300
#: Labelled source rows that a rule in closed form is fitted to: words need many, and without a model they cost little.
RULE_SAMPLE = 3000
#: Fewer rows make no distance.
LEAST_ROWS = 10


def measure(
    source: Domain,
    target: Target,
    *,
    task: Task | None = None,
    embed: Embed | None = None,
    features: str = "",
    sample: int = SAMPLE,
    seed: int = 0,
) -> Traits:
    """The traits of a source and a target.

    Args:
        task: guessed where not given: pictures, labelled texts, or texts without any label (``causal-lm``).
        embed: vectors of a model, of ``sample`` rows a side at most, to measure distances on; hashed words or thumbnails else.
        features: what these vectors are called.
        sample: most rows of a side that are looked at, drawn by the seed and the rows' ids.

    Raises:
        InputError: too few rows, another kind of examples on one side, or a task that they are not for.
    """
    inputs = target.inputs
    if min(len(source), len(inputs)) < LEAST_ROWS or sample < LEAST_ROWS:
        raise InputError(
            f"Advice on '{source.name}' ({len(source)} rows) and '{target.name}' ({len(inputs)} beside its test), sample {sample}",
            expected=f"at least {LEAST_ROWS} rows of each side, better some hundreds",
            fix="give more data; of the target examples without labels serve as well",
        )
    check_same_modality(source, inputs)
    chosen = _task(source, target, task)
    drawn = Drawn(source, seed)
    here, there = drawn.first(sample), Drawn(inputs, seed).first(sample)
    # The firewall: of the test only the inputs are seen, and only to count what the source repeats of them.
    whole = concatenate("target", [inputs, target.test.inputs]) if len(target.test) else inputs
    sides = _Sides(here, there, embed, seed)
    facts: dict[str, Any] = {
        **_sizes(source, target),
        **_gaps(sides, drawn),
        **_diversity(sides),
        **_writing(here, there),
        "repeated_target": repeated_within(there),
        "repeated_source": repeated_within(here),
        "repeated_across": repeated_across(here, Drawn(whole, seed).first(sample)),
    }
    if chosen != "causal-lm":
        facts |= _labels(drawn, target, sides, sample)
    return Traits(
        task=chosen,
        features=features or ("thumbnails" if source.modality == "image" else "words"),
        sampled=min(sample, max(len(source), len(inputs))),
        accelerated=_accelerated(),
        cores=cores(),
        **facts,
    )


def _task(source: Domain, target: Target, task: Task | None) -> Task:
    if task is not None and task not in TASKS:
        raise unknown_name("task", task, TASKS)
    labelled = bool(source.classes or target.classes)
    fitting: Task = "image-classification" if source.modality == "image" else "text-classification" if labelled else "causal-lm"
    wanted = task or fitting
    if (wanted == "image-classification") != (source.modality == "image"):
        raise InputError(f"The task is {wanted}, and the examples are {source.modality}s", expected=f"task {fitting}")
    if wanted != "causal-lm" and not labelled:
        raise InputError(
            f"The task is {wanted}, and neither '{source.name}' nor '{target.name}' has a label",
            expected="labels in the source at least",
            fix="name the column of labels (--label), or take the task causal-lm",
        )
    return wanted


class Drawn:
    """Rows of a domain in a random order that follows from the seed and their ids, whatever their order in the domain."""

    def __init__(self, domain: Domain, seed: int) -> None:
        self.domain = domain
        keys = uniform(seed, domain.ids, "advice")
        self._ids = np.array(domain.ids, dtype=object)
        self._order = np.lexsort((self._ids, keys))

    def first(self, count: int) -> Domain:
        """The first rows in that order, sorted by id."""
        return self._taken(self._order[:count], self.domain.name)

    def parts(self, count: int) -> dict[str, tuple[Domain, int]]:
        """For each sub-domain its first rows, and how many it has."""
        names = np.array(self.domain.domains, dtype=object)[self._order]
        found = {}
        for name in sorted(set(names)):
            rows = self._order[names == name]
            found[name] = self._taken(rows[:count], name), len(rows)
        return found

    def _taken(self, rows: NDArray[np.int64], name: str) -> Domain:
        return self.domain.take(rows[np.argsort(self._ids[rows], kind="stable")], name)


@dataclasses.dataclass(frozen=True)
class _Sides:
    """Samples of both sides and how they become vectors."""

    here: Domain
    there: Domain
    embed: Embed | None
    seed: int

    def sample(self, domain: Domain) -> Sample:
        """A domain with its vectors."""
        vectors = self.embed(domain.contents) if self.embed else looks.vectors(domain)
        return Sample(domain, vectors.astype(np.float32))


def _sizes(source: Domain, target: Target) -> dict[str, Any]:
    labelled = sum(label is not None for label in source.labels)
    ours = len(target.labelled)
    classes = target.classes or source.classes
    return {
        "source_rows": len(source),
        "source_labels": labelled,
        "source_domains": len(set(source.domains)),
        "source_classes": len(source.classes),
        "target_labels": ours,
        "target_unlabelled": len(target.unlabelled),
        "target_classes": len(classes),
        "labels_per_class": ours / max(len(classes), 1),
        "source_per_label": labelled / max(ours, 1),
    }


def _gaps(sides: _Sides, drawn: Drawn) -> dict[str, Any]:
    whole, there = sides.sample(sides.here), sides.sample(sides.there)
    found = ProxyA().measure(whole, there, seed=sides.seed)
    facts: dict[str, Any] = {"gap": found.value, "gap_low": found.low, "gap_high": found.high}
    if sides.here.modality == "image":
        facts |= _picture_gaps(sides)
    else:
        words = Divergence(permutations=10).measure(whole, there, seed=sides.seed)
        facts["word_gap"] = max(words.value - words.details["by_chance"], 0.0)
    measured = _parts(sides, drawn, there)
    gaps = [part.gap for part in measured if part.gap is not None]
    facts["parts"] = measured
    facts["gap_spread"] = max(gaps) - min(gaps) if len(gaps) > 1 else None
    return facts


def _picture_gaps(sides: _Sides) -> dict[str, float]:
    pairs = zip(*(looks.picture_vectors(side.images) for side in (sides.here, sides.there)), strict=True)
    gaps = [
        ProxyA().measure(Sample(sides.here, a.astype(np.float32)), Sample(sides.there, b.astype(np.float32)), seed=sides.seed)
        for a, b in pairs
    ]
    return {"content_gap": gaps[0].value, "style_gap": gaps[1].value}


def _parts(sides: _Sides, drawn: Drawn, there: Sample) -> tuple[Part, ...]:
    """The largest domains of the source, each with its gap, nearest first."""
    found = drawn.parts(PART_SAMPLE)
    if len(found) < 2:
        return ()
    largest = sorted(found.items(), key=lambda item: (-item[1][1], item[0]))[:MOST_PARTS]
    measured = [_part(name, rows, sides.sample(part), there, sides.seed) for name, (part, rows) in largest]
    return tuple(sorted(measured, key=lambda part: (part.gap is None, part.gap or 0.0, part.name)))


def _part(name: str, rows: int, part: Sample, there: Sample, seed: int) -> Part:
    if len(part) < LEAST_ROWS:
        return Part(name, rows)
    found = ProxyA().measure(part, there, seed=seed)
    return Part(name, rows, found.value, found.low, found.high)


def _diversity(sides: _Sides) -> dict[str, Any]:
    ours, theirs = (looks.mean_distance(sides.sample(side).embedded()) for side in (sides.there, sides.here))
    facts: dict[str, Any] = {"spread": ours, "spread_ratio": ours / theirs if theirs > 0 else None}
    if sides.here.modality != "image":
        pairs = [_word_pairs(side.texts) for side in (sides.there, sides.here)]
        shortest = min(len(side) for side in pairs)
        if shortest:
            here, there = (len(set(side[:shortest])) / shortest for side in (pairs[1], pairs[0]))
            facts |= {"distinct": there, "distinct_ratio": there / here}
    return facts


def _word_pairs(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of neighbouring words of all texts, in order."""
    from acclimate.features.tokenize import words

    found: list[tuple[str, str]] = []
    for text in texts:
        row = words(text)
        found += itertools.pairwise(row)
    return found


def _writing(here: Domain, there: Domain) -> dict[str, Any]:
    if here.modality == "image":
        return {}
    from acclimate.features.tokenize import words

    lengths = [median(len(words(text)) for text in side.texts) for side in (here, there)]
    scripts = [script(side.texts) for side in (here, there)]
    return {
        "source_script": scripts[0],
        "target_script": scripts[1],
        "same_script": scripts[0] == scripts[1],
        "source_length": lengths[0],
        "target_length": lengths[1],
        "length_ratio": max(lengths) / max(min(lengths), 1),
    }


def _labels(drawn: Drawn, target: Target, sides: _Sides, sample: int) -> dict[str, Any]:
    here, there = sides.sample(sides.here), sides.sample(sides.there)
    shift = label_shift(here, there, target.labelled.labels, sides.seed)
    ours = sides.sample(Drawn(target.labelled, sides.seed).first(sample)) if len(target.labelled) else None
    facts = {"source_balance": balance(drawn.domain.labels), "target_balance": balance(target.labelled.labels)}
    if shift is not None:
        facts |= {"label_shift": shift.value, "label_shift_p": shift.p, "label_shift_from": shift.origin}  # type: ignore[dict-item]
    if ours is not None:
        wide = here if sides.embed else sides.sample(drawn.first(max(sample, RULE_SAMPLE)))
        facts |= transfer(wide, ours, sides.seed)
    if facts.get("transfer") is not None:
        facts["transfer_margin"] = facts["transfer"] - facts["chance"]  # type: ignore[operator]
        facts["transfer_lead"] = None if facts.get("learnable") is None else facts["transfer"] - facts["learnable"]  # type: ignore[operator]
    return facts


def _accelerated() -> bool:
    import torch

    return bool(torch.cuda.is_available())
