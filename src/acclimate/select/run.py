"""The verb: keep the source examples that a selector finds most useful, within a budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.data.target import Target
from acclimate.engine.build import build
from acclimate.errors import InputError, RunError
from acclimate.features.base import Embed
from acclimate.select import METHODS
from acclimate.select.base import Selection, Selector, Toolbox, Weigher
from acclimate.select.budget import Budget, count_words
from acclimate.select.needs import check_needs
from acclimate.select.pick import Pick


def select(
    source: Domain,
    target: Target,
    *,
    method: str = "classifier",
    budget: str | float | Budget = "20%",
    seed: int = 0,
    pick: str | Mapping[str, Any] | Pick | None = None,
    tools: Toolbox | None = None,
    embed: Embed | None = None,
    count_tokens: Callable[[str], int] = count_words,
    **settings: Any,
) -> Selection:
    """Keep the source examples that are most useful for the target.

    The public verb is :func:`acclimate.strategy.select.select`, which fills ``tools``.

    The method sees the source, and of the target its labelled and unlabelled examples; never the test or the validation part.

    Args:
        source: the pool.
        target: the domain to be good at.
        method: a name in ``METHODS``.
        budget: how much to keep: ``"20%"``, ``5000``, ``"2M tokens"`` (see :class:`acclimate.select.budget.Budget`).
        seed: of whatever the method draws.
        pick: how rows are taken once they have scores: ``"gumbel"``, ``{"per": "class", "distinct": True}`` (see
            :class:`acclimate.select.pick.Pick`); the best first where not given.
        tools: what the method may be handed (an encoder, a learner, a language model).
        embed: short for a box with this encoder alone.
        count_tokens: the length of a text, for a budget of tokens; words by default.
        settings: of the method; ``acclimate methods NAME`` lists them.

    Raises:
        InputError: an unknown method or setting, a budget that means nothing, an empty source or target, or the method needs what
            is not there; the message names one that can serve.
        RunError: the method gave a score that is not a number.

    >>> from acclimate.data.domain import from_columns
    >>> from acclimate.data.target import Sealed, Target
    >>> ward = from_columns("ward", ["patient has fever", "the patient sleeps"], ["ill", "well"])
    >>> target = Target("ward", ward.take([0]), ward.take([1]).without_labels(), Sealed(ward, "test"), ("ill", "well"))
    >>> pool = from_columns("pool", ["buy a car", "sell the house", "fever of a patient", "rain at noon"])
    >>> select(pool, target, method="classifier", budget="25%").to_domain().texts
    ['fever of a patient']
    """
    wanted, taking = Budget.parse(budget), Pick.parse(pick)
    tools = dataclasses.replace(tools or Toolbox(embed), seed=seed)
    selector = build(METHODS, "selector", method, settings, tools.provided)
    _check_not_empty(source, target)
    check_needs(METHODS, method, source, target, tools, selector)
    selector.fit(source, target)
    scores = _scores(selector, method, source)
    indices, notes = taking.take(wanted, scores, source, target, tools=tools, count_tokens=count_tokens)
    return Selection(
        method=_describe(method, settings) + ("" if taking == Pick() else f" [{taking}]"),
        source=source,
        indices=indices,
        scores=scores,
        weights=_weights(selector, source.take(indices)),
        reasons=selector.reasons(source.take(indices)),
        notes=notes,
    )


def _check_not_empty(source: Domain, target: Target) -> None:
    if not len(source):
        raise InputError(f"The source '{source.name}' is empty", expected="at least one example", fix="give more source data")
    if not len(target.labelled) + len(target.unlabelled):
        raise InputError(
            f"The target '{target.name}' has nothing to compare the source with",
            expected="labelled or unlabelled examples beside the test",
            fix="take a smaller test share, or give unlabelled texts",
        )


def _scores(selector: Selector, method: str, source: Domain) -> NDArray[np.float64]:
    scores = selector.score(source)
    bad = np.flatnonzero(np.isnan(scores))
    if len(bad):
        raise RunError(
            f"The selector '{method}' gave no number for {len(bad)} of {len(source)} examples, first '{source.ids[bad[0]]}'",
            expected="a number for every example",
            fix="look at that example's text and at the model's embeddings of it",
        )
    return scores


def _weights(selector: Selector, kept: Domain) -> NDArray[np.float64]:
    """Training weights of what is kept, with mean 1; all 1 where the method gives none, or gives only zeros."""
    weights = cast("Weigher", selector).weights(kept) if "weighs" in selector.traits else np.ones(len(kept))
    total = weights.sum()
    return weights * (len(kept) / total) if total > 0 else np.ones(len(kept))


def _describe(method: str, settings: Mapping[str, Any]) -> str:
    """Name and settings as one line."""
    inside = ", ".join(f"{key}={value}" for key, value in sorted(settings.items()))
    return f"{method}({inside})" if inside else method
