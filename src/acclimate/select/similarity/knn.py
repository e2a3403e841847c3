"""Nearest neighbours: source examples that lie close to some target examples in embedding space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.features.base import Embed
from acclimate.select.base import Need, Trait
from acclimate.select.similarity.cosine import on_grid, unit_rows
from acclimate.select.similarity.nearest import Nearest

#: Rows of a block of cosines: with 10,000 target texts a block takes 80 MB.
_BLOCK = 1024


def mean_of_largest(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """The mean of the ``min(k, m)`` largest values of each row, ``(n, m)`` to ``(n,)``."""
    k = min(k, values.shape[1])
    largest = np.partition(values, values.shape[1] - k, axis=1)[:, -k:]
    # Sorted, so that the rounding of the mean does not depend on how the partition left them.
    means: NDArray[np.float64] = np.sort(largest, axis=1).sum(axis=1) / k
    return means


class Knn:
    """Score of ``x``: the mean cosine to its ``k`` nearest target examples (labels are not used).

    ``k`` above 1 guards against a single odd target text; the nearest one is named as the reason.

    Precision@k with 20 / 100 target documents, MiniLM vectors of 4,000 documents of 20 Newsgroups (20 groups, one seed that the
    reference tables do not use):

    | k | contrast 0 | contrast 1 | contrast 2 |
    |---|---|---|---|
    | 1 | .552 / .621 | .567 / .639 | .568 / .635 |
    | 5 | .596 / .639 | .628 / .664 | .626 / .661 |
    | 10 | .589 / .626 | .633 / .653 | .634 / .650 |

    Where the package faiss (the extra ``index``) is installed, it sieves among 1,000 target examples or more, with the same scores
    to the last bit; what that is worth is told, with figures, in :class:`acclimate.select.similarity.nearest.Nearest`.

    Reference: Aharoni & Goldberg 2020, §3; Gururangan et al. 2020, §4 (kNN-TAPT); RDS+ in arXiv 2503.01807.

    Use when: the target has several centres, or few texts; the encoder knows the language.
    Avoid when: the domains differ in wording rather than in meaning: an encoder trained for meaning hides that.

    Args:
        embed: texts to vectors.
        k: neighbours averaged over.
        contrast: weight of the mean cosine to the pool, which is subtracted; 0 is the papers'. See the table.
    """

    needs: ClassVar[tuple[Need, ...]] = ("embeddings",)
    traits: ClassVar[tuple[Trait, ...]] = ()
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Aharoni & Goldberg 2020; Gururangan et al. 2020"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "mean cosine to the k nearest target texts"
    summary_zh: ClassVar[str] = "与最近 k 条目标文本的平均余弦相似度"

    def __init__(self, embed: Embed, k: int = 5, contrast: float = 0.0) -> None:
        if k < 1:
            raise InputError(f"knn with k={k}", expected="at least 1 neighbour", fix="leave the default")
        if not 0 <= contrast < float("inf"):
            raise InputError(f"knn with contrast={contrast}", expected="a number of at least 0", fix="leave the default")
        self.embed, self.k, self.contrast = embed, k, contrast

    def fit(self, source: Domain, target: Target) -> Self:
        inputs = target.inputs
        self._ids = inputs.ids
        self._nearest = Nearest(unit_rows(self.embed(inputs.contents)))
        self._pool = np.zeros(self._nearest.references.shape[1])
        if self.contrast:
            self._pool = on_grid(unit_rows(self.embed(source.contents)).mean(axis=0))
        return self

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """Mean cosine to the ``k`` nearest target texts, less the weighted one to the pool, ``(n,)``."""
        parts = [
            mean_of_largest(self._nearest(rows, self.k)[0], self.k) - self.contrast * (rows @ self._pool)
            for rows in self._blocks(batch)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def reasons(self, batch: Domain) -> list[str]:
        """The nearest target text and its cosine."""
        lines = []
        for rows in self._blocks(batch):
            cosines, numbers = self._nearest(rows, 1)
            best = cosines.argmax(axis=1)[:, None]
            found = zip(*(np.take_along_axis(one, best, axis=1)[:, 0].tolist() for one in (numbers, cosines)), strict=True)
            lines += [f"nearest={self._ids[number]} cosine={cosine:.2f}" for number, cosine in found]
        return lines

    def _blocks(self, batch: Domain) -> Iterator[NDArray[np.float64]]:
        """Unit rows ``(<= 1024, d)``."""
        if not len(batch):
            return
        rows = unit_rows(self.embed(batch.contents))
        for start in range(0, len(rows), _BLOCK):
            yield rows[start : start + _BLOCK]
