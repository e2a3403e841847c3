"""What a search may vary: ranges and choices by name, as values that can be drawn from and laid out as a grid."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from acclimate.errors import InputError, nearest

Value = bool | int | float | str
#: Points of a range on a grid where nothing else is said: its ends and its middle.
LEVELS = 3
_KEYS = ("low", "high", "log", "step")


class Suggest(Protocol):
    """The part of an Optuna trial that a space asks."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int: ...

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False) -> float: ...

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; whole numbers where both ends are whole.

    Attributes:
        log: drawn evenly in the logarithm, for what acts by its order of magnitude (rates, penalties).
        step: only ``low``, ``low + step``, ...
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        """Raises InputError: ends that are no range, or a logarithm of what has none."""
        for end in (self.low, self.high):
            if isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end):
                raise InputError(f"A range with the end {end!r}", expected="two numbers")
        if not self.low < self.high:
            raise InputError(f"A range from {self.low} to {self.high}", expected="low below high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise InputError(f"A logarithmic range from {self.low}", expected="a low end above 0, and no step")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise InputError(f"A step of {self.step!r}", expected="above 0 and within the range")

    @property
    def is_whole(self) -> bool:
        """Whether the numbers are whole."""
        return all(isinstance(part, int) for part in (self.low, self.high, self.step or 1))

    def suggest(self, trial: Suggest, name: str) -> Value:
        """One number, as the trial's sampler draws it."""
        if self.is_whole:
            return trial.suggest_int(name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def levels(self, count: int = LEVELS) -> list[Value]:
        """``count`` numbers for a grid, evenly spaced (in the logarithm where ``log``), or every step where there are fewer.

        >>> Range(1e-4, 1e-2, log=True).levels(3), Range(1, 8).levels(3), Range(0, 2).levels(9)
        ([0.0001, 0.001, 0.01], [1, 5, 8], [0, 1, 2])
        """
        shares = [k / max(count - 1, 1) for k in range(count)]
        if self.log:
            points = [math.exp(math.log(self.low) + share * math.log(self.high / self.low)) for share in shares]
        else:
            points = [self.low + share * (self.high - self.low) for share in shares]
        step = self.step or (1 if self.is_whole else None)
        if step is not None:
            points = [min(self.low + step * round((point - self.low) / step), self.high) for point in points]
        found = [int(point) if self.is_whole else min(max(float(f"{point:.12g}"), self.low), self.high) for point in points]
        return list(dict.fromkeys(found))


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        """Raises InputError: fewer than two values, one twice, or one that is neither a number nor a word."""
        if len(self.values) < 2 or len(set(map(repr, self.values))) < len(self.values):
            raise InputError(f"The choices {list(self.values)}", expected="at least two that differ")
        for value in self.values:
            if not isinstance(value, bool | int | float | str):
                raise InputError(f"The choice {value!r}", expected="a number, a word, true or false")

    def suggest(self, trial: Suggest, name: str) -> Value:
        """One of them, as the trial's sampler draws it."""
        found: Value = trial.suggest_categorical(name, self.values)
        return found

    def levels(self, count: int = LEVELS) -> list[Value]:  # noqa: ARG002 - as a range is asked
        """All of them."""
        return list(self.values)


Dimension = Range | Choice
Space = Mapping[str, Dimension]


def parse_dimension(value: Any) -> Dimension:
    """A range or choices from what a recipe says.

    >>> parse_dimension({"low": 1e-5, "high": 1e-3, "log": True}), parse_dimension([8, 16])
    (Range(low=1e-05, high=0.001, log=True, step=None), Choice(values=(8, 16)))

    Raises:
        InputError: neither of the two, an unknown key (with the nearest valid one), or a range that is none.
    """
    if isinstance(value, Range | Choice):
        return value
    if isinstance(value, list | tuple):
        return Choice(tuple(value))
    if not isinstance(value, Mapping):
        raise InputError(f"{value!r}", expected="a list of choices, or a range such as {low: 1.0e-5, high: 1.0e-3, log: true}")
    for key in value:
        if key not in _KEYS:
            close = nearest(str(key), _KEYS)
            hint = f"'{close}'?" if close else f"one of {', '.join(_KEYS)}"
            raise InputError(
                f"A range with the key '{key}'", expected=hint if close is None else f"{', '.join(_KEYS)}; did you mean {hint}"
            )
    if "low" not in value or "high" not in value:
        raise InputError("A range without both ends", expected="low and high")
    if not isinstance(value.get("log", False), bool):
        raise InputError(f"log: {value['log']!r}", expected="true or false")
    return Range(**value)


def suggest(space: Space, trial: Suggest) -> dict[str, Value]:
    """A point of the space, as the trial's sampler draws it."""
    return {name: dimension.suggest(trial, name) for name, dimension in space.items()}


def grid(space: Space, levels: int = LEVELS) -> list[dict[str, Value]]:
    """Every combination of the levels of each dimension, the last dimension moving first.

    >>> grid({"a": Choice(("x", "y")), "b": Range(0, 1)}, 2)
    [{'a': 'x', 'b': 0}, {'a': 'x', 'b': 1}, {'a': 'y', 'b': 0}, {'a': 'y', 'b': 1}]
    """
    columns: Sequence[Sequence[Value]] = [dimension.levels(levels) for dimension in space.values()]
    return [dict(zip(space, point, strict=True)) for point in itertools.product(*columns)]
