"""Self-training of the probe: its most certain guesses on the target become labels."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError
from acclimate.tune.shallow.base import Fitted, Given, Matrix, between, whole


@dataclasses.dataclass(frozen=True)
class FeatureSelfTraining:
    """Round by round the probe labels the unlabelled target examples, and learns from its most certain guesses as well.

    (Yarowsky 1995.) In round ``r`` of ``R`` the share ``r / R`` of the guesses is taken. With ``balance`` this share is taken of
    every guessed class by itself, so that an easy class does not crowd out the others (Zou 2018, CBST, section 4.1).

    Use when: the probe is right much more often than not on the target, and there are many unlabelled examples. Avoid when: it is
    near chance there: its mistakes become its teachers.

    Args:
        rounds: 5, as many as Zou 2018 raises its share in.
        balance: whether the share is taken class by class.
        confidence: guesses of a lower probability are never taken. 0: ranks alone decide.
        weight: of a guess beside a label.
    """

    paper: ClassVar[str] = "Yarowsky 1995; Zou 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    needs: ClassVar[tuple[str, ...]] = ("vectors", "unlabelled target")
    summary: ClassVar[str] = "The probe goes on learning from its most certain guesses on the target."
    summary_zh: ClassVar[str] = "线性探针以其在目标域上最有把握的预测继续学习（自训练）。"

    rounds: int = 5
    balance: bool = True
    confidence: float = 0.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range."""
        whole("self-training", "rounds", self.rounds)
        between("self-training", "weight", self.weight, 0)
        if not isinstance(self.balance, bool):
            raise InputError(f"self-training was given balance {self.balance!r}", expected="true or false")
        if self.confidence != 0:
            between("self-training", "confidence", self.confidence, 0, 1)

    def fit(self, given: Given) -> Fitted:
        """Fit, guess, and fit again."""
        from acclimate.tune.probe import Probe

        given.need("self-training", source=0, target=1)
        probe = Probe().fit(given.features, given.labels, given.classes, given.weights)
        soft = given.labels if given.labels.ndim == 2 else np.eye(given.classes)[given.labels]
        for number in range(1, self.rounds + 1):
            if not len(given.unlabelled):
                break
            guessed = probe.predict_proba(given.unlabelled)
            taken = most_certain(guessed, number / self.rounds, balance=self.balance, confidence=self.confidence)
            if not len(taken):
                break
            probe = Probe().fit(
                np.vstack([given.features, given.unlabelled[taken]]),
                np.vstack([soft, np.eye(given.classes)[guessed[taken].argmax(1)]]),
                given.classes,
                np.concatenate([given.weights, np.full(len(taken), self.weight)]),
            )
        return probe


def most_certain(guessed: Matrix, share: float, *, balance: bool, confidence: float = 0.0) -> NDArray[np.int64]:
    """The rows with the largest winning probabilities, in order of row.

    Args:
        guessed: probabilities ``(n, c)``.
        share: of the rows that is taken, rounded up; with ``balance`` of those of each guessed class.
        confidence: rows whose winning probability is lower are left out.
    """
    winner, certainty = guessed.argmax(1), guessed.max(1)
    parts = [np.flatnonzero(winner == number) for number in np.unique(winner)] if balance else [np.arange(len(guessed))]
    taken = [rows[np.argsort(-certainty[rows], kind="stable")][: int(np.ceil(share * len(rows)))] for rows in parts]
    chosen = np.sort(np.concatenate(taken)) if taken else np.zeros(0, dtype=np.int64)
    kept: NDArray[np.int64] = chosen[certainty[chosen] >= confidence]
    return kept
