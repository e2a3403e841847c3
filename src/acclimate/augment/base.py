"""What an offline augmenter is, and the one way in which new examples are made, numbered and remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import orjson
import pyarrow as pa

from acclimate.data.domain import Domain


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
        The new text depends on (seed, parent id, parent text, copy) alone: not on its neighbours, the worker count or the
        hash seed.
        """
        ...


def descend(
    parents: Domain, texts: Sequence[str], *, method: str, seed: int, settings: Mapping[str, Any], notes: Sequence[str] = ()
) -> Domain:
    """New examples beside their parents' labels, domains, weights and other columns, each with its id and origin.

    Args:
        parents: ``n`` examples.
        texts: ``n * times`` new texts, grouped by parent in order; copies are numbered from 1.
        method: the augmenter's name.
        seed: it was called with.
        settings: it was made with, JSON-ready.
        notes: what a user should know about these examples.
    """
    times = len(texts) // len(parents) if len(parents) else 0
    ids, origins = [], []
    for parent in parents.ids:
        for copy in range(1, times + 1):
            origin = {"copy": copy, "method": method, "parents": [parent], "seed": seed, "settings": settings}
            ids.append(f"{parent}~{method}~{copy}")
            origins.append(orjson.dumps(origin, option=orjson.OPT_SORT_KEYS).decode())
    children = parents.take(np.repeat(np.arange(len(parents)), times))
    for column, values in (("id", ids), ("text", texts), ("origin", origins)):
        children = children.with_column(column, pa.array(values, pa.string()))
    return Domain(children.name, children.table, tuple(notes))
