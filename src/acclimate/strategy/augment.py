"""The public verb ``augment``: the teacher that guards ask is brought here, from the floors that augmenters do not know."""

from __future__ import annotations

from typing import Any

from acclimate.augment import run
from acclimate.augment.base import Predict
from acclimate.augment.guard.base import Teacher
from acclimate.augment.guard.run import Given, Guards
from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.features.base import Embed
from acclimate.strategy.select import deferred
from acclimate.tune.learner import ProbeLearner

#: Encoder of the teacher where none is named.
ENCODERS: dict[Modality, str] = {"text": "asset:minilm", "chat": "asset:minilm", "image": "asset:efficientnet-lite0"}


def teacher_for(modality: Modality, embed: Embed | None = None, model: str | None = None) -> Teacher:
    """The probe on an encoder, which is looked for and loaded when the teacher is first asked."""
    return ProbeLearner(embed if embed is not None else deferred(model or ENCODERS[modality]))


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
    model: str | None = None,
    embed: Embed | None = None,
    teacher: Teacher | None = None,
    **settings: Any,
) -> Domain:
    """New examples with the labels of their parents, but those that guards refuse.

    Args:
        examples: what to make new examples of; of a target, its labelled part alone. The inputs of its test and validation are
            known to the guards, so that nothing new repeats them.
        method: a name in ``acclimate.augment.METHODS``; ``acclimate methods`` lists them.
        times: new examples for each one; 4 where not given, and for ``balance`` 1: all classes as large as the largest.
        seed: of every random choice. The same seed gives the same bytes, whatever the number of workers.
        workers: processes.
        style: for methods of style, the pictures whose look the new ones take.
        predict: examples to labels by the current model, for methods that follow its errors (``error-driven``).
        guard: which guards are asked: all by default; ``"none"``; ``"no-agreement"``; ``{"polarity": {"shift": 2}}`` (see
            :meth:`acclimate.augment.guard.run.Guards.parse`).
        model: the encoder of the teacher, a probe; a packaged one where not given.
        embed, teacher: an encoder, or a teacher, of one's own.
        settings: of the method.

    Raises:
        InputError: an unknown method, guard or setting, or a value that means nothing.
        RunError: a model or word list could not be fetched.

    >>> from acclimate.data.domain import from_columns
    >>> notes = from_columns("notes", ["The patient does not sleep well"], ["ill"])
    >>> grown = augment(notes, times=2, synonyms="none", guard="no-polarity")
    >>> grown.ids, grown.labels
    (['notes:0~eda~1', 'notes:0~eda~2'], ['ill', 'ill'])
    """
    parents = examples.labelled if isinstance(examples, Target) else examples
    asked = teacher or teacher_for(parents.modality, embed, model)
    return run.augment(
        examples,
        method=method,
        times=times,
        seed=seed,
        workers=workers,
        style=style,
        predict=predict,
        guard=guard,
        teacher=asked,
        **settings,
    )
