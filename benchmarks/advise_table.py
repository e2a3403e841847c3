"""The evidence table of ``make bench-decide`` as advice learns from it: cells with their traits, arms and gains.

The table, ``results/decide/evidence.parquet``, has one row per (data, cell, labels, seed, arm): ``test`` is the arm's accuracy on
the sealed test, ``control_test`` that of the control which a careful user would have taken, both from 0 to 1. Beside it,
``results/decide/traits.json`` is a list of what :func:`traits_record` gives, one per (data, cell, labels, seed).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acclimate.augment import METHODS as EXPANDERS
from acclimate.augment import ONLINE
from acclimate.data.domain import Domain
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.strategy.advise.measure import measure
from acclimate.strategy.advise.traits import Traits
from acclimate.strategy.arms import EVERYTHING, SOURCE_ONLY, TARGET_ONLY, Arm, Method, settings
from acclimate.tune.learn import COURSES, STAGES
from benchmarks.common import RESULTS

FOLDER = RESULTS / "decide"
COLUMNS = ("data", "cell", "labels", "seed", "arm", "test", "control_test")
Vector = NDArray[np.float64]
_CONTROLS = {arm.control: arm for arm in (TARGET_ONLY, SOURCE_ONLY, EVERYTHING)}


@dataclasses.dataclass(frozen=True, eq=False)
class Cell:
    """A source and a target with so many labels, and what every arm reached there.

    Attributes:
        data, name, labels: which data set, which pair of its domains, how many target labels.
        traits: one for each seed's draw of the labels.
        arms: those measured on every seed.
        test, gain: mean over seeds of the accuracy, and of its lead on the control, in points, ``(len(arms),)``.
    """

    data: str
    name: str
    labels: int
    traits: tuple[Traits, ...]
    arms: tuple[Arm, ...]
    test: Vector
    gain: Vector

    @property
    def regret(self) -> Vector:
        """Points that each arm is below the best one here, ``(len(arms),)``."""
        return np.asarray(self.test.max() - self.test)


def traits_record(data: str, cell: str, labels: int, seed: int, source: Domain, target: Target) -> dict[str, Any]:
    """What ``traits.json`` holds of one cell and seed; ``target`` has the labels of that draw and no others."""
    return {"data": data, "cell": cell, "labels": labels, "seed": seed, "traits": measure(source, target).to_dict()}


def read_cells(folder: Path = FOLDER) -> list[Cell]:
    """The cells, in order of data set, cell and labels.

    Raises:
        InputError: a file is not there, a column is missing, or a cell has no traits.
    """
    table, facts = folder / "evidence.parquet", folder / "traits.json"
    for file in (table, facts):
        if not file.is_file():
            raise InputError(f"'{file}' is not there", expected="the evidence table and its traits", fix="run `make bench-decide`")
    present = pq.read_schema(table).names
    missing = [name for name in COLUMNS if name not in present]
    if missing:
        raise InputError(f"'{table}' has no column {', '.join(missing)}", expected=f"the columns {', '.join(COLUMNS)}")
    return cells_of(pq.read_table(table, columns=list(COLUMNS)).to_pylist(), orjson.loads(facts.read_bytes()))


def cells_of(rows: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]]) -> list[Cell]:
    """Cells from rows of the table and records of traits. Raises InputError where a cell has none."""
    known: dict[tuple[str, str, int], list[Traits]] = {}
    for record in records:
        known.setdefault(_key(record), []).append(Traits.of(record["traits"]))
    grouped: dict[tuple[str, str, int], dict[str, dict[int, tuple[float, float]]]] = {}
    for row in rows:
        arms = grouped.setdefault(_key(row), {})
        arms.setdefault(str(row["arm"]), {})[int(row["seed"])] = (float(row["test"]), float(row["control_test"]))
    cells = []
    for key in sorted(grouped):
        if key not in known:
            raise InputError(f"The cell {key} has no traits", expected="a record of each cell in traits.json")
        cells.append(_cell(key, known[key], grouped[key]))
    return cells


def _key(row: Mapping[str, Any]) -> tuple[str, str, int]:
    return str(row["data"]), str(row["cell"]), int(row["labels"])


def _cell(key: tuple[str, str, int], traits: Sequence[Traits], arms: Mapping[str, Mapping[int, tuple[float, float]]]) -> Cell:
    seeds = set.intersection(*(set(scores) for scores in arms.values()))
    if not seeds:
        raise InputError(f"No seed of the cell {key} has every arm", expected="a paired table")
    values = np.array([[arms[name][seed] for seed in sorted(seeds)] for name in sorted(arms)])  # (arms, seeds, 2)
    if values.min() < 0 or values.max() > 1:
        raise InputError(f"The cell {key} has accuracies from {values.min():g} to {values.max():g}", expected="0 to 1")
    test, control = 100 * values[..., 0], 100 * values[..., 1]
    named = tuple(arm_named(name) for name in sorted(arms))
    return Cell(*key, tuple(traits), named, test.mean(1), (test - control).mean(1))


def arm_named(name: str) -> Arm:
    """The arm behind the name that tables call it by, as far as tags need it.

    >>> arm_named("dsir 20% + target×10 + eda(times=4)").name
    'dsir 20% + target×10 + eda(times=4)'
    >>> arm_named("all source + coral on features").target
    False
    """
    if name in _CONTROLS:
        return _CONTROLS[name]
    if name.startswith("random "):
        return Arm("selected", select=Method("random"), budget=name.removeprefix("random "), control=name)
    values: dict[str, Any] = {"source": "none", "target": False}
    for number, part in enumerate(name.split(" + ")):
        _read_part(part, number == 0, values)
    return Arm(**values)


def _read_part(part: str, first: bool, values: dict[str, Any]) -> None:
    method = part.partition("(")[0]
    if part == "all source":
        values["source"] = "all"
    elif part == "target" or part.startswith("target×"):
        values |= {"target": True, "target_weight": float(part.partition("×")[2] or 1)}
    elif part.endswith(" on features"):
        values["features"] = _method(part.removesuffix(" on features"))
    elif method in EXPANDERS or method in ONLINE or method == "policy":
        values["augment"] = (*values.get("augment", ()), _method(part))
    elif method in STAGES:
        values["pretrain"] = (*values.get("pretrain", ()), _method(part))
    elif method in COURSES:
        values["learn"] = _method(part)
    elif first and " " in part:
        selector, budget = _SELECTED.fullmatch(part).groups()  # type: ignore[union-attr]
        values |= {"source": "selected", "select": _method(selector), "budget": budget}
    else:
        values["objectives"] = (*values.get("objectives", ()), _method(part))


#: A selector with its settings, the budget, and how rows are taken.
_SELECTED = re.compile(r"([\w-]+(?:\(.*\))?) (.+?)(?: \[.*\])?")


def _method(text: str) -> Method:
    """A method with its settings as texts."""
    name, _, inside = text.rstrip(")").partition("(")
    pairs = (pair.partition("=") for pair in re.split(r", (?=\w+=)", inside) if pair)
    return Method(name, settings({key: value for key, _, value in pairs}))
