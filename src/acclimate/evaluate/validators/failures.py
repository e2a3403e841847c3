"""How often choosing by a validator was worse than doing nothing, as measured: `make bench-validators` writes the table."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from importlib import resources


@dataclasses.dataclass(frozen=True)
class Failures:
    """What choosing among arms by one validator did, over measured cells without target labels.

    Attributes:
        validator: its name.
        cells: how many: a source, a target and a seed each.
        worse: in how many the arm it chose was less accurate on the target than source only.
        changed: in how many it chose another arm than source only.
        gain: mean accuracy of what it chose minus that of source only (0.01 = one point).
        possible: the same of the best arm of each cell: what was to be had.
        correlation: mean rank correlation (Spearman) of its scores with the accuracies of the arms.
    """

    validator: str
    cells: int
    worse: int
    changed: int
    gain: float
    possible: float
    correlation: float

    @property
    def rate(self) -> float:
        """The share of cells in which it did harm."""
        return self.worse / self.cells

    @property
    def sentence(self) -> str:
        """In words, as shown wherever an arm was chosen by it."""
        return (
            f"chosen without labels by {self.validator}, which was worse than doing nothing in {self.worse} of {self.cells} "
            f"measured cells (mean gain {100 * self.gain:+.1f} points)"
        )


@functools.cache
def failures() -> Mapping[str, Failures]:
    """The measured table that comes with the package, by validator; one that was never measured is not in it."""
    text = (resources.files("acclimate.evaluate.validators") / "failures.json").read_text(encoding="utf-8")
    return {name: Failures(name, **figures) for name, figures in json.loads(text)["validators"].items()}


def safest() -> str:
    """The validator that was worse than doing nothing least often; of several the one with the largest gain."""
    return min(failures().values(), key=lambda found: (found.rate, -found.gain)).validator
