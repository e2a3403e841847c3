"""What a selector is and what it gives back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.engine.storage import write_parquet
from acclimate.errors import InputError
from acclimate.features.base import Embed

if TYPE_CHECKING:  # loads torch
    from acclimate.models.causal import CausalModel


#: What a method needs beyond the contents of source and target; ``acclimate methods`` lists it, and the verb checks it first.
Need = Literal[
    "embeddings",  # the constructor takes ``embed``
    "source labels",
    "target labels",  # of ``target.labelled``; those of validation and test no method sees
    "source domains",  # the source has a domain column with at least two domains
    "learner",  # the constructor takes ``learner``
    "language model",  # the constructor takes ``language_model``
]
#: What is special about the scores of a method.
Trait = Literal[
    "of-pool",  # a score speaks of the example within the fitted source: ``score`` knows no other rows
    "ranks",  # a greedy or drawn order: equal examples do not score equally
    "weighs",  # ``weights`` gives training weights
    "hard",  # seeks hard or informative examples rather than those like the target
    "whole-domains",  # scores source domains: all rows of a domain rank together
    "random",  # a control or a draw: finds nothing
    "adds-up",  # learns from the source a statistic that adds up over its parts; see :class:`AddsUp`
    "adjusts",  # what it needs and reads depends on its settings: ``needed`` says it; ``needs`` is for the defaults
]


class Scorer(Protocol):
    """A fitted classifier: a representation of each example, and a linear layer with softmax on top of it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the columns of :meth:`predict_proba`."""
        ...

    def represent(self, batch: Domain) -> NDArray[np.float64]:
        """What the last layer reads, ``(n, d)``; a row depends on its example alone, to the last bit."""
        ...

    def predict_proba(self, batch: Domain) -> NDArray[np.float64]:
        """Class probabilities ``(n, c)``; a row depends on its example alone, to the last bit."""
        ...


class Learner(Protocol):
    """How a selector trains a classifier without knowing the training floor: ``strategy`` hands it one, by default the probe."""

    def fit(self, examples: Domain, classes: Sequence[str], weights: NDArray[np.float64] | None = None) -> Scorer:
        """Learn from labelled examples; ``weights (n,)`` are on top of the data's own.

        Raises:
            InputError: fewer than two classes, or a label outside ``classes``.
        """
        ...

    def trajectory(self, examples: Domain, classes: Sequence[str], *, epochs: int, seed: int) -> Iterator[Scorer]:
        """The classifier after each epoch of training from a fresh start, ``epochs`` of them."""
        ...


class Selector(Protocol):
    """Scores source examples by usefulness for the target.

    Class attributes say what a method needs and what its scores are, so that callers can provide the one and heed the other:
    ``needs``, ``traits`` (above) and ``extra``, the optional dependency it imports (empty for none). The others describe it to
    people: ``paper`` (a short citation), ``modality`` (of ``text``, ``image``, ``chat``), and a line in English and in Chinese.

    The constructor's arguments are the method's settings, but for those in :attr:`Toolbox.provided`, which the caller fills.
    """

    needs: ClassVar[tuple[Need, ...]]
    traits: ClassVar[tuple[Trait, ...]]
    extra: ClassVar[str]
    paper: ClassVar[str]
    modality: ClassVar[tuple[Modality, ...]]
    summary: ClassVar[str]
    summary_zh: ClassVar[str]

    def fit(self, source: Domain, target: Target) -> Self:
        """Learn what the target looks like against the source. Sees ``target.labelled`` and ``target.unlabelled`` only."""
        ...

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """Usefulness of each example, ``(n,)``, higher is more useful. Depends on the example alone, not on its batch."""
        ...

    def reasons(self, batch: Domain) -> list[str]:
        """Why each example scored as it did, one short line each, such as ``nearest=nyt:17 cosine=0.81``."""
        ...


class Weigher(Selector, Protocol):
    """A selector with the trait ``weighs``."""

    def weights(self, batch: Domain) -> NDArray[np.float64]:
        """Training weights ``(n,)``, finite and not negative; the caller scales them to mean 1 over what is kept."""
        ...


class AddsUp(Selector, Protocol):
    """A selector with the trait ``adds-up``: it can be fitted on a source of any size, part by part.

    ``fit(source, target)`` is the same as ``begin``, ``survey`` of the source, ``settle``; statistics of disjoint parts are added.
    """

    def begin(self) -> NDArray[Any]:
        """The statistic of no example: whole numbers."""
        ...

    def survey(self, batch: Domain, statistic: NDArray[Any]) -> None:
        """Add a part of the source to the statistic, in place."""
        ...

    def settle(self, statistic: NDArray[Any], target: Target) -> Self:
        """Finish fitting with the statistic of the whole source."""
        ...


class Adjusting(Selector, Protocol):
    """A selector with the trait ``adjusts``."""

    @property
    def needed(self) -> tuple[Need, ...]:
        """What it needs with the settings it was made with."""
        ...


@dataclasses.dataclass(frozen=True)
class PoolScores:
    """The scores of a fitted source's rows by id: what a method with the trait ``of-pool`` answers from.

    Attributes:
        method: its name, for messages.
        values: id to score.
        lines: id to reason.
    """

    method: str
    values: Mapping[str, float]
    lines: Mapping[str, str]

    @classmethod
    def of(cls, method: str, source: Domain, scores: NDArray[np.float64], reasons: Sequence[str]) -> Self:
        """``scores (n,)`` and ``reasons`` of the ``n`` rows of ``source``."""
        values = dict(zip(source.ids, scores.tolist(), strict=True))
        return cls(method, values, dict(zip(source.ids, reasons, strict=True)))

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """The scores of rows of the source, ``(n,)``.

        Raises:
            InputError: a row that was not in the source.
        """
        return np.array([self.values[key] for key in self._known(batch)], dtype=np.float64)

    def reasons(self, batch: Domain) -> list[str]:
        """The reasons of rows of the source."""
        return [self.lines[key] for key in self._known(batch)]

    def _known(self, batch: Domain) -> list[str]:
        stranger = next((key for key in batch.ids if key not in self.values), None)
        if stranger is not None:
            raise InputError(
                f"'{self.method}' was asked to score '{stranger}', which was not in the source it was fitted on",
                expected="rows of that source: its scores speak of a row among the others",
                fix="fit it on a source that holds the row",
            )
        return batch.ids


@dataclasses.dataclass(frozen=True)
class Toolbox:
    """What methods may be handed besides their settings. Everything in it is made when first used.

    Attributes:
        embed: examples to vectors.
        seed: of whatever a method draws.
        learner: trains classifiers; None where the caller has none.
        language_model: a causal language model; None where the caller has none.
    """

    embed: Embed | None = None
    seed: int = 0
    learner: Learner | None = None
    language_model: CausalModel | None = None

    @property
    def provided(self) -> dict[str, Any]:
        """By the name of a constructor's argument; ``tools`` is the box itself, for methods that build others."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**own, "tools": self}


@dataclasses.dataclass(frozen=True, eq=False)
class Selection:
    """What a selector kept.

    Attributes:
        method: name and settings, as one line.
        source: the pool it chose from.
        indices: kept rows of ``source``, best first, ``(k,)``.
        scores: the score of *every* source row, ``(n,)``.
        weights: the training weight of each kept row, ``(k,)``.
        reasons: one line for each kept row.
        notes: what a user should know about the choice, such as a budget larger than the pool.
    """

    method: str
    source: Domain
    indices: NDArray[np.int64]
    scores: NDArray[np.float64]
    weights: NDArray[np.float64]
    reasons: Sequence[str]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.indices)

    def to_domain(self) -> Domain:
        """The kept examples, best first, with their weights."""
        kept = self.source.take(self.indices)
        return kept.with_column("weight", pa.array(self.weights, pa.float64()))

    def to_table(self, read: Domain | None = None) -> pa.Table:
        """The kept examples with ``score``, ``weight``, ``rank`` (1 is best), ``reason`` and ``position`` in the source.

        Args:
            read: the source as it was read, where rows were removed since: positions are then those of its rows.
        """
        places = self.indices
        if read is not None:
            position = {key: row for row, key in enumerate(read.ids)}
            places = np.array([position[self.source.ids[row]] for row in self.indices], dtype=np.int64)
        table = self.to_domain().table
        columns = {
            "score": pa.array(self.scores[self.indices], pa.float64()),
            "rank": pa.array(np.arange(1, len(self) + 1), pa.int64()),
            "reason": pa.array(list(self.reasons), pa.string()),
            "position": pa.array(places, pa.int64()),
        }
        for name, values in columns.items():
            if name in table.column_names:
                table = table.rename_columns([f"{c}_original" if c == name else c for c in table.column_names])
            table = table.append_column(name, values)
        return table

    def to_parquet(self, path: Path) -> None:
        """Write :meth:`to_table` atomically."""
        write_parquet(path, self.to_table())
