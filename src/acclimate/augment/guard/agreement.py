"""Refuses examples that a classifier trained on the genuine ones does not take for what their label says."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.guard.base import Context, Graded, Judge, Judgement, Teacher
from acclimate.data.domain import Domain, Modality
from acclimate.data.split import k_folds
from acclimate.errors import InputError

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class CrossFitted:
    """Teachers, each trained without one fold of the genuine examples.

    Attributes:
        classes: the labels, in the order of columns.
        models: one a fold.
        fold: the fold that each genuine example is in, by its id.
        genuine: the probability of its own label that each genuine example got from the teacher that did not see it, ``(n,)``.
        agreed: share of them that got their label as the most probable class.
    """

    classes: tuple[str, ...]
    models: Sequence[Graded]
    fold: dict[str, int]
    genuine: Floats
    agreed: float


def cross_fit(teacher: Teacher, labelled: Domain, folds: int, seed: int) -> CrossFitted | None:
    """Train on all but one fold, for each fold; None where a class has fewer than two examples, or there is one class only."""
    rarest = min((labelled.labels.count(name) for name in labelled.classes), default=0)
    if rarest < 2 or len(labelled.classes) < 2:
        return None
    classes = labelled.classes
    models, fold, genuine, hits = [], {}, np.zeros(len(labelled)), 0
    for number, (train, held) in enumerate(k_folds(labelled, min(folds, rarest), seed)):
        model = teacher.fit(labelled.take(train), classes)
        probabilities = model.predict_proba(labelled.take(held))
        codes = np.array([classes.index(str(labelled.labels[row])) for row in held])
        genuine[held] = probabilities[np.arange(len(held)), codes]
        hits += int((probabilities.argmax(axis=1) == codes).sum())
        fold.update({labelled.ids[row]: number for row in held})
        models.append(model)
    return CrossFitted(classes, models, fold, genuine, hits / len(labelled))


def label_probabilities(fitted: CrossFitted, children: Domain, parents: Sequence[tuple[str, ...]]) -> tuple[Floats, list[str]]:
    """The probability of each example's label and the most probable class, by the teacher that did not see its (first) parent.

    NaN where the label is none of the classes. An example of unknown parents is judged by the first teacher.
    """
    scores, top = np.full(len(children), np.nan), [""] * len(children)
    at = np.array([next((fitted.fold[key] for key in of if key in fitted.fold), 0) for of in parents], dtype=np.int64)
    for number, model in enumerate(fitted.models):
        rows = np.flatnonzero(at == number)
        if not len(rows):
            continue
        probabilities = model.predict_proba(children.take(rows))
        for row, own in zip(rows.tolist(), probabilities, strict=True):
            label = children.labels[row]
            top[row] = fitted.classes[int(own.argmax())]
            if label in fitted.classes:
                scores[row] = own[fitted.classes.index(label)]
    return scores, top


@dataclasses.dataclass(frozen=True)
class Agreement:
    """A teacher, trained on the genuine labelled examples, must give the label enough probability.

    The threshold is calibrated: at most ``share`` of the genuine examples would be refused by it, each judged by a teacher that
    did not see it (K-fold). A generated example is likewise judged by the teacher that did not see its parent, so the same share
    of faithful ones is refused at most, as far as they are like genuine ones. Never refused is what the teacher itself would
    label so. A weak teacher (few labels) thus refuses little; without two examples of each class it is not asked.

    Score: the probability of the label.

    Args:
        share: of genuine examples that would be refused.
        folds: K, or as many as the rarest class has examples.
    """

    paper: ClassVar[str] = "Anaby-Tavor et al. 2020"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "chat", "image")
    summary: ClassVar[str] = "a classifier trained on the genuine examples disagrees with the label"
    summary_zh: ClassVar[str] = "由真实样本训练的分类器不认同其标签"

    share: float = 0.01
    folds: int = 5

    def __post_init__(self) -> None:
        """Raises InputError: a share outside [0, 1), or fewer than two folds."""
        if not 0 <= self.share < 1 or self.folds < 2:
            raise InputError(
                f"agreement with share={self.share}, folds={self.folds}",
                expected="a share of at least 0 and below 1, 2 folds or more",
            )

    def prepare(self, context: Context) -> Judge | str:
        """Train the teachers and calibrate the threshold."""
        if context.teacher is None:
            return "no teacher was given"
        labelled = context.labelled.take([row for row, label in enumerate(context.labelled.labels) if label is not None])
        fitted = cross_fit(context.teacher, labelled, self.folds, context.seed)
        if fitted is None:
            return "it needs two labelled examples of each of two classes"
        threshold = float(np.quantile(fitted.genuine, self.share, method="lower"))

        def judge(children: Domain, parents: Sequence[tuple[str, ...]]) -> Judgement:
            scores, top = label_probabilities(fitted, children, parents)
            differs = np.array(
                [bool(name) and name != label for name, label in zip(top, children.labels, strict=True)], dtype=np.bool_
            )
            refused = (np.nan_to_num(scores, nan=1.0) < threshold) & differs
            details = [
                f"teacher: {name}, label {score:.2f} < {threshold:.2f}" if bad else ""
                for bad, name, score in zip(refused, top, scores, strict=True)
            ]
            return Judgement(refused, scores, details)

        return judge
