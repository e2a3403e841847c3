"""Random erasing: a rectangle of the picture is covered."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from acclimate.augment.expand.image.draws import Keys
from acclimate.augment.expand.image.pictures import Pixels, apply, expand
from acclimate.augment.expand.image.plans import NOISE, Plan, check_range, sequence
from acclimate.data.domain import Domain
from acclimate.engine.splitmix import uniforms
from acclimate.errors import InputError


@dataclasses.dataclass(frozen=True)
class Erasing:
    """A new picture is its parent with one rectangle covered by random pixels, so that no single part decides.

    Area and aspect ratio are drawn evenly (the ratio on a logarithmic scale, so that wide and high are equally likely); a side
    longer than the picture is cut to it.

    Reference: Zhong et al. 2020, "Random erasing data augmentation", algorithm 1 (area 0.02 to 0.4, ratio 0.3 to 3.3, random
    values); offline every copy is erased, where the paper erases half of a batch: the parents stand beside their copies.

    Use when: objects may be half hidden, and pictures show one object.
    Avoid when: small parts decide the class: what is covered may be all of the evidence.

    Args:
        area: the smallest and the largest share of the picture that is covered.
        ratio: the sides' ratio lies between this and its inverse.
        fill: ``"noise"`` or a grey value from 0 to 255.
    """

    method: ClassVar[str] = "erasing"
    paper: ClassVar[str] = "Zhong et al. 2020"
    modality: ClassVar[tuple[str, ...]] = ("image",)
    extra: ClassVar[str] = "vision"
    summary: ClassVar[str] = "covers a random rectangle of each picture"
    summary_zh: ClassVar[str] = "随机擦除：用噪声或灰度遮盖每张图的一个随机矩形"

    area: tuple[float, float] = (0.02, 0.4)
    ratio: float = 0.3
    fill: Literal["noise"] | int = "noise"

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range."""
        check_range(self.method, "the largest area", self.area[1], 0, 1)
        check_range(self.method, "the smallest area", self.area[0], 0, self.area[1])
        check_range(self.method, "ratio", self.ratio, 0.01, 1)
        if isinstance(self.fill, int) and not 0 <= self.fill <= 255:
            raise InputError(f"erasing with fill={self.fill}", expected="'noise' or a grey value from 0 to 255")

    def plan(self, keys: Keys, height: int, width: int) -> Plan:
        """What is done to each of ``n`` pictures; see :class:`acclimate.augment.expand.image.pictures.Planner`."""
        draws = uniforms(keys, 4).T
        smallest, largest = self.area
        area = (smallest + (largest - smallest) * draws[0]) * height * width
        ratio = np.exp((2 * draws[1] - 1) * -np.log(self.ratio))
        sides_x = np.clip(np.rint(np.sqrt(area / ratio)), 1, width)
        sides_y = np.clip(np.rint(np.sqrt(area * ratio)), 1, height)
        left = np.floor(draws[2] * (width - sides_x + 1))
        top = np.floor(draws[3] * (height - sides_y + 1))
        fill = NOISE if self.fill == "noise" else int(self.fill)
        return sequence(keys, [("erase", [left / width, top / height, sides_x / width, sides_y / height])], fill)

    def apply(self, images: Pixels, keys: Keys) -> Pixels:
        """One new picture for each of ``(n, c, h, w)`` uint8, from its own key ``(n,)``."""
        return apply(self, images, keys)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new pictures for each one; see :class:`acclimate.augment.base.Augmenter`."""
        return expand(self, examples, times, seed, workers)
