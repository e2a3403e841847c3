"""Mean–std matching: each channel takes the mean and the spread of another picture's channel."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.expand.image.pictures import Pixels
from acclimate.augment.expand.image.plans import check_range
from acclimate.augment.expand.image.styles import expand, through_tables
from acclimate.data.domain import Domain

Floats = NDArray[np.float64]
_LEVELS = np.arange(256)


def match_moments(own: NDArray[np.int64], other: NDArray[np.int64]) -> Floats:
    """What each level becomes, ``(c, 256)``, from histograms ``(c, 256)``: ``(x − μ) σ' / σ + μ'`` (Reinhard 2001, eq. 10–11).

    A channel of one value has no spread to scale; all of it becomes ``μ'``.
    """
    (mean, deviation), (wanted, spread) = _moments(own), _moments(other)
    scale = np.divide(spread, deviation, out=np.zeros_like(spread), where=deviation > 0)
    return np.asarray((_LEVELS - mean[:, None]) * scale[:, None] + wanted[:, None])


def _moments(counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
    total = counts.sum(1)
    mean = counts @ _LEVELS / total
    return mean, np.sqrt(np.maximum(counts @ _LEVELS**2 / total - mean**2, 0))


@dataclasses.dataclass(frozen=True)
class MeanStd:
    """A new picture has its parent's content and, channel by channel, the mean and standard deviation of a drawn other picture.

    Reference: Reinhard et al. 2001, "Color transfer between images", eq. 10–11, in RGB rather than lαβ, which keeps it a table
    look-up; the same two moments are what AdaIN (Huang & Belongie 2017, eq. 8) exchanges between feature maps.

    Use when: domains differ in exposure, white balance or contrast; it cannot invent structure, so labels are safe.
    Avoid when: the amounts of dark and light belong to the label (how much of a field is flooded).

    Args:
        strength: how much of the way is gone, 0 to 1.
        style: the pictures that lend their look; the verb provides it.
    """

    method: ClassVar[str] = "mean-std"
    paper: ClassVar[str] = "Reinhard et al. 2001; Huang & Belongie 2017"
    modality: ClassVar[tuple[str, ...]] = ("image",)
    extra: ClassVar[str] = "vision"
    summary: ClassVar[str] = "takes each channel's mean and spread from a picture of another domain"
    summary_zh: ClassVar[str] = "均值-方差匹配：各通道换用另一领域图像的均值与标准差"
    needs: ClassVar[tuple[str, ...]] = ("pictures of another domain (style)",)

    strength: float = 1.0
    style: Domain | None = None

    def __post_init__(self) -> None:
        """Raises InputError: strength outside its range."""
        check_range(self.method, "strength", self.strength, 0, 1)

    def restyle(self, picture: Pixels, style: Pixels) -> Pixels:
        """One picture ``(c, h, w)`` uint8 in the look of another."""
        return through_tables(match_moments, picture, style, self.strength)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new pictures for each one; see :func:`acclimate.augment.expand.image.styles.expand`."""
        return expand(self, examples, times, seed, workers)
