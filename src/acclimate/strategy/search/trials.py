"""What a trial keeps in the study beside its value, and all trials as one table."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from acclimate.strategy.search.space import Space
from acclimate.strategy.search.study import WHY

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

#: Name of the attribute that holds which items a trial got right.
RIGHT = "right"
#: Name of the attribute that says that pruning ended a trial.
GIVEN_UP = "given up"


def packed(right: NDArray[np.int64]) -> str:
    """0/1 ``(n,)`` as text, eight to a byte, so that every worker of a study can be compared item by item.

    >>> unpacked(packed(np.array([1, 0, 1])), 3).tolist()
    [1, 0, 1]
    """
    return base64.b85encode(np.packbits(right.astype(np.uint8)).tobytes()).decode()


def unpacked(text: str, count: int) -> NDArray[np.int64]:
    """The reverse."""
    bits = np.unpackbits(np.frombuffer(base64.b85decode(text), dtype=np.uint8), count=count)
    return np.asarray(bits, dtype=np.int64)


def state_of(trial: FrozenTrial) -> str:
    """``complete``, ``pruned``, ``failed``, ``running`` or ``waiting``."""
    name = trial.state.name.lower()
    return "failed" if name == "fail" else name


def trial_table(trials: Sequence[FrozenTrial], space: Space) -> pa.Table:
    """One row for each trial: its number, state, accuracy, settings, reports, CPU seconds, and why it failed."""
    columns: dict[str, Any] = {
        "number": pa.array([trial.number for trial in trials], pa.int64()),
        "state": pa.array([state_of(trial) for trial in trials], pa.string()),
        "accuracy": pa.array([trial.value for trial in trials], pa.float64()),
    }
    for name in space:
        columns[name] = pa.array([trial.params.get(name) for trial in trials], _kind(space, name))
    columns |= {
        "reports": pa.array([len(trial.intermediate_values) for trial in trials], pa.int64()),
        "seconds": pa.array([trial.user_attrs.get("seconds") for trial in trials], pa.float64()),
        "why": pa.array([trial.user_attrs.get(WHY, "") for trial in trials], pa.string()),
    }
    return pa.table(columns)


def _kind(space: Space, name: str) -> pa.DataType:
    kinds = {type(value) for value in space[name].levels(2)}
    if kinds == {int}:
        return pa.int64()
    if kinds == {bool}:
        return pa.bool_()
    return pa.float64() if kinds <= {int, float} else pa.string()
