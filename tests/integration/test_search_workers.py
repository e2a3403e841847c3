"""Four processes on one study, one of them killed in the middle of a trial: none lost, none done twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path

import optuna
import pytest

from acclimate.features.embeddings import Embedder
from acclimate.strategy.search.study import GRACE, WORKER, is_abandoned, quiet
from acclimate.strategy.search.trials import RIGHT, unpacked
from acclimate.strategy.search.work import Job, carry_out_job
from tests.searching import make_job


def _running(job: Job) -> dict[int, int]:
    """Numbers of running trials by the process that carries each out, as the database has them now."""
    question = (
        "SELECT a.value_json, t.number FROM trials t JOIN trial_system_attributes a ON a.trial_id = t.trial_id "
        "WHERE t.state = 'RUNNING' AND a.key = ?"
    )
    with contextlib.closing(sqlite3.connect(f"file:{job.storage}?mode=ro", uri=True, timeout=60)) as base:
        return {json.loads(sign)["pid"]: number for sign, number in base.execute(question, (WORKER,))}


def _kill_one(job: Job, killed: list[tuple[int, int]]) -> None:
    """Stop a worker, make sure that a trial is its own, and kill it as the system kills what takes too much memory."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and not killed:
        for pid in _running(job):
            os.kill(pid, signal.SIGSTOP)
            number = _running(job).get(pid)
            os.kill(pid, signal.SIGCONT if number is None else signal.SIGKILL)
            if number is not None:
                killed.append((pid, number))
                return
        time.sleep(0.05)


def test_four_workers_of_which_one_is_killed_do_exactly_the_trials_asked_for(encoder_folder: Path, tmp_path: Path) -> None:
    embed = Embedder(str(encoder_folder), cache=None, device="cpu")
    job = make_job(embed, sampler="random", trials=20, repeats=4, storage=tmp_path / "trials.db", workers=4)
    job.bench.warm()
    job.study()
    killed: list[tuple[int, int]] = []
    killer = threading.Thread(target=_kill_one, args=(job, killed))
    killer.start()
    study = carry_out_job(job)
    killer.join()

    trials = study.trials()
    assert killed
    assert [trial.number for trial in trials] == list(range(20))
    assert all(trial.state is optuna.trial.TrialState.COMPLETE for trial in trials)
    pid, number = killed[0]
    assert trials[number].system_attrs[WORKER]["pid"] != pid  # done again by another
    with quiet():
        everything = optuna.load_study(study_name=job.name, storage=f"sqlite:///{job.storage}").trials
    assert len(everything) == 20  # nothing beside them
    alone = carry_out_job(make_job(embed, sampler="random", trials=20, repeats=4)).trials()
    assert [(trial.params, trial.value) for trial in trials] == [(trial.params, trial.value) for trial in alone]
    assert all(len(unpacked(trial.user_attrs[RIGHT], 4 * 59)) == 4 * 59 for trial in trials)


@pytest.mark.parametrize(
    ("sign", "gone"),
    [
        ({"host": "elsewhere", "pid": 1, "time": 0.0}, True),
        ({"host": "elsewhere", "pid": 1, "time": 100.0}, False),
        ({"host": "here", "pid": 2**22 + 1, "time": 100.0}, True),
        ({"host": "here", "pid": os.getpid(), "time": 100.0}, False),
    ],
)
def test_a_worker_is_gone_when_its_process_is_or_when_it_was_silent_for_long(
    sign: dict[str, object], gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "here")
    trial = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, system_attrs={WORKER: sign})
    assert is_abandoned(trial, now=100.0 + GRACE / 2) is gone
