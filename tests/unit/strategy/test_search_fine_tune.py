"""Searching fine-tuned models: the one trainer, watched while it trains, given up early where pruning says so."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import optuna
import pytest

from acclimate.features.embeddings import Embedder
from acclimate.strategy.arms import Arm, Method
from acclimate.strategy.search.candidate import Candidate, apply
from acclimate.strategy.search.judge import PARTS
from acclimate.strategy.search.space import Choice, Range
from acclimate.strategy.search.work import carry_out_job
from acclimate.tune.settings import TuneSettings
from acclimate.tune.watch import Watch
from tests.searching import make_job

TARGET = Arm("none")


@pytest.fixture(scope="module")
def embed(encoder_folder: Path) -> Embedder:
    return Embedder(str(encoder_folder), cache=None, device="cpu")


def test_looking_on_changes_nothing_about_a_training(embed: Embedder) -> None:
    job = make_job(embed, arm=TARGET, fidelity="fine-tune", space={"lr": Range(1e-4, 1e-2)})
    view = next(iter(job.bench.plan.target.folds(3, 0)))
    material = job.bench.workshop.material(TARGET, view, 0)
    seen: list[tuple[int, bytes]] = []

    def look(step: int, model: Any) -> None:
        seen.append((step, model.predict_proba(view.labelled.texts).tobytes()))

    alone = job.bench.fitted(TARGET, material, "fine-tune", 0)
    watched = job.bench.fitted(TARGET, material, "fine-tune", 0, Watch(1, look))
    texts = view.labelled.texts
    assert alone.predict_proba(texts).tobytes() == watched.predict_proba(texts).tobytes()
    assert [step for step, _ in seen] == [1, 2, 3]  # of four steps; the last is the model itself
    assert len({answer for _, answer in seen}) == 3  # it was seen as it was then


def test_reports_come_after_each_epoch_where_epochs_are_searched(embed: Embedder) -> None:
    space = {"epochs": Range(2, 4), "lr": Range(1e-4, 1e-2, log=True), "batch_size": Choice((4, 8))}
    job = make_job(embed, arm=TARGET, fidelity="fine-tune", space=space, trials=2, folds=2)
    assert job.judge.reports(1) == 4 + 2 - 1
    for trial in carry_out_job(job).trials():
        epochs = trial.params["epochs"]
        inside = [step for step in trial.intermediate_values if step < 4]
        assert inside[: epochs - 1] == list(range(1, epochs))
        assert [step for step in trial.intermediate_values if step >= 4] == [4, 5]  # the finished folds
        assert trial.value == trial.intermediate_values[5]


def test_reports_come_after_each_ninth_of_the_steps_otherwise(embed: Embedder) -> None:
    job = make_job(embed, arm=TARGET, fidelity="fine-tune", space={"dropout": Range(0.0, 0.5)}, trials=1, folds=0)
    longer = dataclasses.replace(job, base=Candidate(TARGET, TuneSettings(steps=18, batch_size=4)))
    trial = carry_out_job(longer).trials()[0]
    assert list(trial.intermediate_values) == list(range(1, PARTS + 1))


def test_a_trial_that_is_given_up_trains_no_further(embed: Embedder) -> None:
    job = make_job(embed, arm=TARGET, fidelity="fine-tune", space={"lr": Range(1e-4, 1e-2)}, folds=2)
    heard: list[int] = []

    def report(number: int, accuracy: float) -> None:
        heard.append(number)
        assert 0 <= accuracy <= 1
        if number == 2:
            raise optuna.TrialPruned

    steps = Candidate(TARGET, TuneSettings(steps=9, batch_size=4))
    with pytest.raises(optuna.TrialPruned):
        job.judge.measure(steps, [0], report)
    assert heard == [1, 2]


def test_settings_of_objectives_reach_the_training(embed: Embedder) -> None:
    arm = Arm("none", objectives=(Method("mixup"),))
    space = {"objectives.mixup.weight": Range(0.1, 10.0, log=True), "objectives.mixup.alpha": Range(0.1, 1.0)}
    job = make_job(embed, arm=arm, fidelity="fine-tune", space=space, trials=1, folds=0)
    view = job.bench.plan.target.folds(3, 0)[0]
    texts = view.labelled.texts
    answers = set()
    for point in ({}, {"objectives.mixup.weight": 5.0}, {"objectives.mixup.alpha": 0.9}):
        arm_of_point = apply(job.base, point).arm
        material = job.bench.workshop.material(arm_of_point, view, 0)
        answers.add(job.bench.fitted(arm_of_point, material, "fine-tune", 0).predict_proba(texts).tobytes())
    assert len(answers) == 3
    assert carry_out_job(job).trials()[0].state.name == "COMPLETE"
