"""``make bench-advise``: what advice costs against the best arm, and whether its intervals hold, on data sets it never saw.

For every data set the correction is learned, chosen and calibrated on the others alone. Regret is what the advised arm lacks of the
best arm measured in a cell, in points of test accuracy (mean over seeds). It is set against always taking the arm that is best on
average over the other data sets, among those that are possible in the cell; and against the arm that is best there at the same
number of target labels, the rules alone, and no choice at all (the careful user's control, where its gain is zero).
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.strategy.advise.prior import Prior
from acclimate.strategy.advise.rank import gains
from acclimate.strategy.advise.rules import walk
from acclimate.strategy.arms import Arm
from benchmarks.advise_fit import WAYS, Fit, learn
from benchmarks.advise_table import FOLDER, Cell, read_cells
from benchmarks.common import keep

Vector = NDArray[np.float64]
DRAWS = 2000
#: By what the advised arm's regret is measured against.
RIVALS = ("average", "average-at-labels", "rules", "control")


@dataclasses.dataclass(frozen=True)
class Judged:
    """One cell of a data set that was left out.

    Attributes:
        regret: points lost, by who chose: ``advice`` and :data:`RIVALS` (mean over the draws of labels).
        covered: share of (draw, arm) whose interval holds the true gain; and of the advised arms alone.
        width: half of the interval.
        advised: the arm advised for the first draw.
    """

    data: str
    cell: str
    labels: int
    regret: Mapping[str, float]
    covered: float
    covered_advised: float
    width: float
    advised: str


def judge_all(cells: Sequence[Cell], ways: Mapping[tuple[str, str], Fit] | None = None) -> list[Judged]:
    """Every cell, by what the other data sets teach."""
    found = []
    for data in sorted({cell.data for cell in cells}):
        others = [cell for cell in cells if cell.data != data]
        learned = learn(others, ways)
        found += [judge(cell, learned, others) for cell in cells if cell.data == data]
    return found


def judge(cell: Cell, learned: Prior, others: Sequence[Cell]) -> Judged:
    """One cell by a correction and averages of other data sets."""
    regret = cell.regret
    drawn = [learned.gains(traits, cell.arms) for traits in cell.traits]
    widths = [learned.width(traits) for traits in cell.traits]
    advised = [int(values.argmax()) for values in drawn]
    ruled = [int(np.argmax(gains(cell.arms, walk(traits)))) for traits in cell.traits]
    held = np.array([np.abs(values - cell.gain) <= width for values, width in zip(drawn, widths, strict=True)])
    same = [other for other in others if other.labels == cell.labels] or others
    # The control has a gain of zero: what it lacks of the best arm is the best arm's gain.
    control = max(float(cell.gain.max()), 0.0)
    losses = {
        "advice": float(regret[advised].mean()),
        "average": float(regret[best_on_average(cell.arms, others)]),
        "average-at-labels": float(regret[best_on_average(cell.arms, same)]),
        "rules": float(regret[ruled].mean()),
        "control": control,
    }
    own = float(np.mean([held[draw, arm] for draw, arm in enumerate(advised)]))
    name = cell.arms[advised[0]].name
    return Judged(cell.data, cell.name, cell.labels, losses, float(held.mean()), own, float(np.mean(widths)), name)


def best_on_average(arms: Sequence[Arm], cells: Sequence[Cell]) -> int:
    """Which of ``arms`` has the largest mean gain over cells; every data set weighs the same. Arms never measured come last."""
    by_arm: dict[str, dict[str, list[float]]] = {}
    for cell in cells:
        for arm, gain in zip(cell.arms, cell.gain, strict=True):
            by_arm.setdefault(arm.name, {}).setdefault(cell.data, []).append(float(gain))
    means = {name: float(np.mean([np.mean(values) for values in data.values()])) for name, data in by_arm.items()}
    return int(np.argmax([means.get(arm.name, -np.inf) for arm in arms]))


def interval(judged: Sequence[Judged], of: Callable[[Judged], float], seed: int = 0) -> tuple[float, float, float]:
    """Mean and 95% bootstrap interval over data sets and their cells; every data set weighs the same.

    Cells of the same pair of domains at several numbers of labels are drawn together: they are not independent.
    """
    grouped: dict[str, dict[str, list[float]]] = {}
    for one in judged:
        grouped.setdefault(one.data, {}).setdefault(one.cell, []).append(of(one))
    data = [np.array([np.mean(values) for values in cells.values()]) for cells in grouped.values()]
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(DRAWS):
        chosen = [data[number] for number in rng.integers(len(data), size=len(data))]
        draws.append(np.mean([values[rng.integers(len(values), size=len(values))].mean() for values in chosen]))
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(np.mean([values.mean() for values in data])), float(low), float(high)


def summary(judged: Sequence[Judged]) -> dict[str, Any]:
    """The figures of the page: regrets, leads of advice with intervals, coverage, by data set and in all."""
    names = ("advice", *RIVALS)
    return {
        "cells": len(judged),
        "data": sorted({one.data for one in judged}),
        "regret": {name: interval(judged, lambda one, name=name: one.regret[name]) for name in names},  # type: ignore[misc]
        "lead": {
            name: interval(judged, lambda one, name=name: one.regret[name] - one.regret["advice"])  # type: ignore[misc]
            for name in RIVALS
        },
        "coverage": {
            "all arms": float(np.mean([one.covered for one in judged])),
            "advised": float(np.mean([one.covered_advised for one in judged])),
        },
        "by_data": [_of_data(name, judged) for name in sorted({one.data for one in judged})],
        "rows": [dataclasses.asdict(one) for one in judged],
    }


def _of_data(name: str, judged: Sequence[Judged]) -> dict[str, Any]:
    own = [one for one in judged if one.data == name]
    return {
        "data": name,
        "cells": len(own),
        "regret": {rival: float(np.mean([one.regret[rival] for one in own])) for rival in ("advice", *RIVALS)},
        "covered": float(np.mean([one.covered for one in own])),
        "covered_advised": float(np.mean([one.covered_advised for one in own])),
        "width": float(np.mean([one.width for one in own])),
    }


def main() -> None:
    """Judge every cell of the table; keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=FOLDER, help="the folder of evidence.parquet and traits.json")
    parser.add_argument("--quick", action="store_true", help="ridge regression alone; nothing is written")
    given = parser.parse_args()
    ways = {way: fit for way, fit in WAYS.items() if way[0] == "ridge"} if given.quick else WAYS
    figures = summary(judge_all(read_cells(given.table), ways))
    for name, (mean, low, high) in figures["regret"].items():
        print(f"regret of {name:20s} {mean:6.2f}  ({low:.2f} to {high:.2f})")
    for name, (mean, low, high) in figures["lead"].items():
        print(f"advice is better than {name:17s} by {mean:6.2f}  ({low:.2f} to {high:.2f})")
    print(f"coverage: {figures['coverage']}")
    if not given.quick:
        keep("advise", **figures)


if __name__ == "__main__":
    main()
