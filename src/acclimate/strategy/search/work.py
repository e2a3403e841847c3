"""Carries out the trials of a search: in this process, or in several that may die without harm to each other."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.engine.local import cores, end_with
from acclimate.engine.process import collect_rarely, start_light
from acclimate.engine.progress import track
from acclimate.engine.storage import cannot_write, content_hash
from acclimate.errors import InterruptedRunError, RunError
from acclimate.strategy.outcome import Fidelity
from acclimate.strategy.search.asked import Asked
from acclimate.strategy.search.candidate import Candidate, apply
from acclimate.strategy.search.judge import Judge
from acclimate.strategy.search.pruners import METHODS as PRUNERS
from acclimate.strategy.search.samplers import METHODS as SAMPLERS
from acclimate.strategy.search.space import Dimension, suggest
from acclimate.strategy.search.study import Study, carry_out, open_storage
from acclimate.strategy.search.trials import GIVEN_UP, RIGHT, packed
from acclimate.strategy.units import Bench

if TYPE_CHECKING:
    import optuna

#: Workers that may die during a search before it is given up.
_DEATHS = 10
#: Seconds between two looks at the workers.
_LOOK = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A search, ready to be carried out by any process.

    Attributes:
        bench: material, vectors and the model's name.
        base: the arm and its training as the recipe has them: the default that a search has to beat.
        asked: what is searched.
        space: ``asked.space``, or the default one.
        folds: see :class:`.judge.Judge`.
        storage: a file, a URL, or None for memory, which one process alone sees.
        workers: processes on this machine.
    """

    bench: Bench
    base: Candidate
    asked: Asked
    space: Mapping[str, Dimension]
    folds: int
    storage: Path | str | None = None
    workers: int = 1

    @property
    def judge(self) -> Judge:
        epochs = self.space.get("epochs")
        longest = max(float(value) for value in epochs.levels(2)) if epochs else None
        most = None if longest is None else max(1, int(longest))
        return Judge(self.bench, self.asked.fidelity, self.folds, most, self.asked.seed)

    @property
    def wanted(self) -> int:
        """Trials."""
        return SAMPLERS[self.asked.sampler]().wanted(self.space, self.asked.trials)

    @property
    def name(self) -> str:
        """The study's name, made of everything that a trial depends on but its number."""
        asked, base = self.asked, self.base
        manner = (asked.sampler, asked.pruner, asked.repeats, asked.seed, self.folds)
        space = {name: repr(dimension) for name, dimension in self.space.items()}
        start = (str(base.arm), dataclasses.asdict(base.tune), base.C, base.epochs)
        key = self.bench.key(base.arm, asked.fidelity, asked.seed)
        return f"acclimate-{content_hash(version('acclimate'), key, *manner, list(space.items()), *start)}"

    def study(self) -> Study:
        """The study, with every wanted trial written down."""
        sampler = SAMPLERS[self.asked.sampler]()
        return Study(
            self.name,
            self.wanted,
            lambda number: sampler.sampler(self.space, self._seed(number), parallel=self.workers > 1),
            pruner=PRUNERS[self.asked.pruner]().pruner(self.judge.reports(self.asked.repeats)),
            storage=open_storage(self.storage),
        )

    def _seed(self, number: int) -> int:
        """Of a trial's sampler; a grid is shuffled once for all trials."""
        drawn = 0 if self.asked.sampler == "grid" else number
        return int(content_hash("sampler", self.asked.seed, drawn), 16) % 2**31

    def evaluate(self, trial: optuna.Trial) -> float:
        """A trial's mean accuracy on validation; what it got right is kept beside it."""
        import optuna

        candidate = apply(self.base, suggest(self.space, trial))
        if GIVEN_UP in trial.user_attrs:  # by a worker that died before it could say so
            raise optuna.TrialPruned

        def report(number: int, accuracy: float) -> None:
            trial.report(accuracy, number)  # what a worker that died had reported stays as it is
            if trial.should_prune():
                trial.set_user_attr(GIVEN_UP, True)  # asked again, a pruner forgets that it has decided
                raise optuna.TrialPruned

        judge = self.judge
        try:
            found = judge.measure(candidate, range(self.asked.repeats), report)
        finally:
            trial.set_user_attr("openings", judge.ledger.openings)
        trial.set_user_attr(RIGHT, packed(found.right))
        return found.accuracy


def carry_out_job(job: Job) -> Study:
    """Finish every wanted trial, or as many as the time allows.

    Raises:
        RunError: workers died again and again, or one failed.
        InterruptedRunError: somebody interrupted a worker.
    """
    until = None if job.asked.seconds is None else time.time() + job.asked.seconds
    study = job.study()
    left = study.wanted - len(study.finished())
    if job.workers == 1 or left < 2 or job.storage is None:
        carry_out(study, job.evaluate, until=until)
    else:
        _carry_out_together(job, study, until, min(job.workers, left))
    return study


def _carry_out_together(job: Job, study: Study, until: float | None, workers: int) -> None:
    import joblib

    with tempfile.TemporaryDirectory(prefix="acclimate-search-") as folder:
        there = Path(folder)
        try:
            joblib.dump((job, until), there / "job")
        except OSError as error:
            raise cannot_write(there / "job", error) from error
        with _crew(there, workers) as crew:
            done = len(study.finished())
            bar = track(range(study.wanted - done), "searching", total=study.wanted - done)
            deaths = 0
            while any(worker.poll() is None for worker in crew):
                time.sleep(_LOOK)
                for place, worker in enumerate(crew):
                    code = worker.poll()
                    if code in (None, 0):
                        continue
                    deaths += 1
                    _check_death(there, place, int(code or 0), deaths)
                    crew[place] = _start(there, place)
                now = len(study.finished())
                for _ in range(now - done):
                    next(bar, None)
                done = now


@contextlib.contextmanager
def _crew(there: Path, workers: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Worker processes, which end with what is inside."""
    crew = [_start(there, place) for place in range(workers)]
    try:
        yield crew
    finally:
        for worker in crew:
            if worker.poll() is None:
                worker.terminate()
        for worker in crew:
            worker.wait()


def _start(there: Path, place: int) -> subprocess.Popen[bytes]:
    """A worker in a process of its own, which does not import the caller's script again."""
    code = "from acclimate.strategy.search.work import serve; serve()"
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    with (there / f"errors-{place}").open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-c", code, str(there / "job"), str(os.getpid())],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )


def _check_death(there: Path, place: int, code: int, deaths: int) -> None:
    """Raise for what a new worker would not mend: an error, or too many deaths."""
    if code == -signal.SIGINT or code == _INTERRUPTED:
        raise InterruptedRunError("Interrupted", fix="start the same command again: finished trials are kept")
    if code > 0:
        said = (there / f"errors-{place}").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise RunError(
            f"A worker of the search failed: {said[-1] if said else f'exit code {code}'}",
            expected="trials that succeed or fail by themselves",
            fix="start again with --workers 1 to see all of it; finished trials are kept",
        )
    if deaths > _DEATHS:
        raise RunError(
            f"Workers died {deaths} times, the last of signal {-code}",
            expected="workers that live until their trial is done",
            fix="use fewer workers if memory is short, then start again: finished trials are kept",
        )


#: Exit code of a worker that was interrupted.
_INTERRUPTED = 3


def serve() -> None:
    """What a worker process does: the job in the file that its first argument names, as long as its parent lives."""
    import joblib

    there, parent = sys.argv[1], int(sys.argv[2])
    end_with(parent)
    collect_rarely()
    start_light()
    job, until = joblib.load(there, mmap_mode="r")  # written by the parent, into a folder that only its user can read
    try:
        carry_out(job.study(), job.evaluate, until=until)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def workers_or(given: int | None, fidelity: Fidelity) -> int:
    """How many processes: as asked for; else one for each core where trials train, and this one alone where they take no longer
    than a process takes to start."""
    return given or (cores() if fidelity == "fine-tune" else 1)
