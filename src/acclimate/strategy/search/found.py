"""What a search found: the value that reports, tables and the command line all read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from acclimate.strategy.outcome import Fidelity
from acclimate.strategy.search.space import Dimension, Value
from acclimate.strategy.search.uncertainty import Against, Gain, Spread


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """One trial.

    Attributes:
        number: counted from 0, in the order in which they were written down.
        state: ``complete``, ``pruned``, ``failed``; ``waiting`` or ``running`` where the time ended the search.
        accuracy: mean over validation; of a pruned trial over what it was measured on, None where there is nothing.
        settings: by name.
        against: the best trial; None but for complete trials.
        reports: how often it reported before its end.
        seconds: CPU seconds.
        why: of a failed one.
    """

    number: int
    state: str
    accuracy: float | None
    settings: Mapping[str, Value]
    against: Against | None
    reports: int
    seconds: float
    why: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """Everything that one search found.

    Attributes:
        name, target, model, line: of the run, the target, the base model; the arm in one line.
        fidelity, sampler, pruner: how it was searched.
        folds, repeats: K (0: a part held out) and repetitions behind each trial.
        space: what was varied.
        default: what the recipe says about the settings that were varied, as far as it says anything.
        default_accuracy: on the same validation as the trials.
        trials: in order of number.
        best: settings of the best finalist, or of the best trial where there are no finalists; empty where no trial is complete.
        best_trial: its number, None likewise.
        gains: the finalists against the default on fresh repetitions, best first.
        recommended: what to set; empty means: keep the recipe's settings.
        spread: whether trials differ by more than chance; None for fewer than two complete ones.
        importance: share of variance by setting, the largest first; may be empty.
        notes: warnings and announcements worth a reader's eye.
        table: one row for each trial.
        openings: every opening of a validation part.
        manifest: versions, hashes, hardware.
    """

    name: str
    target: str
    model: str
    line: str
    fidelity: Fidelity
    sampler: str
    pruner: str
    folds: int
    repeats: int
    space: Mapping[str, Dimension]
    default: Mapping[str, Any]
    default_accuracy: float
    trials: Sequence[TrialResult]
    best: Mapping[str, Value]
    best_trial: int | None
    gains: Sequence[Gain]
    recommended: Mapping[str, Value]
    spread: Spread | None
    importance: Mapping[str, float]
    notes: Sequence[str]
    table: pa.Table
    openings: Sequence[Mapping[str, Any]]
    manifest: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def gain(self) -> Gain | None:
        """Of the best finalist."""
        return self.gains[0] if self.gains else None

    @property
    def complete(self) -> list[TrialResult]:
        """Complete trials, best first."""
        done = [trial for trial in self.trials if trial.state == "complete" and trial.accuracy is not None]
        return sorted(done, key=lambda trial: (-(trial.accuracy or 0.0), trial.number))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the table."""
        plain = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in ("table", "space")
        }
        plain["trials"] = [dataclasses.asdict(trial) for trial in self.trials]
        plain["gains"] = [dataclasses.asdict(gain) for gain in self.gains]
        plain["spread"] = dataclasses.asdict(self.spread) | {"is_noise": self.spread.is_noise} if self.spread else None
        plain["space"] = {name: dataclasses.asdict(dimension) for name, dimension in self.space.items()}
        return plain
