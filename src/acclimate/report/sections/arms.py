"""The table of arms and controls, one for each fidelity, and what each of them cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from acclimate.report.figures import Scale, extent, log_ticks, place_labels, ticks
from acclimate.strategy.outcome import ArmResult, Fidelity, Outcome

#: Stages of an arm's cost, in order.
STAGES = ("select", "augment", "train")
#: Seconds below this count as this on the logarithmic axis.
_LEAST_SECONDS = 0.001


@dataclasses.dataclass(frozen=True)
class Row:
    """One arm at one fidelity; ``number`` is its name in the figures."""

    number: int
    result: ArmResult
    accuracy: float
    spread: float | None
    means: dict[str, float]
    validation: float | None
    seconds: float
    is_reference: bool
    is_recommended: bool


@dataclasses.dataclass(frozen=True)
class Table:
    """Every arm at one fidelity and the range of their intervals in points."""

    fidelity: Fidelity
    seeds: int
    rows: list[Row]
    scale: Scale


def tables(outcome: Outcome) -> list[Table]:
    """One table per fidelity, full fine-tuning first because it counts most; users' arms, best first, then controls."""
    return [_table(outcome, fidelity) for fidelity in ("fine-tune", "probe") if _at(outcome, fidelity)]


def _at(outcome: Outcome, fidelity: Fidelity) -> list[ArmResult]:
    return [result for result in outcome.results if result.fidelity == fidelity]


def _table(outcome: Outcome, fidelity: Fidelity) -> Table:
    results = sorted(_at(outcome, fidelity), key=lambda r: (r.is_control, -_mean(r.scores["accuracy"])))
    numbers = _numbers(outcome)
    bounds = [100 * bound for r in results if r.comparison for bound in (r.comparison.low, r.comparison.high)]
    reference = outcome.best_control.get(fidelity, "")
    rows = [_row(numbers[r.name], r, r.name == reference, r.name == outcome.recommended) for r in results]
    return Table(fidelity, outcome.seeds.get(fidelity, 0), rows, Scale(*extent(bounds), 4, 196))


def _numbers(outcome: Outcome) -> dict[str, int]:
    """The same number for an arm in every table: by its place on the probe."""
    ordered = sorted(outcome.results, key=lambda r: (r.fidelity != "probe", r.is_control, -_mean(r.scores["accuracy"])))
    return {name: number for number, name in enumerate(dict.fromkeys(r.name for r in ordered), 1)}


def _row(number: int, result: ArmResult, is_reference: bool, is_recommended: bool) -> Row:
    accuracy = result.scores["accuracy"]
    return Row(
        number=number,
        result=result,
        accuracy=_mean(accuracy),
        spread=float(np.std(accuracy, ddof=1)) if len(accuracy) > 1 else None,
        means={metric: _mean(values) for metric, values in result.scores.items()},
        validation=_mean(result.validation) if len(result.validation) else None,
        seconds=sum(result.seconds.values()),
        is_reference=is_reference,
        is_recommended=is_recommended,
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


@dataclasses.dataclass(frozen=True)
class CostPoint:
    """One arm in the chart of gain against cost: dot, number beside it, ends of the interval."""

    row: Row
    x: float
    y: float
    label_x: float
    label_y: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class CostChart:
    """Seconds (logarithmic) against difference; the reference stands at no difference."""

    table: Table
    points: list[CostPoint]
    x_ticks: list[tuple[float, float]]
    y_ticks: list[tuple[float, float]]
    zero: float
    width: int = 360
    height: int = 250


def cost_charts(all_tables: Sequence[Table]) -> list[CostChart]:
    """One chart per fidelity that has more than one arm."""
    return [_chart(table) for table in all_tables if len(table.rows) > 1]


def _chart(table: Table) -> CostChart:
    seconds = [max(row.seconds, _LEAST_SECONDS) for row in table.rows]
    x = Scale(min(seconds) / 1.5, max(seconds) * 1.5, 40, 350, log=True)
    compared = [row.result.comparison for row in table.rows]
    bounds = [100 * bound for c in compared if c for bound in (c.low, c.high)]
    y = Scale(*extent(bounds), 210, 10)
    places = [(x(s), y(100 * c.difference if c else 0.0)) for s, c in zip(seconds, compared, strict=True)]
    points = [
        CostPoint(row, *at, *label, y(100 * c.low if c else 0.0), y(100 * c.high if c else 0.0))
        for row, at, label, c in zip(table.rows, places, place_labels(places), compared, strict=True)
    ]
    return CostChart(
        table=table,
        points=points,
        x_ticks=[(value, x(value)) for value in log_ticks(x.low, x.high)],
        y_ticks=[(value, y(value)) for value in ticks(y.low, y.high, 8)],
        zero=y(0.0),
    )
