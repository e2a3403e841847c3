"""What the scores of training dynamics share: early classifiers of the source, the labels they are held against, what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.errors import InputError
from acclimate.select.base import Learner, Scorer

#: Which examples score highest: the difficult ones, as in the papers, those about the median, or the easy ones.
Keep = Literal["hard", "middle", "easy"]


def usefulness(difficulty: NDArray[np.float64], keep: Keep, middle: float) -> NDArray[np.float64]:
    """Difficulty ``(n,)`` to a score ``(n,)`` that is highest for what is to be kept.

    Args:
        middle: the median difficulty of the source; the score of ``"middle"`` is minus the distance to it.

    >>> usefulness(np.array([0.0, 1.0, 3.0]), "middle", 1.0).tolist()
    [-1.0, 0.0, -2.0]
    """
    if keep == "middle":
        return np.asarray(0.0 - np.abs(difficulty - middle))
    return difficulty if keep == "hard" else np.asarray(0.0 - difficulty)


def label_rows(batch: Domain, classes: Sequence[str], method: str) -> NDArray[np.float64]:
    """The labels as rows with a single 1, ``(n, c)``.

    Raises:
        InputError: a missing label, or one outside ``classes``.
    """
    position = {name: number for number, name in enumerate(classes)}
    strange = next((str(label) for label in batch.labels if label not in position), None)
    if strange is not None:
        raise InputError(
            f"'{method}' was asked to score an example labelled '{strange}'",
            expected=f"one of the labels of the source: {', '.join(classes[:5])}{', …' if len(classes) > 5 else ''}",
            fix="fit it on a source that has this label, or leave the example out",
        )
    numbers = np.array([position[str(label)] for label in batch.labels], dtype=np.int64)
    rows: NDArray[np.float64] = np.eye(len(classes))[numbers]
    return rows


def by_id(source: Domain) -> Domain:
    """The same rows sorted by id, so that training does not depend on the order in which they came."""
    return source.take(np.argsort(np.array(source.ids, dtype=object), kind="stable"))


def early_scorers(learner: Learner, source: Domain, *, epochs: int, seeds: int, seed: int) -> list[Scorer]:
    """The classifier after ``epochs`` of training on the source, once for each of ``seeds`` starts.

    Empty where the source has one class only: nothing can be learned from it, and nothing in it is difficult.
    """
    if len(source.classes) < 2:
        return []
    rows = by_id(source)
    runs = (list(learner.trajectory(rows, source.classes, epochs=epochs, seed=seed + run)) for run in range(seeds))
    return [run[-1] for run in runs]


def mean_over_runs(runs: Sequence[NDArray[np.float64]], count: int) -> NDArray[np.float64]:
    """The mean of the runs' values, ``(count,)``; 0 where there is no run. Added one after another: the same bits in any batch."""
    total = np.zeros(count)
    for values in runs:
        total = total + values
    return total / max(len(runs), 1)


def check_runs(method: str, epochs: int, seeds: int) -> None:
    """Raises InputError: less than one epoch or one run."""
    if epochs < 1 or seeds < 1:
        raise InputError(
            f"{method} with epochs={epochs}, seeds={seeds}", expected="at least 1 epoch and 1 run", fix="leave the defaults"
        )
