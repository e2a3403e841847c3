"""Fits the learned correction of advice, chooses its kind by the error on data sets left out, and calibrates its intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.strategy.advise.design import Scale, rows
from acclimate.strategy.advise.prior import Prior, predict
from benchmarks.advise_table import Cell

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
Fit = Callable[[Matrix, Vector, Vector], dict[str, Any]]
#: Share of left-out cells that an interval is meant to hold.
LEVEL = 0.9
#: The quantile of left-out errors behind it: data sets differ more from one another than their own cells, so more than the level.
QUANTILE = 0.95
#: An arm is known by name when so many data sets measured it; below this, its tags speak for it.
LEAST_DATA_SETS = 2
#: Rows that a kernel ridge keeps.
SUPPORT = 1200
#: Errors of one kind (with target labels, or without) that are enough for a width of their own.
ENOUGH = 30


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Rows to learn from: design ``(n, c)``, gains in points, weights (every data set weighs the same), and where each is from."""

    x: Matrix
    gains: Vector
    weights: Vector
    data: NDArray[np.str_]
    labelled: NDArray[np.bool_]


def known_arms(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Names of the arms that at least :data:`LEAST_DATA_SETS` data sets measured, sorted."""
    seen: dict[str, set[str]] = {}
    for cell in cells:
        for arm in cell.arms:
            seen.setdefault(arm.name, set()).add(cell.data)
    return tuple(sorted(name for name, data in seen.items() if len(data) >= LEAST_DATA_SETS))


def rows_of(cells: Sequence[Cell], known: Sequence[str], scale: Scale) -> Rows:
    """One row for each arm of each cell, its columns averaged over the draws of its labels."""
    x = [np.mean([rows(traits, cell.arms, known, scale) for traits in cell.traits], axis=0) for cell in cells]
    data = np.array([cell.data for cell in cells for _ in cell.arms])
    names, numbers, counts = np.unique(data, return_inverse=True, return_counts=True)
    return Rows(
        np.concatenate(x),
        np.concatenate([cell.gain for cell in cells]),
        len(data) / len(names) / counts[numbers],
        data,
        np.array([cell.labels > 0 for cell in cells for _ in cell.arms]),
    )


def ridge(penalty: float) -> Fit:
    """Ridge regression on standardised columns; ``penalty`` for each row's weight of 1."""

    def fit(x: Matrix, y: Vector, weights: Vector) -> dict[str, Any]:
        from sklearn.linear_model import Ridge

        middle, spread, z = _standardised(x, weights)
        model = Ridge(alpha=penalty).fit(z, y, sample_weight=weights)
        return {
            "middle": middle.tolist(),
            "spread": spread.tolist(),
            "weights": model.coef_.tolist(),
            "intercept": float(model.intercept_),
        }

    return fit


def kernel_ridge(penalty: float, width: float) -> Fit:
    """Kernel ridge with a Gaussian kernel; ``width`` in units of the number of columns."""

    def fit(x: Matrix, y: Vector, weights: Vector) -> dict[str, Any]:
        from sklearn.kernel_ridge import KernelRidge

        middle, spread, z = _standardised(x, weights)
        kept = np.sort(np.random.default_rng(0).permutation(len(z))[:SUPPORT])
        centre = float(np.average(y, weights=weights))
        gamma = 1 / (width * z.shape[1])
        model = KernelRidge(alpha=penalty, kernel="rbf", gamma=gamma).fit(z[kept], y[kept] - centre, sample_weight=weights[kept])
        columns = {"middle": middle.tolist(), "spread": spread.tolist(), "support": np.round(z[kept], 4).tolist()}
        return {**columns, "alpha": model.dual_coef_.tolist(), "gamma": gamma, "intercept": centre}

    return fit


def boosting(trees: int, depth: int) -> Fit:
    """Gradient boosting of small trees (Friedman 2001), each on a third of the columns."""

    def fit(x: Matrix, y: Vector, weights: Vector) -> dict[str, Any]:
        from sklearn.ensemble import GradientBoostingRegressor

        shape: Mapping[str, Any] = {"n_estimators": trees, "max_depth": depth, "learning_rate": 0.05}
        drawn: Mapping[str, Any] = {"max_features": 0.33, "subsample": 0.7, "min_samples_leaf": 20, "random_state": 0}
        model = GradientBoostingRegressor(**shape, **drawn).fit(x, y, sample_weight=weights)
        start = float(model.init_.constant_.ravel()[0])
        return {"start": start, "rate": 0.05, "trees": [_nodes(tree.tree_) for tree in model.estimators_.ravel()]}

    return fit


def _nodes(tree: Any) -> list[list[float]]:
    columns = np.where(tree.children_left < 0, -1, tree.feature)
    parts = (columns, tree.threshold, tree.children_left, tree.children_right, tree.value.ravel())
    return [[float(value) for value in node] for node in zip(*parts, strict=True)]


def _standardised(x: Matrix, weights: Vector) -> tuple[Vector, Vector, Matrix]:
    middle = np.average(x, axis=0, weights=weights)
    spread = np.sqrt(np.average((x - middle) ** 2, axis=0, weights=weights))
    spread = np.where(spread > 1e-9, spread, 1.0)
    return middle, spread, (x - middle) / spread


#: Every way to fit that is tried: (kind, settings in words) to how.
WAYS: dict[tuple[str, str], Fit] = {
    **{("ridge", f"penalty {penalty:g}"): ridge(penalty) for penalty in (30, 300, 3000)},
    **{("kernel-ridge", f"penalty {p:g}, width {w:g}"): kernel_ridge(p, w) for p in (1, 10) for w in (1, 4)},
    **{("boosting", f"{trees} trees, depth {depth}"): boosting(trees, depth) for trees, depth in ((60, 2), (120, 3))},
}


def left_out(table: Rows, kind: str, fit: Fit) -> Vector:
    """What each row is predicted by a model of the other data sets, ``(n,)``."""
    found = np.empty(len(table.x))
    for name in np.unique(table.data):
        out = table.data == name
        model = fit(table.x[~out], table.gains[~out], table.weights[~out])
        found[out] = predict(kind, model, table.x[out])
    return found


def error(table: Rows, predicted: Vector) -> float:
    """Root of the mean squared error in points; every data set weighs the same."""
    return float(np.sqrt(np.average((predicted - table.gains) ** 2, weights=table.weights)))


def widths(table: Rows, predicted: Vector) -> dict[str, float]:
    """Half-intervals by left-out errors, with target labels and without; every data set weighs the same."""
    errors = np.abs(predicted - table.gains)
    found = {}
    for name, chosen in (("labelled", table.labelled), ("unlabelled", ~table.labelled)):
        used = chosen if chosen.sum() >= ENOUGH else np.ones(len(errors), dtype=bool)
        found[name] = _quantile(errors[used], table.weights[used])
    return found


def _quantile(values: Vector, weights: Vector) -> float:
    """The smallest value that :data:`QUANTILE` of the weight does not exceed."""
    order = np.argsort(values, kind="stable")
    mass = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(mass, QUANTILE - 1e-12)), len(values) - 1)])


def learn(cells: Sequence[Cell], ways: Mapping[tuple[str, str], Fit] | None = None) -> Prior:
    """The correction that predicts data sets left out best; nothing of a data set chooses what it is predicted by."""
    ways = WAYS if ways is None else ways
    known = known_arms(cells)
    scale = Scale.of([traits for cell in cells for traits in cell.traits])
    table = rows_of(cells, known, scale)
    guesses = {way: left_out(table, way[0], fit) for way, fit in ways.items()}
    errors = {way: error(table, guess) for way, guess in guesses.items()}
    best = min(errors, key=lambda way: (errors[way], way))
    facts = {
        "data": sorted({cell.data for cell in cells}),
        "cells": len(cells),
        "rows": len(table.x),
        "settings": best[1],
        "errors": {f"{kind}, {words}": round(value, 4) for (kind, words), value in errors.items()},
        "rules_error": round(error(table, table.x[:, 0]), 4),
        "zero_error": round(error(table, np.zeros(len(table.x))), 4),
    }
    model = ways[best](table.x, table.gains, table.weights)
    return Prior(best[0], known, scale, model, widths(table, guesses[best]), LEVEL, facts)
