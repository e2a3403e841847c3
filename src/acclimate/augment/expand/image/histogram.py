"""Histogram matching: each channel takes the distribution of another picture's channel."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.expand.image.pictures import Pixels
from acclimate.augment.expand.image.plans import check_range
from acclimate.augment.expand.image.styles import expand, through_tables
from acclimate.data.domain import Domain


def match_histograms(own: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each level becomes, ``(c, 256)``, from histograms ``(c, 256)``.

    The lowest level up to which the other channel has at least as large a share of its pixels (Gonzalez & Woods, histogram
    specification). Shares are compared as integers.
    """
    reached = own.cumsum(1) * other.sum(1, keepdims=True)
    offered = other.cumsum(1) * own.sum(1, keepdims=True)
    pairs = zip(offered, reached, strict=True)
    return np.stack([np.searchsorted(there, here, side="left") for there, here in pairs]).astype(np.float64)


@dataclasses.dataclass(frozen=True)
class HistogramMatch:
    """A new picture has its parent's content and, channel by channel, the distribution of values of a drawn other picture.

    Reference: Gonzalez & Woods 2018, "Digital image processing", section 3.3, histogram specification.

    Use when: domains differ in tone in ways that mean and spread do not describe: paper white, film, thresholded scans.
    Avoid when: one domain has few distinct values (line drawings): most of a photograph then becomes white.

    Args:
        strength: how much of the way is gone, 0 to 1.
        style: the pictures that lend their look; the verb provides it.
    """

    method: ClassVar[str] = "histogram"
    paper: ClassVar[str] = "Gonzalez & Woods 2018"
    modality: ClassVar[tuple[str, ...]] = ("image",)
    extra: ClassVar[str] = "vision"
    summary: ClassVar[str] = "takes each channel's distribution of values from a picture of another domain"
    summary_zh: ClassVar[str] = "直方图匹配：各通道换用另一领域图像的取值分布"
    needs: ClassVar[tuple[str, ...]] = ("pictures of another domain (style)",)

    strength: float = 1.0
    style: Domain | None = None

    def __post_init__(self) -> None:
        """Raises InputError: strength outside its range."""
        check_range(self.method, "strength", self.strength, 0, 1)

    def restyle(self, picture: Pixels, style: Pixels) -> Pixels:
        """One picture ``(c, h, w)`` uint8 in the look of another."""
        return through_tables(match_histograms, picture, style, self.strength)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new pictures for each one; see :func:`acclimate.augment.expand.image.styles.expand`."""
        return expand(self, examples, times, seed, workers)
