"""What a guard is: a check that refuses generated examples, with a score and a reason for each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality


class Graded(Protocol):
    """A fitted classifier."""

    def predict_proba(self, batch: Domain, /) -> NDArray[np.float64]:
        """Class probabilities ``(n, c)``; a row depends on its example alone."""
        ...


class Teacher(Protocol):
    """Trains a classifier on genuine examples; ``strategy`` hands one in, by default the probe (`tune.learner.ProbeLearner`).

    The part of :class:`acclimate.select.base.Learner` that guards need: selection and augmentation do not know each other.
    """

    def fit(self, examples: Domain, classes: Sequence[str], /) -> Graded:
        """Learn from labelled examples."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """What generated examples are judged against.

    Attributes:
        parents: what they were made from.
        labelled: genuine labelled examples that may be learned from.
        sealed: the inputs that are measured on, by name (test, validation); empty where none is known.
        teacher: trains the classifier that must agree; None where the caller has none.
        seed: of whatever a guard draws.
    """

    parents: Domain
    labelled: Domain
    sealed: Mapping[str, Domain] = dataclasses.field(default_factory=dict)
    teacher: Teacher | None = None
    seed: int = 0

    @cached_property
    def parent_rows(self) -> dict[str, int]:
        """The row of each parent by its id."""
        return {key: row for row, key in enumerate(self.parents.ids)}

    def only_parent(self, parents: Sequence[str]) -> str | None:
        """The text of the one parent of an example; None where it has none, several, or one that is not known."""
        row = self.parent_rows.get(parents[0]) if len(parents) == 1 else None
        return None if row is None else self.parents.texts[row]


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    """What a guard says about ``n`` generated examples.

    Attributes:
        refused: ``(n,)``.
        scores: ``(n,)`` numbers, NaN where the guard had nothing to go by; their meaning is the guard's.
        details: why each refused one was refused, one short line; empty for the others, or where the guard's name says it.
    """

    refused: NDArray[np.bool_]
    scores: NDArray[np.float64]
    details: Sequence[str]


Judge = Callable[[Domain, Sequence[tuple[str, ...]]], Judgement]
"""Judges generated examples, given with the ids of the parents of each."""


class Guard(Protocol):
    """A check of generated examples. The constructor's arguments are its settings.

    ``paper`` is a short citation, ``summary`` and ``summary_zh`` tell people what it refuses, ``modality`` what it can read.
    A guard whose judgement depends on the examples it kept before also says ``remembers``.
    """

    paper: ClassVar[str]
    modality: ClassVar[tuple[Modality, ...]]
    summary: ClassVar[str]
    summary_zh: ClassVar[str]

    def prepare(self, context: Context) -> Judge | str:
        """A judge for examples made from ``context.parents``; or, in words, why there cannot be one here."""
        ...


def parents_of(children: Domain) -> list[tuple[str, ...]]:
    """The ids from which each example was made, by its origin; empty for those without one."""
    if "origin" not in children.table.column_names:
        return [()] * len(children)
    origins = children.table.column("origin").to_pylist()
    return [tuple(map(str, orjson.loads(origin)["parents"])) if origin else () for origin in origins]
