"""What a model learns from: contents, class numbers, weights, and which of them are the target's."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.data.target import Target
from acclimate.errors import InputError

#: A text (``str``), an encoded picture (``bytes``), or the turns of a conversation; all contents of a training are of one kind.
Content: TypeAlias = Any


@dataclasses.dataclass(frozen=True, eq=False)
class TaskLabels:
    """Which task each example belongs to; the target's is number 0.

    Attributes:
        numbers: ``(n,)``.
        labels: class numbers within the own task ``(n,)``.
        heads: for every task, how many classes its own head tells apart; 0 where it shares the target's.
    """

    numbers: NDArray[np.int64]
    labels: NDArray[np.int64]
    heads: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Examples in a fixed order, and others without labels for the objectives that want them.

    Attributes:
        contents: ``n`` texts, encoded pictures or conversations.
        labels: class numbers ``(n,)``; −1 where a language model learns from the contents alone, −100 of a task with other classes.
        weights: ``(n,)``, at least 0 and with mean 1.
        from_target: ``(n,)`` bool, True where the example belongs to the target domain.
        unlabelled: contents of the target domain without labels.
        soft: class probabilities ``(n, c)`` in the place of labels, which name the likeliest; None where labels are all there is.
        tasks: where examples are of several tasks.
        replayed: ``(n,)`` bool, True for general examples that fill a set share of every batch; None where there are none.
    """

    contents: Sequence[Content]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]
    from_target: NDArray[np.bool_]
    unlabelled: Sequence[Content] = ()
    soft: NDArray[np.float64] | None = None
    tasks: TaskLabels | None = None
    replayed: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.contents)

    @property
    def replays(self) -> bool:
        """Whether there are examples to replay."""
        return self.replayed is not None and bool(self.replayed.any())


def gather(
    classes: Sequence[str] | None,
    *,
    source: Domain | None = None,
    target: Domain | None = None,
    augmented: Domain | None = None,
    replay: Domain | None = None,
    unlabelled: Sequence[Content] = (),
    target_weight: float = 1.0,
    several_tasks: bool = False,
) -> Examples:
    """Source, target, augmented and replayed examples, in this order; augmented ones count as the target's.

    Args:
        classes: the label space, in the order of the class numbers; None for a language model, which looks at no label.
        several_tasks: whether every domain of the source is a task, which may have classes of its own.
        target_weight: how much a target example weighs against a source example, on top of the weights in the data.

    Raises:
        InputError: no example, a missing label, a label outside ``classes``, only one class, or a weight that is not a
            finite number of at least 0.
    """
    given = ((source, False), (target, True), (augmented, True), (replay, False))
    parts = [(part, mine) for part, mine in given if part is not None and len(part)]
    contents = [content for part, _ in parts for content in contents_of(part, conversations=classes is None)]
    if classes is None and not contents:
        raise InputError("There is no example to learn from", expected="at least one")
    names = [label for part, _ in parts for label in part.labels]
    tasks = None
    if classes is None:
        labels = np.full(len(names), -1)
    elif several_tasks:
        labels, tasks = task_numbers(names, [name for part, mine in parts for name in _task_names(part, mine)], classes)
    else:
        labels = class_numbers(names, classes)
    from_target = np.concatenate([np.full(len(part), mine) for part, mine in parts])
    weights = np.concatenate([part.weights for part, _ in parts]) * np.where(from_target, target_weight, 1.0)
    if not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() == 0:
        worst = float(weights[~(weights >= 0)][0]) if (~(weights >= 0)).any() else 0.0
        raise InputError(
            f"Example weights that cannot be averaged with (such as {worst:g})",
            expected="finite weights of at least 0, not all of them 0",
            fix="check the weight column and target_weight",
        )
    count = 0 if replay is None else len(replay)
    replayed = np.arange(len(labels)) >= len(labels) - count if count else None
    if count == len(labels):
        raise InputError(
            "There are only examples to replay", expected="examples of the domain as well", fix="give source or target"
        )
    return Examples(contents, labels, weights / weights.mean(), from_target, unlabelled, tasks=tasks, replayed=replayed)


def of_target(
    target: Target,
    *,
    source: Domain | None = None,
    augmented: Domain | None = None,
    replay: Domain | None = None,
    target_weight: float = 1.0,
    labelled: bool = True,
    several_tasks: bool = False,
) -> Examples:
    """The same from a :class:`Target`, of which only the labelled and the unlabelled part are looked at.

    Args:
        labelled: False for a language model, which learns from the unlabelled part as from the labelled one.
    """
    if labelled:
        return gather(
            target.classes,
            source=source,
            target=target.labelled,
            augmented=augmented,
            replay=replay,
            unlabelled=contents_of(target.unlabelled),
            target_weight=target_weight,
            several_tasks=several_tasks,
        )
    return gather(None, source=source, target=target.inputs, augmented=augmented, replay=replay, target_weight=target_weight)


def contents_of(domain: Domain, *, conversations: bool = False) -> Sequence[Content]:
    """What a model reads of each example; of conversations the turns where asked for, else what they read as."""
    return domain.conversations if conversations and domain.modality == "chat" else domain.contents


def _task_names(part: Domain, mine: bool) -> list[str]:
    """The task of each example: empty for the target's."""
    return [""] * len(part) if mine else part.domains


def task_numbers(names: Sequence[str | None], tasks: Sequence[str], classes: Sequence[str]) -> tuple[NDArray[np.int64], TaskLabels]:
    """Class numbers for the target's head, −100 where a task has classes that the target has not; and the tasks.

    Args:
        names: class names ``(n,)``.
        tasks: the name of each example's task ``(n,)``, empty for the target's.

    >>> labels, several = task_numbers(["a", "b", "x", "y"], ["", "", "other", "other"], ["a", "b"])
    >>> labels.tolist(), several.numbers.tolist(), several.labels.tolist(), several.heads
    ([0, 1, -100, -100], [0, 0, 1, 1], [0, 1, 0, 1], (0, 2))

    Raises:
        InputError: see :func:`class_numbers`, for each task.
    """
    order = ["", *sorted(set(tasks) - {""})]
    labels, own = np.full(len(names), -100), np.zeros(len(names), dtype=np.int64)
    heads = []
    for task in order:
        rows = [row for row, name in enumerate(tasks) if name == task]
        given = [names[row] for row in rows]
        shares = not rows or set(given) <= {*classes, None}
        known = classes if shares else sorted({name for name in given if name is not None})
        if rows:
            own[rows] = class_numbers(given, known)
        if rows and shares:
            labels[rows] = own[rows]
        heads.append(0 if shares else len(known))
    position = {name: number for number, name in enumerate(order)}
    return labels, TaskLabels(np.asarray([position[name] for name in tasks], dtype=np.int64), own, tuple(heads))


def class_numbers(names: Sequence[str | None], classes: Sequence[str]) -> NDArray[np.int64]:
    """Class names to class numbers, ``(n,)``.

    >>> class_numbers(["b", "a"], ["a", "b"])
    array([1, 0])

    Raises:
        InputError: no name at all, a missing one, one outside ``classes``, or all the same.
    """
    if not names:
        raise InputError("There is no labelled example to learn from", expected="at least one of each of two classes")
    position = {name: number for number, name in enumerate(classes)}
    strange = sorted({str(name) for name in names if name not in position})
    if strange:
        raise InputError(
            f"Labels outside the classes: {', '.join(strange[:5])}{', …' if len(strange) > 5 else ''}",
            expected=f"only {', '.join(classes)}",
            fix="rename those labels, or remove or label those rows ('None' means a row without a label)",
        )
    numbers = np.asarray([position[name] for name in names if name is not None], dtype=np.int64)
    if len(np.unique(numbers)) < 2:
        raise InputError(
            f"All {len(names)} labelled examples are of class '{names[0]}'",
            expected="examples of at least two classes",
            fix="add examples of another class",
        )
    return numbers
