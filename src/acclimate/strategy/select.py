"""The public verb ``select``: what a selector needs is brought here, from the floors that selectors do not know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.data.target import Target
from acclimate.features.base import Embed
from acclimate.features.embeddings import Embedder
from acclimate.models.causal import CausalModel
from acclimate.models.tokens import token_counter
from acclimate.select import run
from acclimate.select.base import Learner, Scorer, Selection, Toolbox
from acclimate.select.budget import Budget, count_words
from acclimate.select.pick import Pick


def toolbox(
    embed: Embed | None = None,
    *,
    model: str = "asset:minilm",
    learner: Learner | None = None,
    language_model: str = "asset:smollm2",
) -> Toolbox:
    """Everything a selector may be handed; models are looked for and loaded when a method first uses them.

    Args:
        embed: examples to vectors; an :class:`Embedder` of ``model`` where not given.
        model: ``asset:NAME``, a local folder or a hub name of an encoder.
        learner: trains classifiers; the probe on ``embed`` where not given.
        language_model: a causal language model, named the same way.
    """
    encoder = embed if embed is not None else _Deferred(model)
    return Toolbox(encoder, learner=learner or _DeferredLearner(encoder), language_model=CausalModel(language_model))


def select(
    source: Domain,
    target: Target,
    *,
    method: str = "classifier",
    budget: str | float | Budget = "20%",
    pick: str | Mapping[str, Any] | Pick | None = None,
    seed: int = 0,
    embed: Embed | None = None,
    model: str = "asset:minilm",
    learner: Learner | None = None,
    language_model: str = "asset:smollm2",
    count_tokens: Callable[[str], int] | None = None,
    **settings: Any,
) -> Selection:
    """Keep the source examples that are most useful for the target.

    The method sees the source, and of the target its labelled and unlabelled examples; never the test or the validation part.

    Args:
        source: the pool.
        target: the domain to be good at.
        method: a name in ``acclimate.select.METHODS``; ``acclimate methods`` lists them.
        budget: how much to keep: ``"20%"``, ``5000``, ``"2M tokens"`` (see :class:`acclimate.select.budget.Budget`).
        pick: how rows are taken once they have scores: ``"gumbel"``, ``{"per": "class", "distinct": True}`` (see
            :class:`acclimate.select.pick.Pick`); the best first where not given.
        seed: of whatever the method draws.
        embed, model, learner, language_model: see :func:`toolbox`.
        count_tokens: the length of a text, for a budget of tokens; by the tokenizer of ``model`` where not given.
        settings: of the method.

    Raises:
        InputError: an unknown method or setting, a budget that means nothing, an empty source or target, or the method needs what
            is not there; the message names one that can serve.
        RunError: the method gave a score that is not a number, or a model could not be fetched.

    >>> from acclimate.data.domain import from_columns
    >>> from acclimate.data.target import Sealed, Target
    >>> ward = from_columns("ward", ["patient has fever", "the patient sleeps"], ["ill", "well"])
    >>> target = Target("ward", ward.take([0]), ward.take([1]).without_labels(), Sealed(ward, "test"), ("ill", "well"))
    >>> pool = from_columns("pool", ["buy a car", "sell the house", "fever of a patient", "rain at noon"])
    >>> select(pool, target, method="classifier", budget="25%").to_domain().texts
    ['fever of a patient']
    """
    tools = toolbox(embed, model=model, learner=learner, language_model=language_model)
    wanted = Budget.parse(budget)
    count = count_tokens or (token_counter(model) if wanted.kind == "tokens" else count_words)
    return run.select(
        source, target, method=method, budget=wanted, pick=pick, seed=seed, tools=tools, count_tokens=count, **settings
    )


def deferred(model: str) -> Embed:
    """An encoder that is looked for when it is first called."""
    return _Deferred(model)


class _Deferred:
    """An ``Embed`` that looks for its model when it is first called, so that methods without embeddings never do."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._embed: Embed | None = None

    def __call__(self, contents: Any, /) -> Any:
        if self._embed is None:
            self._embed = Embedder(model=self._model)
        return self._embed(contents)


class _DeferredLearner:
    """The probe as a ``Learner`` that is only loaded when a method trains something."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed

    def fit(self, examples: Domain, classes: Sequence[str], weights: NDArray[np.float64] | None = None) -> Scorer:
        return self._probe().fit(examples, classes, weights)

    def trajectory(self, examples: Domain, classes: Sequence[str], *, epochs: int, seed: int) -> Iterator[Scorer]:
        return self._probe().trajectory(examples, classes, epochs=epochs, seed=seed)

    def _probe(self) -> Learner:
        from acclimate.tune.learner import ProbeLearner

        return ProbeLearner(self._embed)
