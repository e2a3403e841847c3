"""Subspace alignment: the source's principal directions are turned onto the target's."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from threadpoolctl import threadpool_limits

from acclimate.tune.shallow.base import Fitted, Given, fit_mapped, principal, whole


@dataclasses.dataclass(frozen=True)
class Subspace:
    """Source rows in their principal directions, aligned to the target's: ``x X_s X_sᵀ X_t`` beside ``x X_t`` (Fernando 2013, eq.
    3).

    Each side is centred on its own mean, as principal directions are.

    Use when: the domains use different directions for the same things. Avoid when: classes differ along directions of little
    variance, which are left out.

    Args:
        dimensions: principal directions kept. 100; fewer where there are fewer examples or coordinates (Fernando 2013 takes 20 to
            100 of 800).
    """

    paper: ClassVar[str] = "Fernando 2013"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    needs: ClassVar[tuple[str, ...]] = ("vectors", "unlabelled target")
    summary: ClassVar[str] = "Turns the source's principal directions onto the target's."
    summary_zh: ClassVar[str] = "将源域主成分子空间对齐到目标域子空间（子空间对齐）。"

    dimensions: int = 100

    def __post_init__(self) -> None:
        """Raises InputError: dimensions below 1."""
        whole("subspace", "dimensions", self.dimensions)

    def fit(self, given: Given) -> Fitted:
        """Project each side into its own directions, the source's aligned."""
        given.need("subspace")
        mean, aim = given.source.mean(0), given.target.mean(0)
        source, target = principal(given.source, self.dimensions), principal(given.target, self.dimensions)
        with threadpool_limits(1):
            aligned = source @ (source.T @ target)
        return fit_mapped(given, lambda row: aligned.T @ (row - mean), lambda row: target.T @ (row - aim))
