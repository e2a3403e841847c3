"""The verb: more target examples out of the labelled ones."""

from __future__ import annotations

from typing import Any

from acclimate.augment import METHODS, MIXERS
from acclimate.augment.guard.base import Context, Teacher
from acclimate.augment.guard.run import Given, Guards, Sifted
from acclimate.data.domain import Domain
from acclimate.data.target import Target
from acclimate.engine.build import build
from acclimate.errors import InputError


def augment(
    examples: Target | Domain,
    *,
    method: str = "eda",
    times: int = 4,
    seed: int = 0,
    workers: int = 1,
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
        times: new examples for each one.
        seed: of every random choice. The same seed gives the same bytes, whatever the number of workers.
        workers: processes.
        guard: which guards are asked (see :meth:`acclimate.augment.guard.run.Guards.parse`); all by default, ``"none"`` for none.
        teacher: trains the classifier that must agree with the labels; without one that guard is not asked.
        settings: of the method; ``acclimate methods NAME`` lists them.

    Returns:
        Up to ``times`` new examples for each one, grouped by parent in order, without the parents; the ``origin`` column says how
        each was made and what the guards said, and the notes what they refused.

    Raises:
        InputError: an unknown method, guard or setting, or a value that means nothing.

    >>> from acclimate.data.domain import from_columns
    >>> notes = from_columns("notes", ["The patient does not sleep well"], ["ill"])
    >>> grown = augment(notes, times=2, synonyms="none")
    >>> grown.ids, grown.labels
    (['notes:0~eda~1', 'notes:0~eda~2'], ['ill', 'ill'])
    """
    return grow(examples, method=method, times=times, seed=seed, workers=workers, guard=guard, teacher=teacher, **settings).kept


def grow(
    examples: Target | Domain,
    *,
    method: str = "eda",
    times: int = 4,
    seed: int = 0,
    workers: int = 1,
    guard: Given | Guards = None,
    teacher: Teacher | None = None,
    **settings: Any,
) -> Sifted:
    """As :func:`augment`, with everything that guards refused and why.

    Of a target, guards also know the inputs of its test and validation, which no new example may repeat.
    """
    if method in MIXERS:
        raise InputError(
            f"'{method}' mixes batches while training, it makes no new examples",
            expected=f"one of {', '.join(sorted(METHODS))}",
            fix=f"name '{method}' among the objectives of the tuning instead",
        )
    guards = Guards.parse(guard)
    augmenter = build(METHODS, "augmenter", method, settings)
    parents = examples.labelled if isinstance(examples, Target) else examples
    made = augmenter.expand(parents, times, seed, workers)
    if not guards.checks or not len(made):
        return Sifted.untouched(made, guards.off)
    return guards.sieve(context_of(examples, parents, teacher, seed)).sift(made)


def context_of(examples: Target | Domain, parents: Domain, teacher: Teacher | None = None, seed: int = 0) -> Context:
    """What new examples made from ``parents`` are judged against."""
    if not isinstance(examples, Target):
        return Context(parents, parents, {}, teacher, seed)
    sealed = {"test": examples.test.inputs}
    if examples.validation is not None:
        sealed["validation"] = examples.validation.inputs
    return Context(parents, examples.labelled, {name: part for name, part in sealed.items() if len(part)}, teacher, seed)
