"""An exact number of trials on one Optuna study, shared by workers that may die: none is lost, none is counted twice.

The wanted trials are written down first, all of them waiting; a worker claims one, and a claimed one whose worker is gone goes back
to waiting under its own number. So a study never holds more trials than were asked for, whoever dies when.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.engine.progress import track
from acclimate.errors import AcclimateError, InputError, NoRoomError, RunError

if TYPE_CHECKING:  # loaded when a study is opened
    import optuna
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

#: Seconds between two signs of life of a worker, and without one after which its trial is given to another. On its own machine a
#: dead worker is seen at once.
BEAT, GRACE = 5.0, 30.0
#: Seconds between two looks for a trial that became free, where none is.
_POLL = 0.2
#: How often a storage is opened again whose tables another process is making.
_LOOKS = 5
#: Seconds that a process waits for SQLite, which serves one writer at a time.
_PATIENCE = 120
#: Name of the attribute that says who carries out a trial, and when that was last known to be so.
WORKER = "acclimate:worker"
#: Name of the attribute that says why a trial failed.
WHY = "why"

Evaluate = Callable[["optuna.Trial"], float]
#: The sampler of a trial, by its number: made anew for each, so that what it draws depends on its number and the finished trials.
SamplerFor = Callable[[int], "BaseSampler"]


class Study:
    """So many trials under one name in one storage."""

    def __init__(self, name: str, wanted: int, sampler_for: SamplerFor, *, pruner: BasePruner | None, storage: BaseStorage) -> None:
        """Open the study, or begin it, and write down the trials that it lacks.

        Raises:
            InputError: the storage cannot be used.
        """
        import optuna

        self.name, self.wanted = name, wanted
        self._sampler_for, self._pruner, self._storage = sampler_for, pruner or optuna.pruners.NopPruner(), storage
        with quiet():
            study = optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)
            self._id = storage.get_study_id_from_name(name)
            while len(study.get_trials(deepcopy=False)) < wanted:  # others may be doing the same: more than wanted are never begun
                study.add_trial(optuna.create_trial(state=optuna.trial.TrialState.WAITING))

    def trials(self) -> list[FrozenTrial]:
        """The wanted trials, in order of number."""
        return self._storage.get_all_trials(self._id, deepcopy=False)[: self.wanted]

    def finished(self) -> list[FrozenTrial]:
        """Those that are complete, pruned or failed."""
        return [trial for trial in self.trials() if trial.state.is_finished()]

    def claim(self) -> optuna.Trial | None:
        """The first trial that waits, now this worker's; None where none does."""
        from optuna.trial import TrialState

        self._free_abandoned()
        for trial in self.trials():
            if trial.state is not TrialState.WAITING:
                continue
            place = self._storage.get_trial_id_from_study_id_trial_number(self._id, trial.number)
            if self._take(place):
                self._sign(place)
                return self._trial(place, trial.number)
        return None

    def _take(self, place: int) -> bool:
        """Whether this worker, and no other one, began the trial."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        try:
            return self._storage.set_trial_state_values(place, TrialState.RUNNING)
        except UpdateFinishedTrialError:
            return False

    def _trial(self, place: int, number: int) -> optuna.Trial:
        """A trial as Optuna's own; a new study each time, since one remembers the trials that it saw first."""
        import optuna

        sampler = self._sampler_for(number)
        study = optuna.load_study(study_name=self.name, storage=self._storage, sampler=sampler, pruner=self._pruner)
        return optuna.Trial(study, place)

    def finish(self, trial: optuna.Trial, value: float | None, *, failed: str = "") -> None:
        """Record the outcome; None where it was pruned or failed. One that another worker has recorded meanwhile stays as it is."""
        from optuna.trial import TrialState

        if failed:
            trial.set_user_attr(WHY, failed)
        state = TrialState.FAIL if failed else TrialState.PRUNED if value is None else TrialState.COMPLETE
        trial.study.tell(trial, value, state=state, skip_if_finished=True)

    def free(self, trial: optuna.Trial) -> None:
        """Let another worker, or this one later, begin a trial that was not finished."""
        self._free(self._storage.get_trial_id_from_study_id_trial_number(self._id, trial.number))

    def _free(self, place: int) -> None:
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        with contextlib.suppress(UpdateFinishedTrialError):
            self._storage.set_trial_state_values(place, TrialState.WAITING)

    def _free_abandoned(self) -> None:
        from optuna.trial import TrialState

        for trial in self.trials():
            if trial.state is TrialState.RUNNING and is_abandoned(trial):
                self._free(self._storage.get_trial_id_from_study_id_trial_number(self._id, trial.number))

    def _sign(self, place: int) -> None:
        sign: dict[str, Any] = {"host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
        self._storage.set_trial_system_attr(place, WORKER, sign)

    @contextlib.contextmanager
    def alive(self, trial: optuna.Trial) -> Iterator[None]:
        """Says inside, every few seconds, that this worker lives."""
        place = self._storage.get_trial_id_from_study_id_trial_number(self._id, trial.number)
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT):
                with contextlib.suppress(Exception):  # a trial that another worker finished; the next beat, or the end, will tell
                    self._sign(place)

        thread = threading.Thread(target=beat, name="acclimate-beat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def is_abandoned(trial: FrozenTrial, now: float | None = None) -> bool:
    """Whether the worker of a running trial is gone: its process on this machine, or no sign of it for :data:`GRACE` seconds."""
    sign = trial.system_attrs.get(WORKER)
    moment = time.time() if now is None else now
    if sign is None:  # it died between beginning the trial and signing it
        return trial.datetime_start is None or moment - trial.datetime_start.timestamp() > GRACE
    if sign["host"] == socket.gethostname() and not _lives(sign["pid"]):
        return True
    return bool(moment - sign["time"] > GRACE)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def carry_out(study: Study, evaluate: Evaluate, *, until: float | None = None, label: str = "searching") -> None:
    """Work on a study until all of its trials are finished, by whomever, or the time is up.

    Args:
        evaluate: a trial's value, higher is better; it may raise ``optuna.TrialPruned``. An :class:`AcclimateError` fails the trial
            alone, since another point of the space may well work; anything else ends this worker and frees its trial.
        until: no trial begins after this moment (``time.time()``).
        label: what the progress bar says.
    """
    with quiet():
        left = study.wanted - len(study.finished())
        bar = track(range(left), label, total=left)
        while until is None or time.time() < until:
            trial = study.claim()
            if trial is not None:
                _carry_out_one(study, trial, evaluate)
                next(bar, None)
            elif len(study.finished()) == study.wanted:
                break
            else:
                time.sleep(_POLL)
        for _ in bar:  # those that other workers did
            pass


def _carry_out_one(study: Study, trial: optuna.Trial, evaluate: Evaluate) -> None:
    import optuna

    begun = time.process_time()
    try:
        with study.alive(trial):
            value: float | None = evaluate(trial)
        trial.set_user_attr("seconds", time.process_time() - begun)
    except optuna.TrialPruned:
        trial.set_user_attr("seconds", time.process_time() - begun)
        study.finish(trial, None)
    except NoRoomError:
        study.free(trial)
        raise
    except AcclimateError as error:
        study.finish(trial, None, failed=error.found)
    except BaseException:
        study.free(trial)
        raise
    else:
        study.finish(trial, value)


def open_storage(where: str | Path | None) -> BaseStorage:
    """A storage that several processes may write to at once.

    Args:
        where: a file for SQLite, a URL as SQLAlchemy reads it (``postgresql://host/base``), or None for this process's memory.

    Raises:
        InputError: the URL means nothing, its driver is not installed, or its database cannot be reached.
    """
    import optuna

    if where is None:
        return optuna.storages.InMemoryStorage()
    if isinstance(where, Path):
        where.parent.mkdir(parents=True, exist_ok=True)
        where = f"sqlite:///{where}"
    with quiet():
        try:
            storage = _opened(where)
        except ImportError as error:
            raise InputError(
                f"The storage '{_shown(where)}' needs a driver that is not installed: {error}",
                expected="a database that Python can reach",
                fix="install its driver, for example `pip install psycopg2-binary`, or leave --storage out for SQLite",
            ) from error
        except Exception as error:  # SQLAlchemy's, Optuna's and each driver's own
            raise InputError(
                f"The storage '{_shown(where)}' cannot be used: {str(error).splitlines()[0]}",
                expected="a URL such as sqlite:///trials.db or postgresql://user@host/base",
                fix="check it, or leave --storage out for SQLite in the run's folder",
            ) from error
    if where.startswith("sqlite"):
        _one_writer(storage.engine)
    return optuna.storages.get_storage(storage)


def _opened(url: str) -> Any:
    """Optuna's storage; a second look where another process makes its tables at this moment."""
    import optuna

    arguments = {"connect_args": {"timeout": _PATIENCE}} if url.startswith("sqlite") else None
    for _ in range(_LOOKS):
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs=arguments)
        except Exception as error:  # each driver has its own
            if "already exists" not in str(error):
                raise
            time.sleep(_POLL)
    return optuna.storages.RDBStorage(url, engine_kwargs=arguments)


def _one_writer(engine: Any) -> None:
    """Let SQLite lock before it reads: what was read and then changed is otherwise open to another process in between."""
    from sqlalchemy import event

    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))


def _shown(url: str) -> str:
    """A URL without its password."""
    before, at, after = url.rpartition("@")
    return f"{before.rpartition(':')[0]}:…@{after}" if at and before.count(":") > 1 else url


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's messages and its warnings of what is experimental."""
    import warnings

    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", module="optuna")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def check_any_finished(study: Study) -> None:
    """Raise RunError where trials were carried out and each of them failed."""
    from optuna.trial import TrialState

    finished = study.finished()
    if finished and all(trial.state is TrialState.FAIL for trial in finished):
        raise RunError(
            f"Each of the {len(finished)} trials failed; the first: {finished[0].user_attrs.get(WHY, 'unknown')}",
            expected="settings of which some can be carried out",
            fix="narrow the space, or correct the recipe; `acclimate compare` with the same arm says what is wrong",
        )
