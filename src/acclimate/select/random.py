"""A random pick: the control that every selector has to beat."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.engine.storage import content_hash
from acclimate.select.base import Need, Trait


def uniform(seed: int, ids: list[str], purpose: str) -> NDArray[np.float64]:
    """A number in (0, 1) for each id, ``(n,)``, made from (seed, id, purpose) alone: the same in every batch and order."""
    digests = [int(content_hash(seed, purpose, name)[:13], 16) for name in ids]
    return (np.array(digests, dtype=np.float64) + 0.5) / 2.0**52


class Random:
    """Every source example is as likely to be kept as any other.

    Use when: always, as the control at the same budget; at large budgets few methods beat it (arXiv 2503.01807).
    Avoid when: the target is narrow and the pool is broad; then almost nothing relevant is picked.
    """

    needs: ClassVar[tuple[Need, ...]] = ()
    traits: ClassVar[tuple[Trait, ...]] = ("random",)
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "control"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "a random pick, the control at the same budget"
    summary_zh: ClassVar[str] = "随机抽取：同等预算下的对照"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, source: Domain, target: Target) -> Self:  # noqa: ARG002 (nothing to learn)
        return self

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """Uniform in (0, 1), ``(n,)``, made from the seed and the example's id."""
        return uniform(self.seed, batch.ids, "random")

    def reasons(self, batch: Domain) -> list[str]:
        return [f"drawn at random, seed={self.seed}"] * len(batch)
