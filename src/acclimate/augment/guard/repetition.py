"""Refuses examples that are nothing new: equal to their parent, to a genuine example, or to another new one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from acclimate.augment.guard.base import Context, Judge, Judgement
from acclimate.data.domain import Domain, Modality
from acclimate.data.hygiene import normal_forms


@dataclasses.dataclass(frozen=True)
class Unchanged:
    """Texts are equal when only case, width, spacing or punctuation differ; pictures when their pixels do not.

    Score: 1 where it equals its parent, else 0.
    """

    paper: ClassVar[str] = "Lee et al. 2022"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "chat", "image")
    summary: ClassVar[str] = "it equals its parent"
    summary_zh: ClassVar[str] = "与原样本相同"

    def prepare(self, context: Context) -> Judge:
        """The parents in the form in which they are compared."""
        forms = normal_forms(context.parents)

        def judge(children: Domain, parents: Sequence[tuple[str, ...]]) -> Judgement:
            rows = [[context.parent_rows[key] for key in of if key in context.parent_rows] for of in parents]
            same = [form in [forms[row] for row in of] for form, of in zip(normal_forms(children), rows, strict=True)]
            refused = np.array(same, dtype=np.bool_)
            return Judgement(refused, refused.astype(np.float64), [""] * len(children))

        return judge


@dataclasses.dataclass(frozen=True)
class Repeated:
    """Of equal new examples the first is kept; one that equals a genuine labelled example is refused too. Equality as above.

    A judge remembers what it has seen, so it can be asked about one part after another. Score: 1 where refused, else 0.
    """

    paper: ClassVar[str] = "Lee et al. 2022"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "chat", "image")
    remembers: ClassVar[bool] = True
    summary: ClassVar[str] = "it equals another new example, or a genuine one"
    summary_zh: ClassVar[str] = "与其他新样本或真实样本相同"

    def prepare(self, context: Context) -> Judge:
        """The genuine examples in the form in which they are compared."""
        seen: dict[str, str] = {}
        for domain in (context.labelled, context.parents):
            for form, key in zip(normal_forms(domain), domain.ids, strict=True):
                seen.setdefault(form, key)

        def judge(children: Domain, parents: Sequence[tuple[str, ...]]) -> Judgement:  # noqa: ARG001 (one signature for all)
            twins = []
            for form, key in zip(normal_forms(children), children.ids, strict=True):
                twins.append(seen.get(form, ""))
                seen.setdefault(form, key)
            refused = np.array([bool(twin) for twin in twins], dtype=np.bool_)
            return Judgement(refused, refused.astype(np.float64), [f"equals {twin}" if twin else "" for twin in twins])

        return judge
