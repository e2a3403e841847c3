"""The verb ``gap``: every distance from a source, and from each of its domains, to a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.data.target import Target
from acclimate.engine.progress import track
from acclimate.errors import InputError, unknown_name
from acclimate.features.base import Contents, Embed
from acclimate.features.embeddings import Embedder
from acclimate.gap import METHODS
from acclimate.gap.base import GapMethod, GapReport, GapResult, Sample, rows_by_domain
from acclimate.gap.domain_map import draw_map
from acclimate.gap.perplexity import Perplexity
from acclimate.models.causal import CausalModel

#: Points of each domain on the map: enough to see its shape, few enough for a page to carry their texts.
MAP_POINTS = 400


def gap(
    source: Domain,
    target: Target,
    *,
    methods: Sequence[str] | None = None,
    embed: Embed | None = None,
    model: str = "asset:minilm",
    seed: int = 0,
    sample: int = 2000,
    language_model: CausalModel | None = None,
) -> GapReport:
    """Measure how far the source, and each domain in it, is from the target.

    No label of the target is read. Distances are between samples of at most ``sample`` rows of each side, drawn by ``seed``.

    Args:
        methods: names in ``acclimate.gap.METHODS``; None takes all, and notes those that do not apply (no labels in the source),
            but ``perplexity`` only with a ``language_model``: nobody should wait for one who did not ask.
        embed: texts or pictures to vectors; None makes an :class:`Embedder` of ``model``, and only if a method needs vectors.
        sample: most rows of a side; time and memory of ``mmd`` grow with its square.
        language_model: of ``perplexity``; None, where that is asked for by name, takes the packaged one.
    Raises:
        InputError: an unknown method, fewer than two rows on a side, or a method asked for by name that does not apply.

    >>> from acclimate.data.domain import from_columns
    >>> from acclimate.data.target import Sealed
    >>> here = from_columns("here", ["good food", "bad food", "good wine"], ["+", "-", "+"])
    >>> there = from_columns("there", ["good phone", "bad phone"], ["+", "-"])
    >>> target = Target("there", there, there.take([]).without_labels(), Sealed(there, "test"), ("+", "-"))
    >>> report = gap(here, target, methods=["divergence"])
    >>> f"{report.results['divergence'].value:.2f}"
    '0.51'
    """
    chosen = _methods(methods, language_model)
    if sample < 2 or min(len(source), len(target.inputs)) < 2:
        raise InputError(
            f"A gap between '{source.name}' ({len(source)} rows) and '{target.name}' ({len(target.inputs)}) with sample {sample}",
            expected="at least 2 rows of each side, better 2000",
        )
    whole, parts, there = _draw(source, target.inputs, sample, seed)
    if any(method.needs_embeddings for method in chosen.values()):
        whole, *rest, there = _embedded([whole, *parts.values(), there], embed or Embedder(model))
        parts = dict(zip(parts, rest, strict=True))
    notes: list[str] = []
    results = _measure(chosen, whole, there, seed, None if methods is not None else notes)
    by_domain = {}
    for name, part in track(parts.items(), "Measuring gaps"):
        same_rows = len(parts) == 1
        by_domain[name] = results if same_rows else _measure(chosen, part, there, seed, notes)
    return GapReport(
        source=source.name,
        target=target.name,
        results=results,
        by_domain=by_domain,
        map=None if whole.vectors is None else draw_map(whole, there, points=MAP_POINTS, seed=seed),
        notes=tuple(notes),
    )


def _methods(names: Sequence[str] | None, language_model: CausalModel | None) -> dict[str, GapMethod]:
    for name in names or ():
        if name not in METHODS:
            raise unknown_name("gap method", name, METHODS)
    if names is None:
        names = [name for name in METHODS if name != "perplexity" or language_model is not None]
    return {name: Perplexity(language_model) if name == "perplexity" else METHODS[name]() for name in names}


def _draw(source: Domain, inputs: Domain, size: int, seed: int) -> tuple[Sample, dict[str, Sample], Sample]:
    """Samples of the whole source, of each of its domains, and of the target.

    All source samples follow one random order, so they share as many rows as they can, and fewer texts have to be embedded.
    """
    rng = np.random.default_rng(seed)
    rank = rng.permutation(len(source))
    rows_there = np.sort(rng.permutation(len(inputs))[:size])

    def first(rows: NDArray[np.int64], name: str) -> Sample:
        return Sample(source.take(np.sort(rows[np.argsort(rank[rows])][:size]), name))

    whole = first(np.arange(len(source)), source.name)
    parts = {name: first(rows, name) for name, rows in rows_by_domain(source).items()}
    return whole, parts, Sample(inputs.take(rows_there))


def _embedded(samples: Sequence[Sample], embed: Embed) -> list[Sample]:
    """The samples with their vectors; every distinct text or picture is embedded once, all in one request."""
    position: dict[str | bytes, int] = {}
    for sample in samples:
        for content in sample.domain.contents:
            position.setdefault(content, len(position))
    vectors = embed(cast("Contents", list(position)))
    return [Sample(sample.domain, vectors[[position[one] for one in sample.domain.contents]]) for sample in samples]


def _measure(
    methods: Mapping[str, GapMethod], source: Sample, target: Sample, seed: int, notes: list[str] | None
) -> dict[str, GapResult]:
    """Results by method; what does not apply to these samples is left out and said in ``notes``, or raised where that is None."""
    results = {}
    for name, method in methods.items():
        try:
            results[name] = method.measure(source, target, seed=seed)
        except InputError as error:
            if notes is None:
                raise
            notes.append(f"{name} was not measured from '{source.domain.name}': {error.found}")
    return results
