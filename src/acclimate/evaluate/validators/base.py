"""What a validator may look at, and what it is: something that ranks models on a target without labels."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Modality
from acclimate.errors import InputError

Matrix = NDArray[np.float64]
Codes = NDArray[np.int64]

#: What a validator looks at beside a model's probabilities on the unlabelled target.
Need = Literal[
    "features",  # of the unlabelled target, and where "source held out" is needed of that too
    "source held out",  # labelled source examples that the model did not learn from
    "several models",  # the same arm fitted again on other parts of its source
]


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """All that a validator may look at. No target label is among it.

    Attributes:
        probabilities: of the model, on the unlabelled target, ``(n, c)``; rows sum to 1.
        features: of the same examples, ``(n, d)``: the frozen vectors on which the shift between the domains is seen.
        held_probabilities: on source examples that were held out of training, ``(m, c)``.
        held_labels: their class numbers, ``(m,)``.
        held_features: their vectors, ``(m, d)``.
        others: probabilities on the unlabelled target of further models of the same arm, each ``(n, c)``.
        seed: of what a validator draws.

    Raises:
        InputError: no rows, shapes that do not fit one another, or values that are not finite.
    """

    probabilities: Matrix
    features: Matrix | None = None
    held_probabilities: Matrix | None = None
    held_labels: Codes | None = None
    held_features: Matrix | None = None
    others: tuple[Matrix, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.probabilities.ndim != 2 or not len(self.probabilities):
            raise InputError(
                f"A validator was given probabilities of shape {self.probabilities.shape}",
                expected="(n, c) with at least one unlabelled target example",
                fix="give unlabelled target examples",
            )
        n, c = self.probabilities.shape
        m = len(self.held_labels) if self.held_labels is not None else 0
        expected = {"features": (n, None), "held_probabilities": (m, c), "held_features": (m, None)}
        for name, shape in expected.items():
            _check(name, getattr(self, name), shape)
        for other in (self.probabilities, *self.others):
            _check("probabilities", other, (n, c))

    def held(self) -> tuple[Matrix, Codes]:
        """Probabilities ``(m, c)`` and labels ``(m,)`` of held-out source examples; InputError where there are none."""
        if self.held_probabilities is None or self.held_labels is None or not len(self.held_labels):
            raise InputError(
                "This validator was given no held-out source examples",
                expected="probabilities and labels of source examples that the model did not learn from",
                fix="hold some out, or choose a validator that needs the target's probabilities alone: entropy, snd, bnm",
            )
        return self.held_probabilities, self.held_labels

    def both_features(self) -> tuple[Matrix, Matrix]:
        """Vectors of the held-out source ``(m, d)`` and of the target ``(n, d)``; InputError where there are none."""
        if self.features is None or self.held_features is None or self.features.shape[1] != self.held_features.shape[1]:
            raise InputError(
                "This validator was not given vectors of source and target in one space",
                expected="features (n, d) and held_features (m, d)",
                fix="give both, or choose a validator that needs probabilities alone: entropy, snd, bnm",
            )
        return self.held_features, self.features


def _check(name: str, values: Matrix | None, shape: tuple[int, int | None]) -> None:
    if values is None:
        return
    fits = values.ndim == 2 and len(values) == shape[0] and shape[1] in (None, values.shape[1])
    if not fits or not np.isfinite(values).all():
        raise InputError(
            f"A validator was given {name} of shape {values.shape}",
            expected=f"({shape[0]}, {shape[1] or 'd'}), all of them finite",
            fix="give one row per example, in one order",
        )


class Validator(Protocol):
    """Ranks models without target labels: the higher, the better the model is thought to be.

    The constructor's arguments are its settings. ``needs`` says what it looks at beside the probabilities on the target; ``range``
    says in words what values a score may have, so that a reader can place one.
    """

    needs: ClassVar[tuple[Need, ...]]
    range: ClassVar[str]
    paper: ClassVar[str]
    modality: ClassVar[tuple[Modality, ...]]
    summary: ClassVar[str]
    summary_zh: ClassVar[str]

    def score(self, seen: Seen, /) -> float:
        """The higher, the better. Does not depend on the order of the examples, but for rounding."""
        ...
