"""Searches an augmentation policy on validation only, under a budget, and says whether it beats no augmentation."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from acclimate.augment.guard.base import Teacher
from acclimate.augment.guard.run import Given, Guards
from acclimate.augment.policy import Policy, PolicySettings, propose
from acclimate.augment.run import grow
from acclimate.data.domain import Domain, Modality, concatenate, from_columns, from_images
from acclimate.data.target import Target
from acclimate.engine.build import build
from acclimate.engine.storage import content_hash
from acclimate.errors import InputError
from acclimate.evaluate.measure import validate
from acclimate.evaluate.verdict import Comparison, verdicts
from acclimate.features.base import Embed
from acclimate.strategy.augment import teacher_for
from acclimate.strategy.search.study import Study, carry_out, check_any_finished, open_storage

#: What a recipe calls the search, in the place of an augmenter.
POLICY = "policy"
#: The best policies, measured anew on folds and draws that the search did not see.
FINALISTS = 3
#: Fresh draws of folds, labels kept, and of augmentation for the finalists.
FRESH = 5


@dataclasses.dataclass(frozen=True, eq=False)
class PolicySearch:
    """What a search found.

    Attributes:
        policy: what is recommended; the empty policy where nothing was shown better than no augmentation.
        best: the best finalist.
        comparison: the best finalist against no augmentation on fresh draws, Holm over the finalists; None where there is none.
        finalists: every finalist's comparison.
        trials: one row each: number, policy, accuracy, difference from no augmentation, seconds.
        notes: what a user should know.
    """

    policy: Policy
    best: Policy
    comparison: Comparison | None
    finalists: tuple[Comparison, ...]
    trials: pa.Table
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class _Judge:
    """Measures policies on the validation of a target: its own part, or folds of the labelled part. Never the test."""

    target: Target
    teacher: Teacher
    guards: Guards
    folds: int
    seed: int

    def correct(self, policy: Policy, repeats: Sequence[int]) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Items, draws and whether each was predicted right, over all draws."""
        items: list[str] = []
        draws: list[int] = []
        right: list[np.ndarray] = []
        for draw in repeats:
            for view in self._views(draw):
                scores = validate(_Predictor(self._fit(policy, view, draw), view.labelled.modality, view.classes), view)
                items += scores.ids
                draws += [draw] * len(scores.ids)
                right.append(scores.correct.astype(np.int64))
        return items, np.array(draws), np.concatenate(right)

    def _views(self, draw: int) -> Iterator[Target]:
        if self.target.validation is not None:
            yield self.target
        else:
            yield from self.target.folds(self.folds, self._drawn(draw))

    def _fit(self, policy: Policy, view: Target, draw: int) -> Any:
        parts = [view.labelled]
        for step in policy.steps:
            told = {"method": step.method, "times": step.times, **dict(step.settings)}
            parts.append(grow(view, seed=self._drawn(draw), guard=self.guards, teacher=self.teacher, **told).kept)
        return self.teacher.fit(concatenate("grown", parts) if len(parts) > 1 else parts[0], view.classes)

    def _drawn(self, draw: int) -> int:
        return int(content_hash(self.seed, draw), 16) % 2**31


@dataclasses.dataclass(frozen=True, eq=False)
class _Predictor:
    """A scorer, which reads domains, as something that ``evaluate`` can measure."""

    scorer: Any
    modality: Modality
    classes: tuple[str, ...]

    def predict_proba(self, contents: Sequence[Any]) -> np.ndarray:
        made: Domain = from_images("v", contents) if self.modality == "image" else from_columns("v", contents)
        return np.asarray(self.scorer.predict_proba(made))


def search_policy(
    target: Target,
    settings: PolicySettings | None = None,
    *,
    seed: int = 0,
    guard: Given | Guards = None,
    embed: Embed | None = None,
    model: str | None = None,
    teacher: Teacher | None = None,
    storage: Path | None = None,
) -> PolicySearch:
    """Find out which augmenters, how many new examples and how strong, and whether that beats no augmentation.

    Every trial grows the labelled part (less the fold that validates), with the guards, trains the inner learner and is scored on
    validation; the test is never opened. The best three are measured anew on fresh draws of folds and augmentation and compared,
    paired, with no augmentation: the winner of many trials looks better than it is on the draws that chose it. A policy is
    recommended only where that comparison says *helped*.

    Args:
        target: its labelled part is grown; its validation part measures, or K folds where it has none.
        settings: the space and the budget.
        seed: of the search, the folds and the augmentation.
        guard: as for :func:`acclimate.strategy.augment.augment`.
        embed, model, teacher: the inner learner: an encoder for the probe, its name, or a learner of one's own.
        storage: an SQLite file that keeps the trials: a search that was stopped goes on, and ends as if it had not been.

    Raises:
        InputError: too few labelled examples for the folds, or an augmenter that cannot read them.
    """
    asked = settings or PolicySettings()
    if target.validation is None and _rarest(target.labelled) < asked.folds:
        raise InputError(
            f"{_rarest(target.labelled)} labelled examples in the rarest class of '{target.name}' for {asked.folds} folds",
            expected="at least as many as folds",
            fix="label more, use fewer folds, or give a validation part",
        )
    names = asked.names(target.labelled.modality)
    learner = teacher or teacher_for(target.labelled.modality, embed, model)
    judge = _Judge(target, learner, Guards.parse(guard), asked.folds, seed)
    plain = float(judge.correct(Policy(), range(asked.repeats))[2].mean())
    rows = _trials(judge, names, asked, plain, storage)
    best = sorted((row for row in rows if row["policy"].steps), key=lambda row: -row["accuracy"])
    finalists = list(dict.fromkeys(row["policy"] for row in best))[:FINALISTS]
    compared = _compare(judge, finalists, asked.repeats)
    return _result(finalists, compared, rows, plain, asked)


def _rarest(domain: Domain) -> int:
    return min((domain.labels.count(name) for name in domain.classes), default=0)


def _trials(judge: _Judge, names: Sequence[str], asked: PolicySettings, plain: float, storage: Path | None) -> list[dict[str, Any]]:
    """The trials that are there, and those that the budget still allows."""
    import optuna

    known: dict[Policy, float] = {}

    def evaluate(trial: optuna.Trial) -> float:
        policy = propose(trial, names, asked)
        if policy not in known:
            known[policy] = float(judge.correct(policy, range(asked.repeats))[2].mean())
        return known[policy]

    study = Study(
        content_hash(
            "policy", *_inputs(judge), (list(names), asked.steps, asked.times, asked.repeats, judge.seed, str(judge.guards))
        ),
        asked.trials,
        lambda number: optuna.samplers.TPESampler(seed=judge.seed + number),
        pruner=None,
        storage=open_storage(storage),
    )
    until = None if asked.seconds is None else time.time() + asked.seconds
    carry_out(study, evaluate, until=until, label="searching a policy")
    check_any_finished(study)
    return [
        {
            "number": trial.number,
            "policy": propose(optuna.trial.FixedTrial(trial.params), names, asked),
            "accuracy": value,
            "difference": value - plain,
            "seconds": trial.user_attrs["seconds"],
        }
        for trial in study.finished()
        if (value := trial.value) is not None
    ]


def _inputs(judge: _Judge) -> tuple[str, ...]:
    """What trials depend on beside the space."""
    target = judge.target
    part = target.validation.fingerprint if target.validation else f"cv{judge.folds}"
    return target.labelled.fingerprint, target.inputs.fingerprint, target.test.inputs.fingerprint, part


def _compare(judge: _Judge, finalists: Sequence[Policy], seen: int) -> tuple[Comparison, ...]:
    """The finalists against no augmentation on draws that the search did not use."""
    if not finalists:
        return ()
    fresh = range(seen, seen + FRESH)
    items, draws, plain = judge.correct(Policy(), fresh)
    pairs = {}
    for policy in finalists:
        ids, again, right = judge.correct(policy, fresh)
        assert ids == items, "both predict the same examples in the same order"
        pairs[str(policy)] = (items, draws, right - plain)
        assert (again == draws).all()
    return tuple(verdicts(pairs, "none"))


def _result(
    finalists: Sequence[Policy],
    compared: Sequence[Comparison],
    rows: Sequence[dict[str, Any]],
    plain: float,
    asked: PolicySettings,
) -> PolicySearch:
    by_name = {comparison.arm: comparison for comparison in compared}
    ranked = sorted(finalists, key=lambda policy: -by_name[str(policy)].difference)
    best = ranked[0] if ranked else Policy()
    comparison = by_name.get(str(best))
    helped = comparison is not None and comparison.verdict == "helped"
    notes = [f"{len(rows)} policies were tried; no augmentation reaches {100 * plain:.1f}% on validation"]
    if len(rows) < asked.trials:
        notes.append(f"the budget of {asked.seconds:g} seconds ended the search after {len(rows)} of {asked.trials} trials")
    if not helped:
        notes.append("no policy was shown better than no augmentation; none is recommended")
    shown = [{**row, "policy": str(row["policy"])} for row in rows]
    types = {
        "number": pa.int64(),
        "policy": pa.string(),
        "accuracy": pa.float64(),
        "difference": pa.float64(),
        "seconds": pa.float64(),
    }
    table = pa.Table.from_pylist(shown, pa.schema(types))
    return PolicySearch(best if helped else Policy(), best, comparison, tuple(compared), table, tuple(notes))


def build_settings(settings: dict[str, Any]) -> PolicySettings:
    """Settings from a recipe or a command line, checked."""
    return build({POLICY: PolicySettings}, "augmenter", POLICY, settings)
