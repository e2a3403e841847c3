"""The only door to a sealed part: predict its inputs, open its labels once, leave a line in the ledger."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.data.target import Ledger, Sealed, Target
from acclimate.errors import InputError
from acclimate.evaluate.metrics import score


class Predictor(Protocol):
    """Anything that turns texts into class probabilities."""

    @property
    def classes(self) -> Sequence[str]:
        """The labels, in the order of the probability columns."""
        ...

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """``n`` texts to ``(n, c)`` probabilities."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """What a model scored on one sealed part, example by example.

    Attributes:
        purpose: ``test`` or ``validation``.
        classes: the order of the probability columns.
        ids: the examples, ``n`` of them.
        labels: codes of the true classes, ``(n,)``.
        probabilities: ``(n, c)``.
        correct: whether the most probable class is the label, ``(n,)`` bool.
        metrics: accuracy, macro_f1, log_loss, calibration_error.
    """

    purpose: str
    classes: tuple[str, ...]
    ids: list[str]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    correct: NDArray[np.bool_]
    metrics: dict[str, float]

    def __len__(self) -> int:
        return len(self.ids)


def evaluate(model: Predictor, target: Target, *, ledger: Ledger | None = None) -> Scores:
    """Score a model on the target's sealed test.

    Args:
        model: anything with ``classes`` and ``predict_proba(texts)``.
        target: its test is opened once, after the predictions are made.
        ledger: where the opening is written; a run passes its own.

    Raises:
        InputError: the test is empty or holds a label outside the model's classes; the model gave probabilities of a wrong
            shape, not finite, negative, or in rows that do not sum to 1.

    >>> from acclimate.data.domain import from_columns
    >>> from acclimate.data.make import make_target
    >>> class AlwaysFine:
    ...     classes = ("fine", "ill")
    ...     def predict_proba(self, texts):
    ...         return np.tile([0.9, 0.1], (len(texts), 1))
    >>> ward = make_target(from_columns("ward", [f"note {n}" for n in range(20)], ["fine", "ill"] * 10), test=0.5)
    >>> evaluate(AlwaysFine(), ward).metrics["accuracy"]
    0.5
    """
    return _measure(model, target.test, ledger)


def validate(model: Predictor, target: Target, *, ledger: Ledger | None = None) -> Scores:
    """Score a model on the target's sealed validation part; what choices are made by. Raises as :func:`evaluate` does."""
    if target.validation is None:
        raise InputError(
            f"'{target.name}' has no validation part",
            expected="a validation share, or one fold of several",
            fix="pass validation=0.2 when making the target, or go through target.folds(k, seed)",
        )
    return _measure(model, target.validation, ledger)


def pool_scores(scores: Sequence[Scores]) -> Scores:
    """Scores on disjoint parts (the folds of a cross-validation) as one, its metrics computed over all examples together."""
    first = scores[0]
    if any(part.classes != first.classes for part in scores):
        raise InputError(
            "Scores over different classes cannot be pooled",
            expected=", ".join(first.classes),
            fix="train every fold with the classes of the whole target",
        )
    return _scores(
        first.purpose,
        first.classes,
        [identity for part in scores for identity in part.ids],
        np.concatenate([part.labels for part in scores]),
        np.concatenate([part.probabilities for part in scores]),
    )


def label_codes(domain: Domain, classes: Sequence[str]) -> NDArray[np.int64]:
    """The position of each label among ``classes``, ``(n,)``.

    Raises:
        InputError: a label that is not among them.

    >>> from acclimate.data.domain import from_columns
    >>> label_codes(from_columns("d", ["a", "b"], ["yes", "no"]), ["no", "yes"])
    array([1, 0])
    """
    position = {name: code for code, name in enumerate(classes)}
    unknown = sorted({str(label) for label in domain.labels if label not in position})
    if unknown:
        raise InputError(
            f"'{domain.name}' has labels that the model does not know: {', '.join(unknown)}",
            expected=f"labels among {', '.join(classes)}",
            fix="map the labels of training data and target to the same names",
        )
    return np.array([position[str(label)] for label in domain.labels], dtype=np.int64)


def _measure(model: Predictor, part: Sealed, ledger: Ledger | None) -> Scores:
    if not len(part):
        raise InputError(
            f"The {part.purpose} part of '{part.inputs.name}' is empty",
            expected="at least one labelled example to measure on",
            fix=f"give a larger {part.purpose} share, or check what hygiene removed",
        )
    classes = tuple(model.classes)
    contents: Any = part.inputs.contents  # pictures for a model of pictures
    probabilities = _checked(np.asarray(model.predict_proba(contents), dtype=np.float64), len(part), len(classes))
    opened = part.unseal(ledger if ledger is not None else Ledger(), reader="evaluate")
    return _scores(part.purpose, classes, opened.ids, label_codes(opened, classes), probabilities)


def _checked(probabilities: NDArray[np.float64], n: int, c: int) -> NDArray[np.float64]:
    is_sound = probabilities.shape == (n, c) and np.isfinite(probabilities).all() and (probabilities >= 0).all()
    if not is_sound or np.abs(probabilities.sum(axis=1) - 1).max() > 1e-3:
        raise InputError(
            f"The model gave {probabilities.shape} numbers that are not probabilities over {c} classes for {n} texts",
            expected=f"shape ({n}, {c}), finite, not negative, rows that sum to 1",
            fix="check predict_proba; logits need a softmax, and NaN means that training diverged",
        )
    return probabilities


def _scores(
    purpose: str, classes: tuple[str, ...], ids: list[str], labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> Scores:
    correct = probabilities.argmax(axis=1) == labels
    return Scores(purpose, classes, ids, labels, probabilities, correct, score(probabilities, labels))
