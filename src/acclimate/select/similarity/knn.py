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
from acclimate.select.similarity.cosine import unit_rows

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

    Reference: Aharoni & Goldberg 2020, §3; Gururangan et al. 2020, §4 (kNN-TAPT); RDS+ in arXiv 2503.01807.

    Use when: the target has several centres, or few texts; the encoder knows the language.
    Avoid when: the domains differ in wording rather than in meaning: an encoder trained for meaning hides that.

    Args:
        embed: texts to vectors.
        k: neighbours averaged over.
    """

    needs: ClassVar[tuple[Need, ...]] = ("embeddings",)
    traits: ClassVar[tuple[Trait, ...]] = ()
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Aharoni & Goldberg 2020; Gururangan et al. 2020"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "mean cosine to the k nearest target texts"
    summary_zh: ClassVar[str] = "与最近 k 条目标文本的平均余弦相似度"

    def __init__(self, embed: Embed, k: int = 5) -> None:
        if k < 1:
            raise InputError(f"knn with k={k}", expected="at least 1 neighbour", fix="leave the default")
        self.embed = embed
        self.k = k

    def fit(self, source: Domain, target: Target) -> Self:  # noqa: ARG002 (the pool is not looked at)
        inputs = target.inputs
        self._ids = inputs.ids
        self._target = unit_rows(self.embed(inputs.contents))
        return self

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """Mean cosine to the ``k`` nearest target texts, ``(n,)``, in [-1, 1]."""
        parts = [mean_of_largest(cosines, self.k) for cosines in self._cosines(batch)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def reasons(self, batch: Domain) -> list[str]:
        """The nearest target text and its cosine."""
        lines = []
        for cosines in self._cosines(batch):
            nearest = cosines.argmax(axis=1)
            lines += [f"nearest={self._ids[j]} cosine={row[j]:.2f}" for row, j in zip(cosines, nearest, strict=True)]
        return lines

    def _cosines(self, batch: Domain) -> Iterator[NDArray[np.float64]]:
        """Cosines to every target text in blocks of rows, ``(<= 1024, m)`` each."""
        if not len(batch):
            return
        rows = unit_rows(self.embed(batch.contents))
        for start in range(0, len(rows), _BLOCK):
            yield rows[start : start + _BLOCK] @ self._target.T
