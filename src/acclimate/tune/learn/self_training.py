"""Self-training: a model's most certain guesses on the target teach the next one."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from acclimate.errors import InputError
from acclimate.tune.learn.pseudo_labels import pseudo_labels
from acclimate.tune.shallow.base import between, whole

if TYPE_CHECKING:  # recipes and listings read names and settings without loading torch
    from acclimate.tune.adapted import Adapted
    from acclimate.tune.examples import Examples
    from acclimate.tune.learn.base import Training

#: Under the training's folder, where finished rounds wait for the next one.
ROUNDS = ".rounds"


@dataclasses.dataclass(frozen=True)
class SelfTraining:
    """Train, label the target's unlabelled examples, and train anew on labels and guesses; in every round on more guesses.

    In round ``r`` of ``R`` the share ``share · r / R`` of the guesses is taken. With ``balance`` that share is taken of every class
    by itself, by class-normalised scores (Zou 2018, CBST, eq. 11), so that an easy class does not crowd out the others. Every round
    starts from the base model again and takes as many optimiser steps as a training without rounds, so the last model has learned
    as long as any other; the whole costs ``rounds + 1`` trainings. Guesses are made from unlabelled examples alone; no test or
    validation example is among them.

    Set by ``tune: {learn: self-training}``; ``tune: {features: self-training}`` is the same for the probe, in a second.

    Use when: the model is right much more often than not on the target, and there are many unlabelled examples. Avoid when: it is
    near chance there: its mistakes become its teachers; or when classes are far rarer in the target than guessed.

    Args:
        rounds: of labelling and training. 3: Zou 2018 (section 6) sees most of the gain in its first two or three.
        share: of the guesses taken in the last round. 0.5, where Zou 2018's share ends; 1 suits models that are mostly right.
        balance: whether the share is taken class by class.
        prior: whether each class brings as many guesses as its part among the labels says, rather than by what is guessed of it;
            for targets whose class shares are the labels'. Of TF-IDF on 12 pairs of Amazon domains, 5 rounds to share 1: 75.1% with
            no rounds, 73.5 by what is guessed, 78.8 with ``prior``.
        confidence: guesses of a lower probability are never taken. 0: ranks alone decide.
        soft: whether the guessed probabilities are taught rather than the likeliest class (Zou 2019, label-regularised).
        weight: of a guess beside a label.
    """

    paper: ClassVar[str] = "Yarowsky 1995; Zou 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    needs: ClassVar[tuple[str, ...]] = ("unlabelled target",)
    summary: ClassVar[str] = "Trains in rounds, each on the most certain guesses of the last one as well."
    summary_zh: ClassVar[str] = "分轮训练，每轮加入上一轮模型最有把握的伪标签（自训练，可按类别均衡）。"

    rounds: int = 3
    share: float = 0.5
    balance: bool = True
    prior: bool = False
    confidence: float = 0.0
    soft: bool = False
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range."""
        whole("self-training", "rounds", self.rounds)
        between("self-training", "share", self.share, 0, 1)
        between("self-training", "weight", self.weight, 0)
        if self.confidence != 0:
            between("self-training", "confidence", self.confidence, 0, 1)
        for name in ("balance", "prior", "soft"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"self-training was given {name} {getattr(self, name)!r}", expected="true or false")

    def train(self, training: Training) -> Adapted:
        """The model of the last round.

        Raises:
            InputError: there is nothing to guess about, or the model guesses no class.
        """
        from acclimate.tune.bases import LANGUAGE
        from acclimate.tune.hardware import leads

        if not training.examples.unlabelled or training.task in LANGUAGE:
            found = "a language model" if training.task in LANGUAGE else "no target examples without labels"
            raise InputError(
                f"self-training was given {found}",
                expected="a classifier and a target with unlabelled examples",
                fix="leave it out",
            )
        place = None if training.folder is None else training.folder / ROUNDS
        teacher = training.run(folder=_round(place, 0), save=place is not None)
        for number in range(1, self.rounds):
            examples = self.taught(training.examples, teacher, self.share * number / self.rounds)
            teacher = training.run(examples=examples, folder=_round(place, number), save=place is not None)
        last = training.run(examples=self.taught(training.examples, teacher, self.share), save=False)
        last = dataclasses.replace(last, about={**last.about, "learn": {"method": "self-training", **dataclasses.asdict(self)}})
        if training.save and training.folder is not None and leads():
            last.save(training.folder)
        if place is not None and leads():
            shutil.rmtree(place, ignore_errors=True)
        return last

    def taught(self, examples: Examples, teacher: Adapted, share: float) -> Examples:
        """The examples, and the given share of what the teacher says of the unlabelled ones, as target examples."""
        guessed = teacher.predict_proba(examples.unlabelled)
        classes = guessed.shape[1]
        prior = np.bincount(examples.labels, examples.weights, classes) / examples.weights.sum() if self.prior else None
        rows, labels = pseudo_labels(guessed, share, balance=self.balance, confidence=self.confidence, prior=prior)
        if not len(rows):
            return examples
        weights = np.concatenate([examples.weights, np.full(len(rows), self.weight)])
        soft = None
        if self.soft or examples.soft is not None:
            known = np.eye(classes)[examples.labels] if examples.soft is None else examples.soft
            soft = np.vstack([known, guessed[rows] if self.soft else np.eye(classes)[labels]])
        replayed = None if examples.replayed is None else np.concatenate([examples.replayed, np.zeros(len(rows), dtype=bool)])
        return dataclasses.replace(
            examples,
            contents=[*examples.contents, *(examples.unlabelled[row] for row in rows)],
            labels=np.concatenate([examples.labels, labels]),
            weights=weights / weights.mean(),
            from_target=np.concatenate([examples.from_target, np.ones(len(rows), dtype=bool)]),
            soft=soft,
            replayed=replayed,
        )


def _round(place: Path | None, number: int) -> Path | None:
    return None if place is None else place / str(number)
