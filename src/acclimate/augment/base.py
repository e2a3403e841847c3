"""What an offline augmenter is, and the one way in which new examples are made, numbered and remembered."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import orjson
import pyarrow as pa

from acclimate.data.domain import Domain
from acclimate.errors import InputError


class Augmenter(Protocol):
    """Makes new examples out of labelled target examples, offline.

    ``method`` is its name in recipes and in the origin of every example it makes; the other attributes describe it to people:
    ``paper`` (a short citation), ``modality``, and one line in English and in Chinese.
    """

    method: ClassVar[str]
    paper: ClassVar[str]
    modality: ClassVar[tuple[str, ...]]
    summary: ClassVar[str]
    summary_zh: ClassVar[str]

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new examples for each one, labels and domains kept, grouped by parent in order.

        The ``origin`` column holds JSON ``{"method", "parents", "seed", "copy", "settings"}``; ids are ``parent~method~copy``.
        The new example depends on (seed, parent id, parent content, copy) and on what the method was constructed with alone: not
        on its neighbours, the worker count or the hash seed. What a picture drew stands in its origin as ``"drawn"``.
        """
        ...


#: Constructor arguments that the verb provides; they are not settings of a method.
#: ``style``: pictures whose look others take; ``training``: the examples that a generator learns from.
PROVIDED = ("style", "training")


def settings_of(augmenter: Any) -> dict[str, Any]:
    """The settings that a method, a dataclass, was made with, JSON-ready."""
    names = [field.name for field in dataclasses.fields(augmenter) if field.name not in PROVIDED]
    return {name: getattr(augmenter, name) for name in names}


def check_times(times: int, workers: int = 1) -> None:
    """Raise an InputError where fewer than one new example, or fewer than one worker, is asked for."""
    if times < 1:
        raise InputError(f"{times} new examples for each one", expected="at least 1", fix="set times to 1 or more")
    if workers < 1:
        raise InputError(f"{workers} workers were asked for", expected="at least 1", fix="set workers to 1 or more")


def descend(
    parents: Domain,
    contents: Sequence[str] | Sequence[bytes],
    *,
    method: str,
    seed: int,
    settings: Mapping[str, Any],
    drawn: Sequence[Mapping[str, Any]] | None = None,
    others: Sequence[Sequence[str]] | None = None,
    notes: Sequence[str] = (),
) -> Domain:
    """New examples beside their parents' labels, domains, weights and other columns, each with its id and origin.

    Args:
        parents: ``n`` examples.
        contents: ``n * times`` new texts or encoded pictures, grouped by parent in order; copies are numbered from 1.
        method: the augmenter's name.
        seed: it was called with.
        settings: it was made with, JSON-ready.
        drawn: what was drawn for each new example, JSON-ready.
        others: for each new example, the ids of further examples that it was made from.
        notes: what a user should know about these examples.
    """
    times = len(contents) // len(parents) if len(parents) else 0
    ids, origins = [], []
    for row in range(len(contents)):
        parent, copy = parents.ids[row // times], row % times + 1
        origin: dict[str, Any] = {"copy": copy, "method": method, "parents": [parent], "seed": seed, "settings": settings}
        if others is not None:
            origin["parents"] = [parent, *others[row]]
        if drawn is not None:
            origin["drawn"] = drawn[row]
        ids.append(f"{parent}~{method}~{copy}")
        origins.append(orjson.dumps(origin, option=orjson.OPT_SORT_KEYS).decode())
    children = parents.take(np.repeat(np.arange(len(parents)), times))
    new = ("image", pa.array(contents, pa.binary())) if parents.modality == "image" else ("text", pa.array(contents, pa.string()))
    for column, values in (("id", pa.array(ids, pa.string())), new, ("origin", pa.array(origins, pa.string()))):
        children = children.with_column(column, values)
    return Domain(children.name, children.table, tuple(notes))
