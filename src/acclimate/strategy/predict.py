"""The labels that a current model gives: what augmenters that follow a model's errors are handed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.augment.base import Predict
from acclimate.data.domain import Domain
from acclimate.engine.storage import content_hash
from acclimate.errors import InputError
from acclimate.strategy.select import toolbox

if TYPE_CHECKING:
    from acclimate.select.base import Learner

#: Folds of a prediction out of fold.
_FOLDS = 5


def out_of_fold(learner: Learner) -> Predict:
    """Predicts each example by a classifier that was trained on the other folds, so that what it learned by heart hides no error.

    Folds follow the ids, so an example is in the same fold whatever the order.
    """

    def predict(examples: Domain) -> Sequence[str]:
        classes = examples.classes
        if len(classes) < 2:
            raise InputError(
                f"The {len(examples)} labelled examples have {len(classes)} classes",
                expected="at least two, or no model can be wrong about them",
                fix="label some of another class",
            )
        fold = np.array([int(content_hash("fold", name)[:8], 16) % _FOLDS for name in examples.ids])
        labels = np.array(examples.labels, dtype=object)
        found = np.array([""] * len(examples), dtype=object)
        for number in range(_FOLDS):
            rows, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
            if not len(rows):
                continue
            if len(set(labels[others])) < 2:
                found[rows] = labels[others][0] if len(others) else ""
                continue
            known = tuple(sorted(set(labels[others])))
            chances = learner.fit(examples.take(others), known).predict_proba(examples.take(rows))
            found[rows] = [known[place] for place in chances.argmax(axis=1)]
        return [str(label) for label in found]

    return predict


def predictor(folder: str | None, model: str) -> Predict:
    """The model that ``acclimate tune`` wrote into a folder; without one, the probe on the vectors of ``model``, out of fold.

    Nothing is loaded before it is asked.
    """

    def predict(examples: Domain) -> Sequence[str]:
        if folder is None:
            learner = toolbox(model=model).learner
            assert learner is not None  # the toolbox brings the probe
            return out_of_fold(learner)(examples)
        from acclimate.tune.adapted import Adapted  # loads torch

        adapted = Adapted.load(Path(folder))
        chances = adapted.predict_proba(examples.contents)
        return [adapted.classes[place] for place in chances.argmax(axis=1)]

    return predict
