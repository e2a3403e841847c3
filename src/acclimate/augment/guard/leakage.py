"""Refuses examples that repeat what is measured on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from acclimate.augment.guard.base import Context, Judge, Judgement
from acclimate.data.domain import Domain, Modality
from acclimate.data.hygiene import Reference, repeats


@dataclasses.dataclass(frozen=True)
class Leakage:
    """Compares every new example with the test and validation inputs: exact, normalised, near (MinHash), descendant, passage.

    It is the check that everything trainable passes before a run (:mod:`acclimate.data.hygiene`), made again after augmenting: a
    child can come close to a test example that its parent was not close to.

    Score: the similarity to what it repeats; 0 where it repeats nothing.
    """

    paper: ClassVar[str] = "Lee et al. 2022"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "chat", "image")
    summary: ClassVar[str] = "it repeats a test or validation example"
    summary_zh: ClassVar[str] = "与测试集或验证集样本重复"

    def prepare(self, context: Context) -> Judge | str:
        """Index the sealed inputs."""
        if not context.sealed:
            return "no test was given to compare with"
        reference = Reference.of(tuple(sorted(context.sealed.items())))

        def judge(children: Domain, parents: Sequence[tuple[str, ...]]) -> Judgement:  # noqa: ARG001 (hygiene reads the origins)
            found = repeats(children, reference)
            details = ["" if one is None else f"{one.kind}: {one.twin_place} {one.twin_id}" for one in found]
            scores = np.array([0.0 if one is None else one.similarity or 1.0 for one in found])
            return Judgement(np.array([one is not None for one in found], dtype=np.bool_), scores, details)

        return judge
