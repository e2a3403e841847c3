"""The verb: more target examples out of the labelled ones."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from acclimate.augment import METHODS, ONLINE
from acclimate.augment.base import DEFAULT_TIMES, Augmenter, Predict, Refills
from acclimate.augment.guard.base import Context, Teacher, parents_of
from acclimate.augment.guard.run import Given, Guards, Sieve, Sifted
from acclimate.data.domain import Domain
from acclimate.data.target import Target
from acclimate.engine.build import build
from acclimate.errors import InputError

#: How often others are asked for in place of refused ones, and what is said where that was not enough.
_ROUNDS = 5
_UNEVEN = "guards refused so many new examples that classes are still uneven"


def augment(
    examples: Target | Domain,
    *,
    method: str = "eda",
    times: int | None = None,
    seed: int = 0,
    workers: int = 1,
    style: Target | Domain | None = None,
    predict: Predict | None = None,
    guard: Given | Guards = None,
    teacher: Teacher | None = None,
    **settings: Any,
) -> Domain:
    """New examples with the labels of their parents, but those that guards refuse.

    The public verb is :func:`acclimate.strategy.augment.augment`, which brings a teacher; :func:`grow` also tells what was refused.

    Args:
        examples: what to make new examples of; of a target, its labelled part alone: the test and validation parts are never
            looked at, so augmenting cannot leak them.
        method: a name in ``METHODS``.
        times: new examples for each one; 4 where not given, and for ``balance`` 1: all classes as large as the largest.
        seed: of every random choice. The same seed gives the same bytes, whatever the number of workers.
        workers: processes; methods that read with a model use one.
        style: for methods of style, the pictures whose look the new ones take: give a source as ``examples`` and the target here,
            or the reverse. Of a target, its labelled and unlabelled pictures; labels are not looked at.
        predict: examples to labels by the current model, for methods that follow its errors (``error-driven``).
        guard: which guards are asked (see :meth:`acclimate.augment.guard.run.Guards.parse`); all by default, ``"none"`` for none.
        teacher: trains the classifier that must agree with the labels; without one that guard is not asked.
        settings: of the method; ``acclimate methods NAME`` lists them.

    Returns:
        Up to ``times`` new examples for each one (fewer where guards refuse some, or a language model's answers could not be used),
        grouped by parent in order, without the parents; the ``origin`` column says how each was made and what the guards said, and
        the notes what they refused.

    Raises:
        InputError: an unknown method, guard or setting, or a value that means nothing.

    >>> from acclimate.data.domain import from_columns
    >>> notes = from_columns("notes", ["The patient does not sleep well"], ["ill"])
    >>> grown = augment(notes, times=2, synonyms="none")
    >>> grown.ids, grown.labels
    (['notes:0~eda~1', 'notes:0~eda~2'], ['ill', 'ill'])
    """
    return grow(
        examples,
        method=method,
        times=times,
        seed=seed,
        workers=workers,
        style=style,
        predict=predict,
        guard=guard,
        teacher=teacher,
        **settings,
    ).kept


def grow(
    examples: Target | Domain,
    *,
    method: str = "eda",
    times: int | None = None,
    seed: int = 0,
    workers: int = 1,
    style: Target | Domain | None = None,
    predict: Predict | None = None,
    guard: Given | Guards = None,
    teacher: Teacher | None = None,
    **settings: Any,
) -> Sifted:
    """As :func:`augment`, with everything that guards refused and why.

    Of a target, guards also know the inputs of its test and validation, which no new example may repeat.
    """
    guards = Guards.parse(guard)
    parents = examples.labelled if isinstance(examples, Target) else examples
    lenders = style.inputs if isinstance(style, Target) else style
    augmenter = expander(method, settings, predict=predict, style=lenders, training=parents)
    check_modality(augmenter, parents)
    sieve = guards.sieve(context_of(examples, parents, teacher, seed)) if guards.checks and len(parents) else None
    return sifted(augmenter, parents, times_of(augmenter, times), seed, workers, sieve, guards.off)


def sifted(
    augmenter: Augmenter, parents: Domain, times: int, seed: int, workers: int, sieve: Sieve | None, off: Sequence[str] = ()
) -> Sifted:
    """New examples, and what guards left of them; of a method that has to reach a number, with others in place of refused ones."""
    made = augmenter.expand(parents, times, seed, workers)
    if sieve is None or not len(made):
        return Sifted.untouched(made, off)
    found = sieve.sift(made)
    if not isinstance(augmenter, Refills):
        return found
    tried = Counter(first for first, *_ in parents_of(made))
    for _ in range(_ROUNDS):
        more = augmenter.refill(parents, found.kept, tried, times, seed, workers)
        if not len(more):
            return dataclasses.replace(found, kept=_grouped(found.kept, parents))
        tried.update(first for first, *_ in parents_of(more))
        found = found.joined(sieve.sift(more), augmenter.method)
    return dataclasses.replace(found, kept=_grouped(found.kept, parents)).also(_UNEVEN)


def _grouped(children: Domain, parents: Domain) -> Domain:
    """New examples grouped by parent in order, as ``expand`` gives them."""
    place = {name: row for row, name in enumerate(parents.ids)}
    order = sorted(range(len(children)), key=[place[first] for first, *_ in parents_of(children)].__getitem__)
    return children.take(order)


def expander(
    method: str,
    settings: Mapping[str, Any],
    *,
    predict: Predict | None = None,
    style: Domain | None = None,
    training: Domain | None = None,
) -> Augmenter:
    """The augmenter of a name, with its settings and what it is handed.

    Raises:
        InputError: an unknown method or setting, or a value that means nothing.
    """
    if method in ONLINE:
        raise InputError(
            f"'{method}' acts on batches while training, it makes no new examples",
            expected=f"one of {', '.join(sorted(METHODS))}",
            fix=f"name '{method}' among the objectives of the tuning instead",
        )
    return build(METHODS, "augmenter", method, settings, {"predict": predict, "style": style, "training": training})


def times_of(augmenter: Augmenter, times: int | None) -> int:
    """The number asked for, or the method's own."""
    return times if times is not None else int(getattr(augmenter, "default_times", DEFAULT_TIMES))


def check_modality(augmenter: Augmenter, examples: Domain) -> None:
    """Raise an InputError for examples of a kind that the method does not read."""
    if examples.modality not in augmenter.modality:
        able = sorted(name for name, other in METHODS.items() if examples.modality in other.modality)
        raise InputError(
            f"'{augmenter.method}' does not read the examples of '{examples.name}', which are of the kind '{examples.modality}'",
            expected=f"examples of the kind {' or '.join(augmenter.modality)}",
            fix=f"use one of {', '.join(able)}",
        )


def context_of(examples: Target | Domain, parents: Domain, teacher: Teacher | None = None, seed: int = 0) -> Context:
    """What new examples made from ``parents`` are judged against."""
    if not isinstance(examples, Target):
        return Context(parents, parents, {}, teacher, seed)
    sealed = {"test": examples.test.inputs}
    if examples.validation is not None:
        sealed["validation"] = examples.validation.inputs
    return Context(parents, examples.labelled, {name: part for name, part in sealed.items() if len(part)}, teacher, seed)
