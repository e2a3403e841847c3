"""The operations that learned and random policies choose from, and how strong each one can be."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.expand.image.plans import CODES

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclasses.dataclass(frozen=True, eq=False)
class Space:
    """Operations with their ranges: at strength ``s`` in [0, 1] the number is ``rest + reach s``, or ``rest ± reach s`` if signed.

    Attributes:
        codes: of the operations, ``(o,)``.
        rest, reach: ``(o,)``.
        signed: ``(o,)`` of bool.
    """

    codes: Codes
    rest: Floats
    reach: Floats
    signed: NDArray[np.bool_]

    def numbers(self, chosen: Codes, strength: Floats, sign: Floats) -> Floats:
        """The number of each chosen operation (a position in the space); all arguments of one shape."""
        return self.rest[chosen] + self.reach[chosen] * strength * np.where(self.signed[chosen], sign, 1.0)


def space(*, enhance: float, shear: float, shift: float, angle: float, bits: float) -> Space:
    """The 14 operations of RandAugment, in the paper's order (Cubuk 2020, section 3).

    Args:
        enhance: how far colour, contrast, brightness and sharpness may lie from 1.
        shear, shift: shares of the picture.
        angle: degrees.
        bits: that posterize may drop.
    """
    rows: list[tuple[str, float, float, bool]] = [
        ("identity", 0, 0, False),
        ("auto-contrast", 0, 0, False),
        ("equalize", 0, 0, False),
        ("rotate", 0, angle, True),
        ("solarize", 256, -256, False),
        ("saturation", 1, enhance, True),
        ("posterize", 8, -bits, False),
        ("contrast", 1, enhance, True),
        ("brightness", 1, enhance, True),
        ("sharpness", 1, enhance, True),
        ("shear-x", 0, shear, True),
        ("shear-y", 0, shear, True),
        ("translate-x", 0, shift, True),
        ("translate-y", 0, shift, True),
    ]
    names, rest, reach, signed = zip(*rows, strict=True)
    return Space(np.array([CODES[name] for name in names]), np.array(rest, float), np.array(reach, float), np.array(signed))


#: The ranges of Cubuk 2019, table 6; 0.45 is 150 of the 331 pixels there.
STANDARD = space(enhance=0.9, shear=0.3, shift=150 / 331, angle=30, bits=4)
#: The "wide" ranges of Müller & Hutter 2021, table 1. Their 32 pixels, whatever the size, would push a picture of 28 out of sight:
#: pictures are moved by the same share as in the standard ranges.
WIDE = space(enhance=0.99, shear=0.99, shift=150 / 331, angle=135, bits=6)
