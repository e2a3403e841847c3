"""What an offline augmenter is, and the one way in which new examples are made, numbered and remembered."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, cast, runtime_checkable

import numpy as np
import orjson
import pyarrow as pa

from acclimate.data.domain import Domain
from acclimate.errors import InputError

#: Examples to the labels that the current model gives them: what a method that follows a model's errors is handed.
Predict = Callable[[Domain], Sequence[str]]
#: New examples for each one where nobody says how many (Wei & Zou 2019, table 3, for some thousand examples); a method for which
#: another number is natural has it as ``default_times``.
DEFAULT_TIMES = 4


class Count(str):
    """A note that counts, so that the notes of parts of the work can be added up.

    >>> Count("{} of {} are new", 1, 2), Count.total([Count("{} of {} are new", 1, 2), "as is", Count("{} of {} are new", 3, 4)])
    ('1 of 2 are new', ['4 of 6 are new', 'as is'])
    """

    __slots__ = ("numbers", "template")

    template: str
    numbers: tuple[float, ...]

    def __new__(cls, template: str, *numbers: float) -> Self:
        """``template`` has a ``{}`` for each number."""
        shown = [f"{number:.4g}" if isinstance(number, float) else str(number) for number in numbers]
        note = super().__new__(cls, template.format(*shown))
        note.template, note.numbers = template, numbers
        return note

    def __reduce__(self) -> tuple[Any, ...]:
        """Counts cross process borders as counts."""
        return type(self), (self.template, *self.numbers)

    @staticmethod
    def total(notes: Iterable[str]) -> list[str]:
        """Each note once, counts of one kind added up, in the order in which they first came."""
        found: dict[str, str] = {}
        for note in notes:
            key = note.template if isinstance(note, Count) else note
            before = found.get(key)
            if isinstance(note, Count) and isinstance(before, Count):
                found[key] = Count(key, *(one + other for one, other in zip(before.numbers, note.numbers, strict=True)))
            else:
                found[key] = note
        return list(found.values())


class Augmenter(Protocol):
    """Makes new examples out of labelled target examples, offline.

    ``method`` is its name in recipes and in the origin of every example it makes; the other attributes describe it to people:
    ``paper`` (a short citation), ``modality``, and one line in English and in Chinese.

    It may also say: ``extra``, the optional dependency that it imports; ``needs``, what it needs besides the examples;
    ``reads_unlabelled``, that examples need no label; ``default_times``; ``parents_at_once``, how many parents make a chunk of work
    that is worth keeping (see :mod:`acclimate.augment.to_file`); ``whole``, that it has to see all parents at once.
    """

    method: ClassVar[str]
    paper: ClassVar[str]
    modality: ClassVar[tuple[str, ...]]
    summary: ClassVar[str]
    summary_zh: ClassVar[str]

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new examples for each one, labels and domains kept, grouped by parent in order.

        The ``origin`` column holds JSON ``{"method", "parents", "seed", "copy", "settings"}``; ids are ``parent~method~copy``.
        The new example depends on (seed, parent id, parent content, copy) and on what the method was constructed with alone: not
        on its neighbours, the worker count or the hash seed. What a picture drew stands in its origin as ``"drawn"``.
        """
        ...


@runtime_checkable
class Refills(Protocol):
    """An augmenter that has to reach a number of new examples, whatever guards refuse."""

    def refill(self, examples: Domain, kept: Domain, tried: Mapping[str, int], times: int, seed: int, workers: int = 1) -> Domain:
        """New examples in place of refused ones; none where none are lacking.

        Args:
            examples, times, seed, workers: as for ``expand``.
            kept: what guards left of the new examples so far.
            tried: how many copies of each example were made so far, by its id.
        """
        ...


#: Constructor arguments that the verb provides; they are not settings of a method.
#: ``style``: pictures whose look others take; ``training``: the examples that a generator learns from.
PROVIDED = ("style", "training")


def settings_of(augmenter: Any) -> dict[str, Any]:
    """The settings that a method, a dataclass, was made with, JSON-ready; what it was handed (a model, pictures) is none."""
    fields = [field for field in dataclasses.fields(augmenter) if field.name not in PROVIDED and not field.metadata.get("provided")]
    return {field.name: _plain(getattr(augmenter, field.name)) for field in fields}


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


def check_times(times: int, workers: int = 1) -> None:
    """Raise an InputError where fewer than one new example, or fewer than one worker, is asked for."""
    if times < 1:
        raise InputError(f"{times} new examples for each one", expected="at least 1", fix="set times to 1 or more")
    if workers < 1:
        raise InputError(f"{workers} workers were asked for", expected="at least 1", fix="set workers to 1 or more")


def descend(
    parents: Domain,
    contents: Sequence[str] | Sequence[bytes],
    *,
    method: str,
    seed: int,
    settings: Mapping[str, Any],
    drawn: Sequence[Mapping[str, Any]] | None = None,
    others: Sequence[Sequence[str]] | None = None,
    notes: Sequence[str] = (),
    places: Sequence[tuple[int, int]] | None = None,
) -> Domain:
    """New examples beside their parents' labels, domains, weights and other columns, each with its id and origin.

    Args:
        parents: ``n`` examples.
        contents: ``n * times`` new texts or encoded pictures, grouped by parent in order; copies are numbered from 1.
        method: the augmenter's name.
        seed: it was called with.
        settings: it was made with, JSON-ready.
        drawn: what was drawn for each new example, JSON-ready.
        others: for each new example, the ids of further examples that it was made from.
        notes: what a user should know about these examples.
        places: (position of the parent, number of the copy) of each text, where there are not as many of each parent.
    """
    if places is None:
        times = len(contents) // len(parents) if len(parents) else 0
        places = [(row, copy) for row in range(len(parents)) for copy in range(1, times + 1)]
    names = parents.ids
    # What orjson writes with sorted keys, put together by hand: it is the same but for a few values on every row.
    behind = f'],"seed":{seed},"settings":{orjson.dumps(settings, option=orjson.OPT_SORT_KEYS).decode()}}}'
    quoted = {row: orjson.dumps(names[row]).decode() for row in {row for row, _ in places}}
    ids = [f"{names[row]}~{method}~{copy}" for row, copy in places]
    origins = []
    for position, (row, copy) in enumerate(places):
        made_by = f'"drawn":{orjson.dumps(drawn[position], option=orjson.OPT_SORT_KEYS).decode()},' if drawn is not None else ""
        more = "".join(f",{orjson.dumps(other).decode()}" for other in others[position]) if others is not None else ""
        origins.append(f'{{"copy":{copy},{made_by}"method":"{method}","parents":[{quoted[row]}{more}{behind}')
    children = parents.take(np.fromiter((row for row, _ in places), dtype=np.int64, count=len(places)))
    if parents.modality == "image":
        children = children.with_column("image", pa.array(contents, pa.binary()))
    else:
        children = children.with_strings("text", cast("Sequence[str]", contents))
    for column, values in (("id", ids), ("origin", origins)):
        children = children.with_strings(column, values)
    return Domain(children.name, children.table, tuple(notes))
