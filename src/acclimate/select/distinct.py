"""Rows that nearly repeat one another: a pick of distinct rows takes only the best of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.data.near_duplicates import Collected
from acclimate.features.base import Embed
from acclimate.select.quotas import Seen
from acclimate.select.similarity.cosine import unit_rows

#: Pictures with at least this cosine count as one; see :class:`SeenImages`.
COSINE = 0.95


class SeenTexts:
    """Texts: equal but for case, width, spacing and punctuation, or sharing three quarters of their words.

    The rule is the one by which hygiene finds near duplicates of the test (:mod:`acclimate.data.near_duplicates`); its measured
    rates hold here too.
    """

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts
        self._taken = Collected()

    def repeats(self, row: int) -> bool:
        return self._taken.twin(self._texts[row]) >= 0

    def add(self, row: int) -> None:
        self._taken.add(self._texts[row])


class SeenImages:
    """Pictures: the same bytes, or, where vectors are given, a cosine of at least 0.95."""

    def __init__(self, images: list[bytes], units: NDArray[np.float64] | None) -> None:
        self._images, self._units = images, units
        self._bytes: set[bytes] = set()
        self._rows: list[int] = []

    def repeats(self, row: int) -> bool:
        if self._images[row] in self._bytes:
            return True
        if self._units is None or not self._rows:
            return False
        return bool((self._units[self._rows] @ self._units[row]).max() >= COSINE)

    def add(self, row: int) -> None:
        self._bytes.add(self._images[row])
        self._rows.append(row)


def nothing_seen(source: Domain, embed: Embed | None) -> Seen:
    """An empty record for rows of ``source``; ``embed`` serves pictures, which are compared by their bytes alone without it."""
    if source.modality == "image":
        return SeenImages(source.images, None if embed is None else unit_rows(embed(source.images)))
    return SeenTexts(source.texts)
