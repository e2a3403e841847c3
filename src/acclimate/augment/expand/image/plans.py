"""What is to be done to each picture of a batch: drawn first, applied later, and written into the picture's origin."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.expand.image.draws import Keys
from acclimate.errors import InputError

#: Operations and the names of their numbers. Shares are of the picture's width (x) or height (y), angles in degrees.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "identity": (),
    "auto-contrast": (),
    "equalize": (),
    "invert": (),
    "solarize": ("threshold",),
    "posterize": ("bits",),
    "brightness": ("factor",),
    "contrast": ("factor",),
    "saturation": ("factor",),
    "hue": ("turn",),
    "sharpness": ("factor",),
    "rotate": ("angle",),
    "shear-x": ("share",),
    "shear-y": ("share",),
    "translate-x": ("share",),
    "translate-y": ("share",),
    "geometric": ("mirrored", "angle", "zoom", "shear", "x", "y"),
    "gaussian": ("sigma",),
    "motion": ("length", "angle"),
    "unsharp": ("sigma", "amount"),
    "patch-shuffle": ("share",),
    "erase": ("x", "y", "width", "height"),
}
NAMES = tuple(PARAMETERS)
CODES = {name: code for code, name in enumerate(NAMES)}
#: The longest row of numbers that an operation takes.
WIDTH = max(len(names) for names in PARAMETERS.values())
#: ``fill`` that stands for the nearest pixel of the picture, and what is erased for random pixels.
EDGE, NOISE = -1, -2


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """``k`` operations in turn for each of ``n`` pictures.

    Attributes:
        codes: positions in ``NAMES``, ``(n, k)``.
        numbers: what each operation takes, ``(n, k, WIDTH)``; unused places are 0.
        keys: of the pictures, ``(n,)``, for operations that draw pixel by pixel.
        fill: the grey value (0 to 255) of what a moved picture uncovers and of what is erased, or ``EDGE`` or ``NOISE``.
    """

    codes: NDArray[np.int64]
    numbers: NDArray[np.float64]
    keys: Keys
    fill: int = EDGE

    def drawn(self, row: int) -> dict[str, Any]:
        """What was drawn for a picture, JSON-ready: ``{"steps": [["rotate", 12.5], ["equalize"]]}``."""
        steps = []
        for code, numbers in zip(self.codes[row].tolist(), self.numbers[row].tolist(), strict=True):
            name = NAMES[code]
            steps.append([name, *(round(number, 6) for number in numbers[: len(PARAMETERS[name])])])
        return {"steps": steps}


def sequence(keys: Keys, steps: list[tuple[str, list[NDArray[np.float64]]]], fill: int = EDGE) -> Plan:
    """The same operations for every picture, each with numbers ``(n,)`` of its own."""
    numbers = np.zeros((len(keys), len(steps), WIDTH))
    for place, (_, columns) in enumerate(steps):
        for position, column in enumerate(columns):
            numbers[:, place, position] = column
    codes = np.tile([CODES[name] for name, _ in steps], (len(keys), 1)).astype(np.int64)
    return Plan(codes, numbers, keys, fill)


def check_range(method: str, setting: str, value: float, low: float, high: float) -> None:
    """Raise an InputError where a setting lies outside ``[low, high]``."""
    if not low <= value <= high:
        raise InputError(f"{method} with {setting}={value}", expected=f"a number from {low:g} to {high:g}")


def fill_code(method: str, fill: str | int) -> int:
    """``"edge"`` or a grey value as :class:`Plan` wants it; raises an InputError for anything else."""
    if fill == "edge":
        return EDGE
    if isinstance(fill, str) or not 0 <= fill <= 255:
        raise InputError(f"{method} with fill={fill!r}", expected="'edge' or a grey value from 0 to 255")
    return fill
