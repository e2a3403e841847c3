"""A Target from domains already in memory: stratified test and validation, the rest to learn from."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pyarrow as pa

from acclimate.data.domain import Domain, concatenate
from acclimate.data.split import stratified_draw
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError, nearest

#: A share of the rows (0.3), a number of them (200), ``"30%"``, or ``"cv5"`` where K-fold serves.
Share = float | int | str


def parse_share(value: Share | Path | None, role: str) -> float | int | str | None:
    """What a user wrote for ``test`` or ``validation``: a share, a count, a path (a string), or None for K-fold.

    Raises:
        InputError: a share outside (0, 1), or a count below 1.

    >>> [parse_share(value, "test") for value in (0.3, 200, "30%", "200", "cv5", "test.csv")]
    [0.3, 200, 0.3, 200, None, 'test.csv']
    """
    if value is None or isinstance(value, Path):
        return None if value is None else str(value)
    number: float | int | None = None if isinstance(value, bool) else _number(value)
    if number is None:
        if isinstance(value, bool) or not value:
            raise _bad_share(value, role)
        return None if re.fullmatch(r"cv\d+", str(value)) else str(value)
    if isinstance(number, int) and number >= 1:
        return number
    if isinstance(number, float) and 0 < number < 1:
        return number
    raise _bad_share(value, role)


def _number(value: Share) -> float | int | None:
    """The number that a value is or spells; None for other strings."""
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    spelt = re.fullmatch(r"(-?\d*\.?\d+)(%?)", value)
    return float(spelt[1]) / (100 if spelt[2] else 1) if spelt else None


def _bad_share(value: object, role: str) -> InputError:
    return InputError(
        f"{role} is {value!r}",
        expected="a share between 0 and 1, a whole number of examples, or a file",
        fix=f"for example {role}=0.3 or {role}=200",
    )


def make_target(
    domain: Domain,
    *,
    test: Share | Domain = 0.3,
    validation: Share | Domain | None = None,
    unlabelled: Domain | None = None,
    seed: int = 0,
) -> Target:
    """Split a labelled domain into what may be learned from and what is sealed.

    The test is drawn first, so it depends on ``seed`` and ``test`` alone; validation is drawn from the rest.

    Args:
        domain: the labelled examples.
        test: a share or count of ``domain``, or a domain of its own.
        validation: the same (a share is one of the whole ``domain``), or None or ``"cv5"`` for K-fold validation later.
        unlabelled: more texts; a label column is dropped.
        seed: of both draws, which are stratified by class.

    Raises:
        InputError: examples without a label, one class only, too few examples, a test or validation label that the labelled
            part never shows, or an id that two parts share.
    """
    _check_labelled(domain)
    parts: dict[str, Domain] = {}
    rest = domain
    for role, wanted in (("test", test), ("validation", validation)):
        if isinstance(wanted, Domain):
            parts[role] = wanted
            continue
        share = parse_share(wanted, role)
        if isinstance(share, str):
            raise _bad_share(wanted, role)
        if share is not None:
            count = share if isinstance(share, int) else max(1, round(share * len(domain)))
            drawn, left = stratified_draw(rest, count, seed)
            parts[role], rest = rest.take(drawn), rest.take(left)
        elif role == "test":
            raise _bad_share(wanted, role)
    for role, part in parts.items():
        check_known_labels(part.classes, rest.classes, f"The {role} part of '{domain.name}'", "the labelled part")
    extra = _empty_like(rest) if unlabelled is None else unlabelled.without_labels()
    others = [*parts.values(), extra]
    _check_distinct_ids([rest, *others])
    read = [domain, *(part for part in (*parts.values(), unlabelled) if part is not None)]
    return Target(
        name=domain.name,
        labelled=dataclasses.replace(rest, notes=domain.notes, skipped=domain.skipped),
        unlabelled=extra,
        test=Sealed(parts["test"], "test"),
        classes=rest.classes,
        validation=Sealed(parts["validation"], "validation") if "validation" in parts else None,
        notes=tuple(dict.fromkeys(note for part in read for note in part.notes)),
        skipped=sum(part.skipped for part in read),
    )


def make_unlabelled_target(texts: Domain, test: Domain, classes: tuple[str, ...], *, unlabelled: Domain | None = None) -> Target:
    """A target of which only the sealed test has labels: nothing of it can be learned from but its inputs.

    Args:
        texts: the examples without labels.
        test: labelled examples of its own.
        classes: the label space, which the source brings: the test's labels tell nobody.
        unlabelled: more texts; a label column is dropped.

    Raises:
        InputError: a test label that is not among the classes, or an id that two parts share.
    """
    check_known_labels(test.classes, classes, f"The test part of '{texts.name}'", "the source")
    parts = [texts.without_labels(), *([unlabelled.without_labels()] if unlabelled is not None else [])]
    _check_distinct_ids([*parts, test])
    return Target(
        name=texts.name,
        labelled=_without_rows(test),
        unlabelled=parts[0] if len(parts) == 1 else concatenate(texts.name, parts),
        test=Sealed(test, "test"),
        classes=classes,
        notes=tuple(dict.fromkeys(note for part in (texts, test, *([unlabelled] if unlabelled else [])) for note in part.notes)),
        skipped=sum(part.skipped for part in (texts, test, *([unlabelled] if unlabelled else []))),
    )


def check_known_labels(found: tuple[str, ...], known: tuple[str, ...], where: str, among: str) -> None:
    """Raise an InputError when ``found`` has a label that ``known`` lacks."""
    unknown = [label for label in found if label not in known]
    if not unknown:
        return
    close = nearest(unknown[0], known)
    raise InputError(
        f"{where} has {len(unknown)} labels unknown to {among}: {_listed(unknown)}",
        expected=f"labels among {_listed(known)}",
        fix=f"is '{unknown[0]}' the label '{close}'? Spell it the same way" if close else "relabel or remove those examples",
    )


def check_labels(source: Domain, target: Target) -> None:
    """Check that a source can teach the labels of a target.

    Raises:
        InputError: the source has no labels, has some examples without, or does not know a label of the target.
    """
    if not source.is_labelled:
        missing = source.labels.count(None)
        raise InputError(
            f"{missing} of {len(source)} examples of the source '{source.name}' have no label",
            expected="a label on every example that is trained on",
            fix="name the label column, or give labelled and unlabelled examples in files of their own",
        )
    check_known_labels(target.classes, source.classes, f"The target '{target.name}'", f"the source '{source.name}'")


def _listed(labels: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(f"'{label}'" for label in labels[:8])
    return shown + (", ..." if len(labels) > 8 else "")


def _check_labelled(domain: Domain) -> None:
    labels = domain.labels
    missing = labels.count(None)
    if missing:
        first = domain.ids[labels.index(None)]
        whole = missing == len(domain)
        raise InputError(
            f"'{domain.name}' has no labels"
            if whole
            else f"{missing} of {len(domain)} examples of '{domain.name}' have no label (the first is '{first}')",
            expected="a label on every example of the target",
            fix="name the label column" if whole else "move them into a file of their own and give it as unlabelled",
        )
    if len(domain.classes) < 2:
        raise InputError(
            f"'{domain.name}' ({len(domain)} examples) has one class only: {_listed(domain.classes)}",
            expected="at least two classes",
            fix="check the label column, or add examples of another class",
        )


def _empty_like(domain: Domain) -> Domain:
    return _without_rows(domain).without_labels()


def _without_rows(domain: Domain) -> Domain:
    return domain.take(np.empty(0, dtype=np.int64))


def _check_distinct_ids(parts: list[Domain]) -> None:
    seen: dict[str, str] = {}
    for part in parts:
        for key in part.ids:
            if key in seen:
                raise InputError(
                    f"The id '{key}' is in '{seen[key]}' and again in '{part.name}'",
                    expected="unique ids",
                    fix="rename one of them",
                )
            seen[key] = part.name


def with_distinct_ids(part: Domain, others: list[Domain], prefix: str) -> Domain:
    """``part``, its ids prefixed with ``prefix/`` when some of them are also those of ``others``; announced in its notes."""
    taken = {key for other in others for key in other.ids}
    if taken.isdisjoint(part.ids):
        return part
    note = f"'{part.name}': ids start with '{prefix}/', since the files use the same ids"
    renamed = part.with_column("id", pa.array([f"{prefix}/{key}" for key in part.ids], pa.string()))
    return Domain(part.name, renamed.table, (*part.notes, note), part.skipped)


def open_target(domain: Domain) -> Target:
    """A target of which nothing is sealed: rows with a label may be learned from, the others are unlabelled.

    For measuring gaps and selecting where there is no label, or where the test lies in a file of its own.
    """
    rows = np.arange(len(domain))
    has_label = np.array([label is not None for label in domain.labels], dtype=bool)
    labelled = domain.take(rows[has_label])
    return Target(
        name=domain.name,
        labelled=labelled,
        unlabelled=domain.take(rows[~has_label]).without_labels(),
        test=Sealed(labelled.take([]), "test"),
        classes=domain.classes,
        notes=domain.notes,
        skipped=domain.skipped,
    )


def sealed_whole(target: Target) -> Target:
    """The target with every labelled example sealed as its test: for measuring a finished model on a file of its own.

    Raises:
        InputError: no labelled example.
    """
    if not len(target.labelled):
        raise InputError(
            f"'{target.name}' has no labelled example to measure on", expected="labels", fix="name the label column with --label"
        )
    empty = target.labelled.take([])
    return dataclasses.replace(target, labelled=empty, test=Sealed(target.labelled, "test"))
