"""The evidence table: one row per (arm, fidelity, seed, split), assembled from finished units of work."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from acclimate.evaluate.measure import Scores

_METRICS = ("accuracy", "macro_f1", "log_loss", "calibration_error")


@dataclasses.dataclass(frozen=True, eq=False)
class Unit:
    """One arm, at one fidelity, with one seed: what it predicted, how well, and at what cost.

    ``predictions`` has a row per measured example: ``split`` (test or validation), ``id``, ``correct`` (0/1), ``probabilities``.
    ``facts`` is JSON-ready: arm, line, is_control, fidelity, seed, scores by split, trained_on, steps, openings, seconds.
    """

    predictions: pa.Table
    facts: Mapping[str, Any]

    def to_table(self) -> pa.Table:
        """Both in one Arrow table, so that one file holds a whole unit."""
        return self.predictions.replace_schema_metadata({b"facts": orjson.dumps(self.facts, option=orjson.OPT_SORT_KEYS)})

    @classmethod
    def from_table(cls, table: pa.Table) -> Unit:
        return cls(table.replace_schema_metadata(None), orjson.loads(table.schema.metadata[b"facts"]))

    def correct(self, split: str) -> tuple[list[str], NDArray[np.float64]]:
        """Ids ``(n,)`` and correctness 0/1 ``(n,)`` on one split."""
        rows = self.predictions.filter(pc.equal(self.predictions.column("split"), split))
        return rows.column("id").to_pylist(), np.asarray(rows.column("correct").to_numpy(), dtype=np.float64)


def predictions_table(parts: Mapping[str, Sequence[Scores]]) -> pa.Table:
    """Scores by split (several where folds were predicted one by one) as one table of predictions."""
    rows = [(split, scores) for split, several in parts.items() for scores in several]
    return pa.table(
        {
            "split": pa.array([split for split, scores in rows for _ in scores.ids], pa.string()),
            "id": pa.array([identity for _, scores in rows for identity in scores.ids], pa.string()),
            "correct": pa.array([bool(value) for _, scores in rows for value in scores.correct], pa.bool_()),
            "probabilities": pa.array([row for _, scores in rows for row in scores.probabilities.tolist()], pa.list_(pa.float64())),
        }
    )


def evidence_table(units: Iterable[Unit]) -> pa.Table:
    """The evidence: figures that depend on the recipe alone, so equal recipes give equal bytes. Seconds: :func:`cost_table`."""
    rows = []
    for unit in units:
        facts = unit.facts
        for split, scores in facts["scores"].items():
            rows.append(
                {
                    **{name: facts[name] for name in ("arm", "line", "is_control", "fidelity", "seed")},
                    "split": split,
                    **{metric: scores[metric] for metric in _METRICS},
                    "items": scores["items"],
                    **{f"trained_on_{kind}": count for kind, count in facts["trained_on"].items()},
                    "steps": facts["steps"],
                }
            )
    return pa.Table.from_pylist(rows)


def cost_table(units: Iterable[Unit]) -> pa.Table:
    """What every unit cost, in measured seconds by stage."""
    return pa.Table.from_pylist(
        [{**{name: unit.facts[name] for name in ("arm", "fidelity", "seed")}, **unit.facts["seconds"]} for unit in units]
    )
