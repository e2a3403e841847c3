"""What every way of searching holds to: exactly the trials asked for, the same again from the same seed, and after a stop."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from acclimate.errors import RunError
from acclimate.features.embeddings import Embedder
from acclimate.strategy.search.judge import Judge
from acclimate.strategy.search.pruners import METHODS as PRUNERS
from acclimate.strategy.search.samplers import METHODS as SAMPLERS
from acclimate.strategy.search.space import Choice, Range, grid
from acclimate.strategy.search.study import carry_out, quiet
from acclimate.strategy.search.trials import RIGHT, unpacked
from acclimate.strategy.search.work import carry_out_job
from tests.searching import make_job

EVERY = [(sampler, pruner) for sampler in SAMPLERS for pruner in PRUNERS]


@pytest.fixture(scope="module")
def embed(encoder_folder: Path) -> Embedder:
    return Embedder(str(encoder_folder), cache=None, device="cpu")


def _rows(study: Any) -> list[tuple[Any, ...]]:
    return [
        (trial.number, trial.state.name, trial.value, trial.params, trial.intermediate_values, trial.user_attrs.get(RIGHT))
        for trial in study.trials()
    ]


@pytest.mark.parametrize(("sampler", "pruner"), EVERY)
def test_a_stopped_search_ends_as_an_undisturbed_one_with_exactly_the_trials_asked_for(
    embed: Embedder, tmp_path: Path, sampler: str, pruner: str
) -> None:
    asked: dict[str, Any] = {"sampler": sampler, "pruner": pruner, "trials": 13}
    whole = make_job(embed, **asked)
    undisturbed = carry_out_job(whole)
    wanted = min(13, len(grid(whole.space))) if sampler == "grid" else 13
    rows = _rows(undisturbed)
    assert [row[0] for row in rows] == list(range(wanted))
    assert {row[1] for row in rows} <= {"COMPLETE", "PRUNED"}

    job = make_job(embed, storage=tmp_path / "trials.db", **asked)
    calls = 0

    def stops(trial: optuna.Trial) -> float:
        nonlocal calls
        calls += 1
        if calls == 5:  # within a trial, after its point was chosen
            with contextlib.suppress(optuna.TrialPruned):
                job.evaluate(trial)
            raise KeyboardInterrupt
        return job.evaluate(trial)

    with pytest.raises(KeyboardInterrupt):
        carry_out(job.study(), stops)
    assert len(job.study().finished()) == 4
    assert _rows(carry_out_job(job)) == rows


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_complete_trial_is_worth_what_its_items_say_and_lies_in_the_space(embed: Embedder, sampler: str) -> None:
    job = make_job(embed, sampler=sampler, trials=5, space={"C": Range(0.1, 10.0), "target_weight": Choice((1, 2, 5))})
    study = carry_out_job(job)
    for trial in study.trials():
        right = unpacked(trial.user_attrs[RIGHT], len(job.bench.plan.target.labelled))
        assert trial.value == pytest.approx(right.mean())
        assert 0.1 <= trial.params["C"] <= 10
        assert trial.params["target_weight"] in (1, 2, 5)
        assert len(trial.intermediate_values) == 3  # one after each fold
        assert trial.value == pytest.approx(trial.intermediate_values[3])


def test_a_grid_tries_each_point_once(embed: Embedder) -> None:
    job = make_job(embed, sampler="grid", trials=50)
    points = [tuple(trial.params.values()) for trial in carry_out_job(job).trials()]
    assert sorted(points) == sorted(tuple(point.values()) for point in grid(job.space))


@pytest.mark.parametrize("name", [name for name in PRUNERS if name != "none"])
def test_pruning_gives_up_the_worst_and_keeps_the_best(name: str) -> None:
    """Twenty-seven trials of known worth, whose reports grow towards it: those that end early are worth less."""
    with quiet():
        pruner = PRUNERS[name]().pruner(9)
        study = optuna.create_study(study_name="known", direction="maximize", pruner=pruner)
        worth = np.random.default_rng(0).permutation(27)
        for value in worth:
            trial = study.ask()
            for step in range(1, 10):
                trial.report(float(value), step)
                if trial.should_prune():
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                    break
            else:
                study.tell(trial, float(value))
    ended = [trial.last_step for trial in study.trials]
    assert min(ended) < 9
    assert study.best_value == 26
    done = [value for value, step in zip(worth, ended, strict=True) if step == 9]
    assert np.mean(done) > np.mean(worth)


def test_more_trials_go_on_from_those_that_are_there(embed: Embedder, tmp_path: Path) -> None:
    few = make_job(embed, sampler="tpe", trials=4, storage=tmp_path / "t.db")
    carry_out_job(few)
    more = dataclasses.replace(few, asked=dataclasses.replace(few.asked, trials=7))
    alone = make_job(embed, sampler="tpe", trials=7)
    assert _rows(carry_out_job(more)) == _rows(carry_out_job(alone))


def test_the_time_ends_a_search_and_a_later_one_goes_on(embed: Embedder, tmp_path: Path) -> None:
    job = make_job(embed, trials=5, seconds=1e-9, storage=tmp_path / "t.db")
    assert len(carry_out_job(job).finished()) == 0
    later = dataclasses.replace(job, asked=dataclasses.replace(job.asked, seconds=None))
    assert len(carry_out_job(later).finished()) == 5


def test_a_point_that_cannot_be_carried_out_fails_alone(embed: Embedder) -> None:
    job = make_job(embed, trials=4)

    def fails(trial: optuna.Trial) -> float:
        if trial.number == 1:
            raise RunError("The loss became nan")
        return job.evaluate(trial)

    study = job.study()
    carry_out(study, fails)
    states = [trial.state.name for trial in study.trials()]
    assert states == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert study.trials()[1].user_attrs["why"] == "The loss became nan"


def test_all_candidates_are_measured_on_the_same_items_and_repetitions_differ(embed: Embedder) -> None:
    job = make_job(embed)
    judge: Judge = job.judge
    one, two = judge.measure(job.base, [0, 1]), judge.measure(dataclasses.replace(job.base, C=0.1), [0, 1])
    assert one.items == two.items
    half = len(one.items) // 2
    assert sorted(one.items[:half]) == sorted(one.items[half:])  # K folds hold each labelled example once
    assert one.items[:half] != one.items[half:]  # in other folds


def test_a_part_is_held_out_where_no_folds_are_asked_for(embed: Embedder) -> None:
    job = make_job(embed, folds=0)
    first, second = (job.judge.measure(job.base, [draw]) for draw in (0, 1))
    assert len(first.items) == pytest.approx(len(job.bench.plan.target.labelled) / 5, abs=1)
    assert set(first.items) != set(second.items)  # repeated hold-out


@pytest.mark.parametrize(("family", "name"), [(SAMPLERS, name) for name in SAMPLERS] + [(PRUNERS, name) for name in PRUNERS])
def test_every_method_says_what_it_is(family: Any, name: str) -> None:
    method = family[name]
    assert method.method == name
    assert method.paper
    assert method.summary
    assert any("\u4e00" <= letter <= "\u9fff" for letter in method.summary_zh)
    assert "Use when" in method.__doc__
    assert "Avoid when" in method.__doc__
