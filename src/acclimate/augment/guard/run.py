"""Asks every guard about generated examples: keeps those that pass, with their scores, and counts the others by reason."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import orjson
import pyarrow as pa

from acclimate.augment.base import Count
from acclimate.augment.guard import METHODS
from acclimate.augment.guard.base import Context, Guard, Judge, Judgement, parents_of
from acclimate.data.domain import Domain, unify
from acclimate.data.images import described
from acclimate.engine.build import build
from acclimate.engine.storage import content_hash
from acclimate.errors import InputError, unknown_name

#: Columns of the table of what was refused.
REMOVED = ("id", "method", "reason", "detail", "score", "label", "text", "parent", "parent_text")
#: What the ``guard`` setting may be.
Given = str | bool | Sequence[Any] | Mapping[str, Any] | None


@dataclasses.dataclass(frozen=True)
class Guards:
    """Which guards are asked, by name in their order, and which were switched off."""

    checks: tuple[tuple[str, Guard], ...]
    off: tuple[str, ...] = ()

    @classmethod
    def parse(cls, given: Given | Guards = None) -> Guards:
        """Guards as a recipe or a command line names them.

        ``None``, ``True`` or ``"default"``: all at their defaults. ``False`` or ``"none"``: none. ``"no-agreement"``: all but that
        one. ``"negation"``, or a list of names: these alone. ``{"agreement": False, "polarity": {"shift": 2}}``: all, with
        changes. A list may mix ``no-NAME`` and ``NAME.SETTING=VALUE`` with names.

        Raises:
            InputError: an unknown guard or setting, or a value that means nothing.

        >>> [name for name, _ in Guards.parse("no-agreement").checks]
        ['leakage', 'unchanged', 'negation', 'number', 'polarity', 'repeated']
        >>> Guards.parse({"agreement": {"share": 0.05}}).checks[-2]
        ('agreement', Agreement(share=0.05, folds=5))
        """
        if isinstance(given, Guards):
            return given
        wanted = _wanted(given)
        checks = tuple((name, build(METHODS, "guard", name, wanted[name])) for name in METHODS if name in wanted)
        return cls(checks, tuple(name for name in METHODS if name not in wanted))

    def sieve(self, context: Context) -> Sieve:
        """These guards, prepared for examples made from ``context.parents``."""
        return Sieve(self, context)


def _wanted(given: Given) -> dict[str, dict[str, Any]]:
    """Settings by the name of each guard that is wanted."""
    everything: dict[str, dict[str, Any]] = {name: {} for name in METHODS}
    if given is None or given is True or given == "default":
        return everything
    if given is False or given in ("none", "off"):
        return {}
    if isinstance(given, str):
        return _listed([part.strip() for part in given.split(",") if part.strip()])
    if isinstance(given, Mapping) or _is_pairs(given):
        pairs: Mapping[str, Any] = dict(given)  # type: ignore[arg-type]  # a mapping, or pairs
        for name, value in pairs.items():
            _known(name)
            if value is False:
                everything.pop(name)
            elif value is not True and value is not None:
                everything[name] = dict(value)
        return everything
    return _listed(given)


def _is_pairs(given: Sequence[Any]) -> bool:
    """Whether a sequence is a mapping in the hashable form that arms hold."""
    return bool(given) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in given)


def _listed(given: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """``["no-agreement", "polarity.shift=2"]`` as settings by name."""
    if list(given) in (["none"], ["off"]):
        return {}
    names = [str(part) for part in given]
    chosen = [name for name in names if "=" not in name and not name.startswith("no-") and name != "default"]
    for name in chosen:
        _known(name)
    wanted: dict[str, dict[str, Any]] = {name: {} for name in METHODS if name in chosen or not chosen}
    for name in names:
        if name.startswith("no-"):
            wanted.pop(_known(name.removeprefix("no-")), None)
        elif "=" in name:
            place, _, value = name.partition("=")
            guard, _, setting = place.partition(".")
            wanted.setdefault(_known(guard), {})[setting] = value
    return wanted


def _known(name: str) -> str:
    if name not in METHODS:
        raise unknown_name("guard", name, METHODS)
    return name


@dataclasses.dataclass(frozen=True, eq=False)
class Sifted:
    """What guards left of generated examples.

    Attributes:
        kept: with the guards' scores in the ``origin`` of each, under ``guards``.
        removed: one row for each that was refused, columns :data:`REMOVED`.
        counts: refused ones by the name of the guard, in the order in which guards were asked.
        made: how many there were.
        scores: what each guard said about the examples that reached it, ``(m,)`` each.
        notes: guards that were switched off or could not serve, and what was refused.
    """

    kept: Domain
    removed: pa.Table
    counts: Mapping[str, int]
    made: int
    scores: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()

    @classmethod
    def untouched(cls, made: Domain, off: Sequence[str] = ()) -> Self:
        """Examples that no guard saw."""
        notes = (*made.notes, *_off_notes(off))
        return cls(dataclasses.replace(made, notes=notes), _table([]), {}, len(made), {}, notes)

    def joined(self, more: Sifted, method: str) -> Sifted:
        """These and more examples by the same method and guards."""
        counts = {name: self.counts.get(name, 0) + more.counts.get(name, 0) for name in {**self.counts, **more.counts}}
        made = self.made + more.made
        said = {*refusals(method, self.made, self.counts), *refusals(method, more.made, more.counts)}
        notes = Count.total([note for note in (*self.notes, *more.notes) if note not in said])
        notes = [*dict.fromkeys(notes), *refusals(method, made, counts)]
        table = unify([self.kept.table, more.kept.table])
        scores = {name: np.concatenate([self.scores[name], more.scores[name]]) for name in self.scores}
        removed = pa.concat_tables([self.removed, more.removed])
        return Sifted(Domain(self.kept.name, table, tuple(notes)), removed, counts, made, scores, tuple(notes))

    def also(self, note: str) -> Self:
        """With one more note."""
        notes = (*self.notes, note)
        return dataclasses.replace(self, kept=dataclasses.replace(self.kept, notes=notes), notes=notes)


def refusals(method: str, made: int, counts: Mapping[str, int]) -> list[str]:
    """One line on how many of ``made`` new examples guards refused, by guard; none where they refused none.

    >>> refusals("eda", 9, {"leakage": 0, "number": 2, "repeated": 1})
    ["guards refused 3 of 9 new examples of 'eda': number 2, repeated 1"]
    """
    told = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    return [f"guards refused {sum(counts.values())} of {made} new examples of '{method}': {told}"] if told else []


class Sieve:
    """Prepared guards. Examples may come in parts: what guards remember (repetitions) they remember from part to part."""

    def __init__(self, guards: Guards, context: Context) -> None:
        self.context = context
        self.checks = guards.checks
        self.off = guards.off
        self.unable: dict[str, str] = {}
        self._judges: dict[str, Judge] = {}
        for name, guard in guards.checks:
            if context.parents.modality not in guard.modality:
                continue
            judge = guard.prepare(context)
            if isinstance(judge, str):
                self.unable[name] = judge
            else:
                self._judges[name] = judge

    @property
    def fingerprint(self) -> str:
        """A hash of what decides what is refused: the guards, those that cannot serve, and all they compare with.

        Of the teacher it tells only whether there is one.
        """
        context = self.context
        guards = [[name, repr(guard)] for name, guard in self.checks]
        sealed = {name: part.fingerprint for name, part in context.sealed.items()}
        genuine = (context.parents.fingerprint, context.labelled.fingerprint, sealed)
        return content_hash(guards, sorted(self.unable), *genuine, context.teacher is not None, context.seed)

    def remember(self, kept: Domain) -> None:
        """Take note of examples that an earlier sieve of the same guards kept, as if this one had kept them."""
        for name, guard in self.checks:
            if getattr(guard, "remembers", False) and name in self._judges:
                self._judges[name](kept, parents_of(kept))

    def sift(self, children: Domain) -> Sifted:
        """Ask the guards one after another, each about what those before it let pass."""
        left = np.arange(len(children))
        removed: list[dict[str, Any]] = []
        scores: dict[str, np.ndarray] = {}
        given: list[dict[str, float]] = [{} for _ in range(len(children))]
        for name, judge in self._judges.items():
            part = children.take(left)
            found = judge(part, parents_of(part))
            scores[name] = found.scores
            for row, score in zip(left.tolist(), found.scores.tolist(), strict=True):
                if not np.isnan(score):
                    given[row][name] = round(score, 4)
            removed += self._refusals(part, name, found)
            left = left[~found.refused]
        kept = _with_scores(children.take(left), [given[row] for row in left.tolist()])
        counts = Counter(row["reason"] for row in removed)
        ordered = {name: counts[name] for name in self._judges}
        told = (*children.notes, *self._notes(children, ordered))
        return Sifted(dataclasses.replace(kept, notes=told), _table(removed), ordered, len(children), scores, told)

    def _refusals(self, part: Domain, name: str, found: Judgement) -> Iterator[dict[str, Any]]:
        of = parents_of(part)
        for row in np.flatnonzero(found.refused).tolist():
            parent = of[row][0] if of[row] else ""
            place = self.context.parent_rows.get(parent)
            yield {
                "id": part.ids[row],
                "method": _method(part, row),
                "reason": name,
                "detail": found.details[row],
                "score": float(found.scores[row]),
                "label": part.labels[row],
                "text": _shown(part.contents[row]),
                "parent": parent,
                "parent_text": "" if place is None else _shown(self.context.parents.contents[place]),
            }

    def _notes(self, children: Domain, counts: Mapping[str, int]) -> Iterator[str]:
        yield from _off_notes(self.off)
        for name, why in self.unable.items():
            yield f"the guard '{name}' was not asked: {why}"
        if len(children):
            yield from refusals(_method(children, 0), len(children), counts)


def _off_notes(off: Sequence[str]) -> Iterator[str]:
    if len(off) == len(METHODS):
        yield "all guards are switched off: new examples were not checked"
    else:
        for name in off:
            yield f"the guard '{name}' is switched off"


def _with_scores(kept: Domain, scores: Sequence[Mapping[str, float]]) -> Domain:
    """Each example's origin with what the guards said, under ``guards``."""
    if "origin" not in kept.table.column_names:
        return kept
    origins = []
    for origin, said in zip(kept.table.column("origin").to_pylist(), scores, strict=True):
        value = {**orjson.loads(origin), "guards": said} if origin else None
        origins.append(orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if value else origin)
    return kept.with_column("origin", pa.array(origins, pa.string()))


def _method(part: Domain, row: int) -> str:
    origin = part.table.column("origin")[row].as_py() if "origin" in part.table.column_names else None
    return str(orjson.loads(origin)["method"]) if origin else ""


def _shown(content: str | bytes) -> str:
    return content if isinstance(content, str) else described(content)


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    types = {name: pa.float64() if name == "score" else pa.string() for name in REMOVED}
    return pa.Table.from_pylist([dict(row) for row in rows], pa.schema(types))


def check_guards(given: Given) -> None:
    """Raise an :class:`InputError` where a ``guard`` setting means nothing."""
    try:
        Guards.parse(given)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"guard: {given!r}",
            expected=f"true, false, or some of {', '.join(METHODS)}",
            fix="guard: {agreement: false} leaves one out",
        ) from error
