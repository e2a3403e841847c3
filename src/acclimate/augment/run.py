"""The verb: more target examples out of the labelled ones."""

from __future__ import annotations

from typing import Any

from acclimate.augment import METHODS, ONLINE
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
    style: Target | Domain | None = None,
    **settings: Any,
) -> Domain:
    """New examples with the labels of their parents.

    Args:
        examples: what to make new examples of; of a target, its labelled part alone: the test and validation parts are never
            looked at, so augmenting cannot leak them.
        method: a name in ``METHODS``.
        times: new examples for each one.
        seed: of every random choice. The same seed gives the same bytes, whatever the number of workers.
        workers: processes.
        style: for methods of style, the pictures whose look the new ones take: give a source as ``examples`` and the target here,
            or the reverse. Of a target, its labelled and unlabelled pictures; labels are not looked at.
        settings: of the method; ``acclimate methods NAME`` lists them.

    Returns:
        ``times`` new examples for each one, grouped by parent in order, without the parents; the ``origin`` column says how each
        was made.

    Raises:
        InputError: an unknown method or setting, or a value that means nothing.

    >>> from acclimate.data.domain import from_columns
    >>> notes = from_columns("notes", ["The patient does not sleep well"], ["ill"])
    >>> grown = augment(notes, times=2, synonyms="none")
    >>> grown.ids, grown.labels
    (['notes:0~eda~1', 'notes:0~eda~2'], ['ill', 'ill'])
    """
    if method in ONLINE:
        raise InputError(
            f"'{method}' acts on batches while training, it makes no new examples",
            expected=f"one of {', '.join(sorted(METHODS))}",
            fix=f"name '{method}' among the objectives of the tuning instead",
        )
    parents = examples.labelled if isinstance(examples, Target) else examples
    lenders = style.inputs if isinstance(style, Target) else style
    augmenter = build(METHODS, "augmenter", method, settings, {"style": lenders, "training": parents})
    return augmenter.expand(parents, times, seed, workers)
