"""Carries out a search and judges what it found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acclimate.evaluate.verdict import verdicts
from acclimate.strategy.arms import as_given
from acclimate.strategy.run_folder import RunFolder
from acclimate.strategy.search.asked import Asked
from acclimate.strategy.search.candidate import Candidate, apply
from acclimate.strategy.search.finals import measure_all
from acclimate.strategy.search.found import Found, TrialResult
from acclimate.strategy.search.importance import FEWEST, importance
from acclimate.strategy.search.judge import Measured
from acclimate.strategy.search.samplers import METHODS as SAMPLERS
from acclimate.strategy.search.space import Value
from acclimate.strategy.search.study import WHY, check_any_finished
from acclimate.strategy.search.trials import RIGHT, state_of, trial_table, unpacked
from acclimate.strategy.search.uncertainty import (
    Against,
    Gain,
    Luckiest,
    Spread,
    against_best,
    corrected,
    item_means,
    spread,
)
from acclimate.strategy.search.work import Job, carry_out_job

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

#: What tables call the settings of the recipe.
DEFAULT = "default"


def search(job: Job, folder: RunFolder, manifest: Mapping[str, Any] | None = None) -> Found:
    """Find settings that do better than the recipe's, and say how sure that is.

    Trials are scored on validation alone; the test is never opened. The best few are measured anew, beside the recipe's own
    settings, on repetitions that the search did not see; they are recommended only where that shows them better, after the number
    of trials was reckoned with. Everything is kept: a search that was stopped goes on, and ends as if it had not been.

    Raises:
        RunError: every trial failed, workers died again and again, the disk is full.
        InterruptedRunError: somebody interrupted it.
    """
    study = carry_out_job(job)
    check_any_finished(study)
    trials = study.trials()
    seen, first = measure_all(job, {DEFAULT: job.base}, range(job.asked.repeats), folder, "measuring the default")
    judged = _judged(trials, seen[DEFAULT])
    gains, second = _finals(job, judged, seen[DEFAULT], folder)
    best = next((trial for trial in trials if gains and trial.number == gains[0].trial), judged.best)
    helped = [gain for gain in gains if gain.verdict == "helped"]
    shares = importance(trials, job.space, job.asked.seed)
    settings = dict(best.params) if best is not None else {}
    results = [_result(trial, judged.against.get(trial.number)) for trial in trials]
    plan = job.bench.plan
    return Found(
        name=plan.name,
        target=plan.target.name,
        model=plan.model,
        line=str(job.base.arm),
        fidelity=job.asked.fidelity,
        sampler=job.asked.sampler,
        pruner=job.asked.pruner,
        folds=job.folds,
        repeats=job.asked.repeats,
        space=job.space,
        default=defaults(job.base, list(job.space)),
        default_accuracy=seen[DEFAULT].accuracy,
        trials=results,
        best=settings,
        best_trial=None if best is None else best.number,
        gains=gains,
        recommended=dict(_trial(trials, helped[0].trial).params) if helped else {},
        spread=judged.spread,
        importance=shares,
        notes=_notes(job, results, judged, gains, shares),
        table=trial_table(trials, job.space),
        openings=[*first, *second, *(one for trial in trials for one in trial.user_attrs.get("openings", ()))],
        manifest=manifest or {},
    )


def defaults(base: Candidate, names: Sequence[str]) -> dict[str, Any]:
    """What the recipe, or a setting's own default, says; names of which neither says anything are left out.

    >>> from acclimate.strategy.arms import Arm, Method
    >>> defaults(Candidate(Arm("none", augment=(Method("eda", (("times", 4),)),))), ["C", "lr", "augment.eda.times", "budget"])
    {'C': 4.0, 'lr': 0.0001, 'augment.eda.times': 4, 'budget': ''}
    """
    found: dict[str, Any] = {}
    for name in names:
        head, _, rest = name.partition(".")
        if name in ("C", "epochs"):
            value: Any = getattr(base, name)
        elif not rest:
            value = getattr(base.arm, name) if hasattr(type(base.arm), name) or name == "budget" else getattr(base.tune, name)
        else:
            value = _given(getattr(base.arm, head), rest)
        if value is not None:
            found[name] = value
    return found


def _given(part: Any, rest: str) -> Any:
    """A setting that an arm's method was given; None where it was not."""
    if not isinstance(part, tuple):
        return as_given(part.settings).get(rest)
    method, _, setting = rest.partition(".")
    return next((as_given(one.settings).get(setting) for one in part if one.name == method), None)


@dataclasses.dataclass(frozen=True, eq=False)
class _Judged:
    """The complete trials, beside each other and beside the default."""

    complete: list[FrozenTrial]
    right: NDArray[np.int64]
    against: Mapping[int, Against]
    spread: Spread | None
    luck: Luckiest

    @property
    def best(self) -> FrozenTrial | None:
        return max(self.complete, key=_order) if self.complete else None


def _order(trial: FrozenTrial) -> tuple[float, int]:
    """Higher is better; of equals the first."""
    return trial.value or 0.0, -trial.number


def _judged(trials: Sequence[FrozenTrial], default: Measured) -> _Judged:
    complete = [trial for trial in trials if state_of(trial) == "complete"]
    n = len(default.items)
    right = np.array([unpacked(trial.user_attrs[RIGHT], n) for trial in complete], dtype=np.int64).reshape(-1, n).T
    if not complete:
        return _Judged(complete, right, {}, None, Luckiest(np.zeros(1)))
    place = complete.index(max(complete, key=_order))
    against = against_best(default.items, default.draws, right, place)
    means = item_means(default, right)
    luck = Luckiest.of(means - item_means(default, default.right[:, None]))
    return _Judged(
        complete,
        right,
        {trial.number: one for trial, one in zip(complete, against, strict=True)},
        spread(means) if len(complete) > 1 else None,
        luck,
    )


def _finals(job: Job, judged: _Judged, default: Measured, folder: RunFolder) -> tuple[list[Gain], list[dict[str, object]]]:
    """The best trials, and the default, on fresh repetitions; the best first."""
    del default
    asked = job.asked
    chosen: dict[str, FrozenTrial] = {}
    for trial in sorted(judged.complete, key=_order, reverse=True):
        chosen.setdefault(str(sorted(trial.params.items())), trial)
    finalists = list(chosen.values())[: asked.finalists]
    if not finalists:
        return [], []
    fresh = range(asked.repeats, asked.repeats + asked.fresh)
    candidates = {DEFAULT: job.base, **{str(trial.number): apply(job.base, trial.params) for trial in finalists}}
    found, openings = measure_all(job, candidates, fresh, folder, "measuring the finalists anew")
    plain = found.pop(DEFAULT)
    pairs = {name: (plain.items, plain.draws, one.right - plain.right) for name, one in found.items()}
    looked = len(judged.complete)
    gains = [corrected(compared, int(compared.arm), judged.luck, looked) for compared in verdicts(pairs, DEFAULT)]
    return sorted(gains, key=lambda gain: (-gain.difference, gain.trial)), openings


def _trial(trials: Sequence[FrozenTrial], number: int) -> FrozenTrial:
    return next(trial for trial in trials if trial.number == number)


def _result(trial: FrozenTrial, against: Against | None) -> TrialResult:
    attributes = trial.user_attrs
    return TrialResult(
        trial.number,
        state_of(trial),
        trial.value,
        dict(trial.params),
        against,
        len(trial.intermediate_values),
        float(attributes.get("seconds", 0.0)),
        str(attributes.get(WHY, "")),
    )


def _notes(
    job: Job, results: Sequence[TrialResult], judged: _Judged, gains: Sequence[Gain], shares: Mapping[str, float]
) -> list[str]:
    """What a reader should know before believing the figures; the plain warning first."""
    asked = job.asked
    said: list[str] = []
    found = judged.spread
    if found is not None and found.is_noise:
        said.append(
            f"the differences between the {found.trials} trials are noise: accuracies spread by {100 * found.observed:.2f} points, "
            f"and by {100 * found.by_chance:.2f} where settings make no difference (p {found.p_value:.2g}); "
            "keep the recipe's settings, and read nothing into importance"
        )
    if gains and all(gain.verdict != "helped" for gain in gains):
        said.append("no finalist was shown better than the recipe's settings; none is recommended")
    doubtful = sum(one.may_be_best for one in judged.against.values())
    if doubtful > 1:
        said.append(f"{doubtful - 1} of {len(judged.complete) - 1} other trials cannot be told from the best")
    fit = SAMPLERS[asked.sampler]().fits(job.space)
    said += [fit] if fit else []
    if job.wanted < asked.trials:
        said.append(f"the grid has {job.wanted} points, fewer than the {asked.trials} trials asked for")
    open_ones = sum(trial.state in ("waiting", "running") for trial in results)
    if open_ones and asked.seconds is not None:
        said.append(
            f"the budget of {asked.seconds:g} seconds ended the search after {len(results) - open_ones} of {len(results)} trials"
        )
    failed = [trial for trial in results if trial.state == "failed"]
    if failed:
        said.append(f"{len(failed)} trials failed; the first: {failed[0].why}")
    if not shares and job.space:
        said.append(f"importance is not shown: it needs at least {FEWEST} complete trials that differ")
    if job.workers > 1 and (asked.sampler in ("tpe", "cma-es") or asked.pruner != "none"):
        said.append(
            f"{job.workers} workers shared the trials: which points were tried depends on who was first; one worker repeats them"
        )
    if asked.repeats == 1 and asked.fidelity == "fine-tune":
        said.append(
            "every trial was trained once: what another seed would have given is not in its interval (`repeats` draws more)"
        )
    return said


def to_recipe(settings: Mapping[str, Value]) -> list[str]:
    """Settings as lines that a reader can copy.

    >>> to_recipe({"lr": 3e-5, "schedule": "cosine"})
    ['lr: 3e-05', 'schedule: cosine']
    """
    return [f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}" for name, value in settings.items()]


__all__ = ["DEFAULT", "Asked", "Job", "defaults", "search", "to_recipe"]
