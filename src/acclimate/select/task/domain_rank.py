"""Domains by their gap to the target: any measure of :mod:`acclimate.gap`, without a single label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.engine.build import build
from acclimate.engine.threads import one_thread
from acclimate.errors import InputError
from acclimate.features.base import Embed
from acclimate.select.base import Need, Trait
from acclimate.select.task.base import DomainScore, ScoredDomains, check_at_least, parts, sample_of
from acclimate.select.task.resample import with_intervals

if TYPE_CHECKING:  # loads torch
    from acclimate.gap.base import GapMethod, Sample

#: Settings of measures that otherwise permute for a p-value, most of their time.
_UNTESTED = {"mmd": {"permutations": 1}, "divergence": {"permutations": 1}}
#: Fewer rows than this on one side cannot be halved and measured again.
_FEWEST = 4


def domain_gaps(
    measure: str, embed: Embed | None, source: Domain, inputs: Domain, *, sample: int, resamples: int, seed: int
) -> list[DomainScore]:
    """Minus the distance of each sub-domain of ``source`` from ``inputs``.

    Intervals come from measuring again between random halves of both sides, whose spread is that of the whole (Shao & Wu 1989:
    the jackknife that leaves out one half); a domain that the measure refuses, such as one of a single row, comes last and says so.

    Args:
        measure: a name in ``acclimate.gap.METHODS``.
        sample: most rows of a side.
        resamples: pairs of halves, 0 for no intervals.
    """
    method = gap_method(measure)
    there = parts(source, sample, seed)
    rows = {name: _sample(part, embed, method) for name, (part, _) in there.items()}
    here = _sample(sample_of(inputs, sample, seed), embed, method)
    values, notes = _measure(method, rows, here, seed)
    halves = [{name: _half(part, seed + 1 + turn) for name, part in rows.items()} for turn in range(resamples)]
    enough = min(len(here), *(len(part) for part in rows.values())) >= _FEWEST and not any(notes.values())
    draws = [_measure(method, half, _half(here, seed + 1 + turn), seed)[0] for turn, half in enumerate(halves if enough else [])]
    table = np.array([[draw[name] for draw in draws] for name in rows])
    return with_intervals(values, {name: count for name, (_, count) in there.items()}, table, list(notes.values()))


def gap_method(measure: str) -> GapMethod:
    """The measure of that name, without the permutations of its test, which say nothing of an order of domains.

    Raises:
        InputError: there is none.
    """
    from acclimate.gap import METHODS

    return build(METHODS, "gap measure", measure, _UNTESTED.get(measure, {}), {})


def _sample(part: Domain, embed: Embed | None, method: GapMethod) -> Sample:
    from acclimate.gap.base import Sample

    seen = part if method.uses_source_labels else part.without_labels()
    if not method.needs_embeddings:
        return Sample(seen)
    if embed is None:
        raise InputError("A measure of embeddings without a model", expected="embed=...", fix="use measure='divergence'")
    return Sample(seen, embed(part.contents))


def _measure(method: GapMethod, parts: Mapping[str, Sample], here: Sample, seed: int) -> tuple[dict[str, float], dict[str, str]]:
    """Minus the distance, and why there is none, by domain; what was not measured gets less than the farthest."""
    values: dict[str, float] = {}
    notes = dict.fromkeys(parts, "")
    with one_thread():  # the same bits whatever the number of threads
        for name, part in parts.items():
            try:
                values[name] = -method.measure(part, here, seed=seed).value
            except InputError as error:
                notes[name] = f"not measured: {error.found}"
    if not values:
        raise InputError(
            f"No domain could be measured: {next(iter(notes.values()))}", fix="choose another measure, or give more data"
        )
    last = min(values.values()) - 1.0
    return {name: values.get(name, last) for name in parts}, notes


def _half(whole: Sample, seed: int) -> Sample:
    from acclimate.gap.base import Sample

    rows = np.sort(np.random.default_rng(seed).permutation(len(whole))[: max(len(whole) // 2, 1)])
    return Sample(whole.domain.take(rows), None if whole.vectors is None else whole.vectors[rows])


class DomainRank:
    """Score of a domain: minus its distance to the target, by a measure of :mod:`acclimate.gap`.

    No label is used, of the target or of the source (but by ``measure="label-shift"``). What is near need not help: a gap sees the
    inputs, not whether labels mean the same.

    Reference: Ruder & Plank 2017 for the idea (there of single examples); Gretton et al. 2012 for the default measure; Ben-David et
    al. 2010, theorem 2, for why a distance of inputs bounds the loss of transfer only together with how well the labels agree.

    Measured on 23 targets (:data:`acclimate.select.task.rank.MEASURED`): rank correlation with the accuracy that a domain's probe
    reaches on the target's test .44 by ``mmd``, .42 by ``proxy-a``, .34 by ``divergence``, .04 by ``coral``;
    scores that read 100 target labels come to .7 and more.

    Use when: the target has no labels, or few; domains differ in topic or style.
    Avoid when: all domains share their topic and differ in what the labels mean; then use ``leep`` or ``logme``.

    Cost: .2 CPU seconds for each domain with ``mmd`` and its halves, .5 with ``proxy-a``, 1.5 with ``divergence``, once texts are
    embedded; with ``mmd`` it grows with the square of the sample.

    Args:
        embed: examples to vectors.
        measure: a name in ``acclimate.gap.METHODS``, such as ``mmd``, ``proxy-a``, ``coral`` or ``divergence``.
        sample: most rows of a side.
        resamples: pairs of halves for the intervals; 0 leaves them out.
        seed: of samples, halves and the order inside a domain.
    """

    needs: ClassVar[tuple[Need, ...]] = ("embeddings", "source domains")
    traits: ClassVar[tuple[Trait, ...]] = ("whole-domains", "ranks")
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Ruder & Plank 2017; Gretton et al. 2012"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "whole domains: by any measured gap to the target, without labels"
    summary_zh: ClassVar[str] = "整域选择：按源域与目标域的任一差距度量排序，无需标签"

    def __init__(self, embed: Embed, measure: str = "mmd", sample: int = 500, resamples: int = 20, seed: int = 0) -> None:
        check_at_least("domain-rank", sample=(sample, 2), resamples=(resamples, 0))
        self.embed, self.measure, self.sample = embed, measure, sample
        self.resamples, self.seed = resamples, seed

    def fit(self, source: Domain, target: Target) -> Self:
        found = domain_gaps(
            self.measure, self.embed, source, target.inputs, sample=self.sample, resamples=self.resamples, seed=self.seed
        )
        self._scored = ScoredDomains.of("domain-rank", found, self.seed)
        return self

    @property
    def domains(self) -> list[DomainScore]:
        """The scored domains, best first."""
        return list(self._scored.domains)

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """Minus the distance of each example's domain, ``(n,)``; ties inside a domain in random order."""
        return self._scored.score(batch)

    def reasons(self, batch: Domain) -> list[str]:
        """The measure, the domain, minus its distance and a 95% interval."""
        return [f"{line}, measure={self.measure}" for line in self._scored.reasons(batch)]
