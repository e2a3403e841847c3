"""Several selectors as one: ranks averaged or multiplied, or a cheap method that sifts for a dear one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.engine.build import build
from acclimate.errors import InputError
from acclimate.select.base import Need, PoolScores, Selector, Toolbox, Trait
from acclimate.select.needs import check_needs

Floats = NDArray[np.float64]
#: A name; a name with settings under the key ``method``; or the same as pairs, as hashable settings hold it.
Member = str | Mapping[str, Any] | tuple[tuple[str, Any], ...]


def rank_shares(scores: Floats) -> Floats:
    """Each row's rank over the number of rows, ``(n,)``, in (0, 1], 1 is best; equal scores share their average rank."""
    from scipy.stats import rankdata

    shares: Floats = rankdata(scores) / max(1, len(scores))
    return shares


def rank_average(scores: Sequence[Floats]) -> Floats:
    """The mean of the rank shares that several methods give each row, ``(n,)`` (Borda's count)."""
    mean: Floats = np.mean([rank_shares(one) for one in scores], axis=0)
    return mean


def rank_product(scores: Sequence[Floats]) -> Floats:
    """The geometric mean of the rank shares, ``(n,)`` (Breitling et al. 2004): low in one method is hardly made up by another."""
    product: Floats = np.exp(np.mean([np.log(rank_shares(one)) for one in scores], axis=0))
    return product


def survivors_of(scores: Floats, share: float) -> NDArray[np.int64]:
    """Rows that reach the next stage, ascending: the best ``share`` of them, and all that score as the last of these."""
    count = max(1, math.ceil(share * len(scores)))
    return np.flatnonzero(scores >= np.sort(scores)[-count]) if len(scores) else np.zeros(0, dtype=np.int64)


class Combine:
    """Score of ``x``: what several selectors say of it together, by its rank in each.

    Ranks make scores of any scale comparable. The average asks for a row that is good on the whole, the product for one that no
    member thinks poor of; a cascade sends what the first member ranks highest to the next one, which is fitted and asked on
    these rows alone, and ranks all others below in the order of the member that dropped them.

    Reference: Aslam & Montague 2001, "Models for metasearch" (Borda's count); Breitling et al. 2004 (rank products); Viola & Jones
    2001, §4 (cascades).

    Use when: two methods look at different things (wording and meaning), or the method that is wanted takes a gradient or a loss
    of every row and the pool is large: ``how: cascade`` with ``classifier`` first.
    Avoid when: the members look at the same thing, or one of them is near random: it dilutes the others.

    Args:
        methods: the members: names, or names with settings, such as ``{method: knn, k: 10}``. A cascade takes them in order.
        how: ``"rank-average"``, ``"product"``, or ``"cascade"``.
        survivors: share of the rows that each stage of a cascade passes on; rows that score equal stay together.
        tools: what the members may be handed.
    """

    needs: ClassVar[tuple[Need, ...]] = ("embeddings",)  # of the default members; those of others are checked in fit
    traits: ClassVar[tuple[Trait, ...]] = ("of-pool",)
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Aslam & Montague 2001; Viola & Jones 2001"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "several selectors as one: ranks averaged or multiplied, or a cascade from cheap to dear"
    summary_zh: ClassVar[str] = "多种方法合一：排名平均、排名乘积，或由粗到精的级联"

    def __init__(
        self,
        tools: Toolbox | None = None,
        methods: Sequence[Member] = ("classifier", "knn"),
        how: Literal["rank-average", "product", "cascade"] = "rank-average",
        survivors: float = 0.3,
    ) -> None:
        if len(methods) < 2 or not 0 < survivors <= 1:
            raise InputError(
                f"combine with {len(methods)} methods and survivors={survivors}",
                expected="at least 2 methods, and survivors above 0 and up to 1",
                fix="name two, such as methods: [classifier, knn]",
            )
        self.how, self.survivors = how, survivors
        self.tools = tools or Toolbox()
        self.members = [_named(member) for member in methods]
        self._built()  # a mistake in a member is said now

    def _built(self) -> list[Selector]:
        from acclimate.select import METHODS  # which lists this method, too

        return [build(METHODS, "selector", name, settings, self.tools.provided) for name, settings in self.members]

    def fit(self, source: Domain, target: Target) -> Self:
        ordered = source.take(sorted(range(len(source)), key=source.ids.__getitem__))  # members may draw rows by position
        self._selectors = self._built()
        fit = self._fit_cascade if self.how == "cascade" else self._fit_all
        scores, self._ranks = fit(ordered, target)
        self._pool = PoolScores.of("combine", ordered, scores, [""] * len(ordered))
        return self

    def _fit_all(self, source: Domain, target: Target) -> tuple[Floats, list[dict[str, float]]]:
        scores = [self._fitted_scores(number, source, target) for number in range(len(self.members))]
        merged = rank_product(scores) if self.how == "product" else rank_average(scores)
        return merged, [dict(zip(source.ids, rank_shares(one).tolist(), strict=True)) for one in scores]

    def _fit_cascade(self, source: Domain, target: Target) -> tuple[Floats, list[dict[str, float]]]:
        """A row's score is the number of the stages it passed, plus its rank share in the one where it ended."""
        merged, ranks = np.zeros(len(source)), []
        alive = np.arange(len(source))
        for number in range(len(self.members)):
            part = source.take(alive)
            scores = self._fitted_scores(number, part, target)
            merged[alive] = number + rank_shares(scores)
            ranks.append(dict(zip(part.ids, rank_shares(scores).tolist(), strict=True)))
            alive = alive[survivors_of(scores, self.survivors)]
        return merged, ranks

    def _fitted_scores(self, number: int, source: Domain, target: Target) -> Floats:
        from acclimate.select import METHODS

        name, _ = self.members[number]
        check_needs(METHODS, name, source, target, self.tools)
        return self._selectors[number].fit(source, target).score(source)

    def score(self, batch: Domain) -> Floats:
        """Merged rank of rows of the source, ``(n,)``, in (0, 1]; of a cascade in (0, number of members]."""
        return self._pool.score(batch)

    def reasons(self, batch: Domain) -> list[str]:
        """Where each member ranks the row (100% is its best), and why."""
        self._pool.score(batch)  # refuses rows that were not in the source
        parts: list[list[str]] = [[] for _ in batch.ids]
        for (name, _), selector, ranks in zip(self.members, self._selectors, self._ranks, strict=True):
            rows = [row for row, key in enumerate(batch.ids) if key in ranks]
            for row, reason in zip(rows, selector.reasons(batch.take(rows)), strict=True):
                parts[row].append(f"{name} {100 * ranks[batch.ids[row]]:.0f}%: {reason}")
        return ["; ".join(part) for part in parts]


def _named(member: Member) -> tuple[str, dict[str, Any]]:
    """Name and settings of a member."""
    if isinstance(member, str):
        return member, {}
    settings = dict(member)
    name = settings.pop("method", None)
    if not isinstance(name, str):
        raise InputError(
            f"A member of 'combine' is {dict(member)}",
            expected="a name, or settings with the name under 'method'",
            fix="such as {method: knn, k: 10}",
        )
    return name, settings
