"""Rows that nearly repeat one another: a pick of distinct rows takes only the best of them."""

from __future__ import annotations

import functools

from acclimate.data.domain import Domain
from acclimate.data.near_duplicates import Collected
from acclimate.data.near_pictures import Look, PictureIndex, look
from acclimate.select.quotas import Seen

#: Pictures indexed at a time.
_BLOCK = 256


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
    """Pictures: the same pixels, or looking the same by the rule of hygiene (:mod:`acclimate.data.near_pictures`)."""

    def __init__(self, images: list[bytes]) -> None:
        self._images = images
        self._pixels: set[str] = set()
        self._indices: list[PictureIndex] = []
        self._recent: list[Look] = []
        self._look = functools.lru_cache(maxsize=2)(lambda row: look(images[row]))  # a row is asked about, then added

    def repeats(self, row: int) -> bool:
        mine = self._look(row)
        if mine.pixels in self._pixels:
            return True
        return any(index.find([mine])[0][0] >= 0 for index in (*self._indices, PictureIndex(self._recent)))

    def add(self, row: int) -> None:
        mine = self._look(row)
        self._pixels.add(mine.pixels)
        self._recent.append(mine)
        if len(self._recent) == _BLOCK:
            self._indices.append(PictureIndex(self._recent))
            self._recent = []


def nothing_seen(source: Domain) -> Seen:
    """An empty record for rows of ``source``.

    Raises:
        MissingExtraError: the source holds pictures and Pillow is not installed.
    """
    return SeenImages(source.images) if source.modality == "image" else SeenTexts(source.texts)
