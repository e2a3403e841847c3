"""What an offline augmenter is, and the one way in which new examples are made, numbered and remembered."""

from __future__ import annotations

from typing import ClassVar, Protocol

from acclimate.data.domain import Domain


class Augmenter(Protocol):
    """Makes new examples out of labelled target examples, offline.

    ``method`` is its name in recipes and in the origin of every example it makes.
    """

    method: ClassVar[str]

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new examples for each one, labels and domains kept, grouped by parent in order.

        The ``origin`` column holds JSON ``{"method", "parents", "seed", "copy", "settings"}``; ids are
        ``parent~method~copy``. The new text depends on (seed, parent id, parent text, copy) alone: not on its neighbours, the worker count or the hash seed.
        """
        ...
