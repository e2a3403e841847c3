"""Agreement: models of one arm that learned from other parts of the source give the same answers on the target."""

from __future__ import annotations

import dataclasses
import itertools
from typing import ClassVar

import numpy as np

from acclimate.data.domain import Modality
from acclimate.errors import InputError
from acclimate.evaluate.validators.base import Matrix, Need, Seen


@dataclasses.dataclass(frozen=True)
class Agreement:
    """The share of target examples on which two models of the arm agree, over all pairs (Jiang 2022, eq. 3).

    Where an ensemble of the models is calibrated, the rate at which two of them disagree is their error (Jiang 2022, theorem 4.1);
    under a shift, models that agree more on the source agree more on the target, as they are more accurate (Baek 2022, section 3).

    Use when: models vary with their data or seed. Avoid when: arms learn from very different amounts: models that share most of
    their data agree for that reason alone, and so do models that all collapse into one class.
    """

    needs: ClassVar[tuple[Need, ...]] = ("several models",)
    range: ClassVar[str] = "0 to 1, an estimate of the accuracy on the target where the models are calibrated together"
    paper: ClassVar[str] = "Jiang 2022; Baek 2022"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image")
    summary: ClassVar[str] = "Prefers the arm whose models, fitted on other parts of the source, agree on the target."
    summary_zh: ClassVar[str] = "选择以不同源域子集训练后在目标域上预测最一致的方案（一致性）。"

    def score(self, seen: Seen) -> float:
        """See :func:`pairwise_agreement`; over the further models alone where there are two or more of them."""
        if not seen.others:
            raise InputError(
                "This validator was given one model",
                expected="two or more models of the same arm",
                fix="fit the arm on several parts of the source, or choose entropy, snd or bnm",
            )
        # The judged model saw what each of the others saw, and more: of two or more, only the others are alike.
        members = seen.others if len(seen.others) > 1 else (seen.probabilities, *seen.others)
        return pairwise_agreement(members)


def pairwise_agreement(models: tuple[Matrix, ...]) -> float:
    """The mean over pairs of models of the share of rows with the same most probable class; each ``(n, c)``.

    >>> sure = np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> pairwise_agreement((sure, sure, 1 - sure))
    0.3333333333333333
    """
    answers = [model.argmax(axis=1) for model in models]
    return float(np.mean([np.mean(one == other) for one, other in itertools.combinations(answers, 2)]))
