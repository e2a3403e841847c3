"""The learned correction: what measured comparisons taught of gains, shipped as plain figures and read without any model library.

It is made by ``make train-prior`` (``benchmarks/advise_prior.py``) from the evidence table of ``make bench-decide``. Without it the
rules stand alone.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import orjson

from acclimate.errors import InputError
from acclimate.strategy.advise.design import Matrix, Scale, Vector, rows
from acclimate.strategy.advise.traits import Traits
from acclimate.strategy.arms import Arm
from acclimate.strategy.outcome import Fidelity

FILE = "prior.json"
#: Of the file's form; another one is not read.
VERSION = 1
#: Names of vectors that traits were measured on, for which a correction was learned.
FEATURES = ("words", "thumbnails")


@dataclasses.dataclass(frozen=True, eq=False)
class Prior:
    """Gains of arms, learned from comparisons.

    Attributes:
        kind: ``ridge``, ``kernel-ridge`` or ``boosting``.
        known: names of the arms that it has seen.
        scale: of the traits.
        model: the figures of its kind; see :func:`predict`.
        widths: half of the interval in points, with target labels and without (``labelled``, ``unlabelled``).
        level: share of left-out cells that the interval is meant to hold.
        facts: how it was made: data sets, cells, leave-one-data-set-out errors by kind, date.
        fidelity: at which the gains were measured.
    """

    kind: str
    known: tuple[str, ...]
    scale: Scale
    model: Mapping[str, Any]
    widths: Mapping[str, float]
    level: float
    facts: Mapping[str, Any]
    fidelity: Fidelity = "probe"

    def gains(self, traits: Traits, arms: Sequence[Arm]) -> Vector:
        """Expected points of every arm over the control that a careful user takes, ``(len(arms),)``."""
        return predict(self.kind, self.model, rows(traits, arms, self.known, self.scale))

    def width(self, traits: Traits) -> float:
        """Half of the interval around a gain, in points."""
        return float(self.widths["labelled" if traits.target_labels else "unlabelled"])

    def fits(self, traits: Traits, fidelity: Fidelity) -> bool:
        """Whether it was learned from the like: the same way of measuring, the same fidelity, a task of classification."""
        return traits.features in FEATURES and traits.task != "causal-lm" and fidelity == self.fidelity

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the form's version."""
        return {"version": VERSION, **dataclasses.asdict(self)}


def predict(kind: str, model: Mapping[str, Any], x: Matrix) -> Vector:
    """What a model says of rows ``(n, c)``, in points, ``(n,)``.

    - ``ridge``: ``(x − middle) / spread · weights + intercept``.
    - ``kernel-ridge``: ``Σ_i α_i exp(−γ |z − z_i|²) + intercept`` over its ``support (m, c)``, with ``z`` as above.
    - ``boosting``: the sum of trees, each a list of nodes ``[column, bound, left, right, value]``; a leaf has column −1.

    Raises:
        InputError: an unknown kind.
    """
    if kind == "boosting":
        values = np.full(len(x), float(model["start"]))
        for tree in model["trees"]:
            values += float(model["rate"]) * _descend(tree, x)
        return values
    if kind not in ("ridge", "kernel-ridge"):
        raise InputError(f"A learned correction of kind '{kind}'", expected="ridge, kernel-ridge or boosting")
    z = (x - np.array(model["middle"])) / np.array(model["spread"])
    if kind == "ridge":
        return np.asarray(z @ np.array(model["weights"]) + float(model["intercept"]))
    support = np.array(model["support"])
    distances = (z * z).sum(1)[:, None] + (support * support).sum(1)[None] - 2 * z @ support.T
    return np.asarray(np.exp(-float(model["gamma"]) * distances) @ np.array(model["alpha"]) + float(model["intercept"]))


def _descend(tree: Sequence[Sequence[float]], x: Matrix) -> Vector:
    found = np.empty(len(x))
    for row, values in enumerate(x.astype(np.float32)):  # as scikit-learn compares
        node = tree[0]
        while node[0] >= 0:
            node = tree[int(node[2] if values[int(node[0])] <= node[1] else node[3])]
        found[row] = node[4]
    return found


def read(values: Mapping[str, Any]) -> Prior:
    """A correction from what :meth:`Prior.to_dict` wrote.

    Raises:
        InputError: of another version.
    """
    given = dict(values)
    if given.pop("version", None) != VERSION:
        raise InputError("A learned correction of another version", expected=f"version {VERSION}", fix="run `make train-prior`")
    scale = Scale(tuple(given.pop("scale")["means"]), tuple(values["scale"]["deviations"]))
    return Prior(**{**given, "known": tuple(given["known"])}, scale=scale)


@functools.cache
def shipped() -> Prior | None:
    """The correction in the package; None where none is shipped."""
    file = resources.files("acclimate.strategy.advise").joinpath(FILE)
    return read(orjson.loads(file.read_bytes())) if file.is_file() else None
