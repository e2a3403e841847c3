"""The public verbs for pools that are read in pieces: what a selector needs is brought here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from acclimate.data.domain import Domain
from acclimate.data.shards import Pool
from acclimate.data.target import Target
from acclimate.engine.base import Engine
from acclimate.features.base import Embed
from acclimate.models.tokens import token_counter
from acclimate.select.base import Learner
from acclimate.select.budget import Budget, count_words
from acclimate.select.pick import Pick
from acclimate.select.stream import estimate as measuring
from acclimate.select.stream import run
from acclimate.select.stream.choice import FIT_ROWS, Choice
from acclimate.select.stream.estimate import Estimate
from acclimate.select.stream.folder import Streamed
from acclimate.strategy.select import toolbox


def select_stream(
    pool: Pool,
    target: Target,
    out: str | Path,
    *,
    method: str = "classifier",
    budget: str | float | Budget = "20%",
    pick: str | Mapping[str, Any] | Pick | None = None,
    seed: int = 0,
    embed: Embed | None = None,
    model: str = "asset:minilm",
    learner: Learner | None = None,
    language_model: str = "asset:smollm2",
    also: Mapping[str, Domain] | None = None,
    engine: Engine | None = None,
    format: str = "parquet",  # noqa: A002 - the name users know
    count_tokens: Callable[[str], int] | None = None,
    fit_rows: int = FIT_ROWS,
    **settings: Any,
) -> Streamed:
    """Keep the examples of a pool that are most useful for the target, into files; memory does not grow with the pool.

    See :func:`acclimate.select.stream.run.select_stream`; ``embed``, ``model``, ``learner``, ``language_model`` and
    ``count_tokens`` as in :func:`acclimate.strategy.select.select`.

    >>> import tempfile
    >>> from acclimate.data.domain import from_columns
    >>> from acclimate.data.make import open_target
    >>> from acclimate.data.shards import pool
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "pool.csv").write_text("text\\nbuy a car\\nsell the house\\nfever of a patient\\nrain at noon\\n")
    >>> ward = open_target(from_columns("ward", ["patient has fever", "the patient sleeps"]))
    >>> select_stream(pool(folder / "pool.csv"), ward, folder / "picked", method="dsir", budget="25%").to_domain().texts
    ['fever of a patient']
    """
    wanted = Budget.parse(budget)
    choice = Choice(
        method=method,
        settings=settings,
        budget=wanted,
        pick=Pick.parse(pick),
        seed=seed,
        also=also or {},
        models=_names(embed, model, language_model),
        count_tokens=_counter(count_tokens, model, wanted),
        fit_rows=fit_rows,
    )
    tools = toolbox(embed, model=model, learner=learner, language_model=language_model)
    return run.select_stream(pool, target, Path(out), choice=choice, tools=tools, engine=engine, format=format)


def estimate(
    pool: Pool,
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
    also: Mapping[str, Domain] | None = None,
    workers: int = 1,
    format: str = "parquet",  # noqa: A002 - the name users know
    started: float = 0.0,
    count_tokens: Callable[[str], int] | None = None,
    fit_rows: int = FIT_ROWS,
    **settings: Any,
) -> Estimate:
    """Time, memory and disk that :func:`select_stream` would take, measured on pieces of the pool.

    See :func:`acclimate.select.stream.estimate.estimate`.
    """
    wanted = Budget.parse(budget)
    choice = Choice(
        method=method,
        settings=settings,
        budget=wanted,
        pick=Pick.parse(pick),
        seed=seed,
        also=also or {},
        models=_names(embed, model, language_model),
        count_tokens=_counter(count_tokens, model, wanted),
        fit_rows=fit_rows,
    )
    tools = toolbox(embed, model=model, learner=learner, language_model=language_model)
    return measuring.estimate(pool, target, choice=choice, tools=tools, workers=workers, format=format, started=started)


def _counter(given: Callable[[str], int] | None, model: str, budget: Budget) -> Callable[[str], int]:
    return given or (token_counter(model) if budget.kind == "tokens" else count_words)


def _names(embed: Embed | None, model: str, language_model: str) -> tuple[str, ...]:
    """What tells the models of one job from those of another."""
    if embed is None:
        return model, language_model
    reference = getattr(embed, "reference", None)
    return str(reference.fingerprint if reference is not None else type(embed).__qualname__), language_model
