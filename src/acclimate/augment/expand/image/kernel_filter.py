"""Kernel filters: blurred, blurred as if moved, sharpened, or with its smallest patches shuffled."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from acclimate.augment.expand.image.draws import Keys
from acclimate.augment.expand.image.pictures import Pixels, apply, expand
from acclimate.augment.expand.image.plans import CODES, WIDTH, Plan, check_range
from acclimate.data.domain import Domain
from acclimate.engine.splitmix import uniforms
from acclimate.errors import InputError

Filter = Literal["gaussian", "motion", "unsharp", "patch-shuffle"]


@dataclasses.dataclass(frozen=True)
class KernelFilter:
    """A new picture is its parent through one filter, drawn from ``filters``: a Gaussian blur, a motion blur along a random line,
    a sharpening (unsharp mask), or PatchShuffle, which shuffles the pixels of some 2 × 2 patches.

    Reference: Shorten & Khoshgoftaar 2019, section "Kernel filters"; Kang et al. 2017, "PatchShuffle regularization" (patches of
    2 × 2, shuffled with probability 0.05).

    Use when: focus, motion or sharpness differ between cameras.
    Avoid when: pictures are tiny or the class is a texture: a blur of one pixel is most of a digit's stroke at 8 × 8.

    Args:
        filters: which ones are drawn from.
        strength: of blurs: standard deviation up to this share of the shorter side, and motion over up to four times as many
            pixels. 0.02 is half a pixel at 32 and 4.5 at 224.
        amount: of sharpening, at most.
        patches: share of patches that are shuffled.
    """

    method: ClassVar[str] = "kernel-filter"
    paper: ClassVar[str] = "Shorten & Khoshgoftaar 2019; Kang et al. 2017"
    modality: ClassVar[tuple[str, ...]] = ("image",)
    extra: ClassVar[str] = "vision"
    summary: ClassVar[str] = "blurs or sharpens each picture, or shuffles its smallest patches, by its own draw"
    summary_zh: ClassVar[str] = "核滤波：逐图随机高斯模糊、运动模糊、锐化或打乱 2×2 小块"

    filters: tuple[Filter, ...] = ("gaussian", "motion", "unsharp", "patch-shuffle")
    strength: float = 0.02
    amount: float = 1.5
    patches: float = 0.05

    def __post_init__(self) -> None:
        """Raises InputError: no filter, or a setting outside its range."""
        if not self.filters:
            raise InputError("kernel-filter without filters", expected="at least one", fix="leave the default")
        check_range(self.method, "strength", self.strength, 0.001, 0.5)
        check_range(self.method, "amount", self.amount, 0, 10)
        check_range(self.method, "patches", self.patches, 0, 1)

    def plan(self, keys: Keys, height: int, width: int) -> Plan:
        """What is done to each of ``n`` pictures; see :class:`acclimate.augment.expand.image.pictures.Planner`."""
        draws = uniforms(keys, 3).T
        chosen = np.array([CODES[name] for name in self.filters])[(draws[0] * len(self.filters)).astype(np.int64)]
        reach = max(self.strength * min(height, width), 0.5)
        sigma = reach * (0.2 + 0.8 * draws[1])
        numbers = np.zeros((len(keys), 1, WIDTH))
        for name, columns in {
            "gaussian": [sigma],
            "motion": [1 + np.ceil(4 * sigma), 180 * draws[2]],
            "unsharp": [sigma, self.amount * draws[2]],
            "patch-shuffle": [np.full(len(keys), self.patches)],
        }.items():
            rows = chosen == CODES[name]
            for place, column in enumerate(columns):
                numbers[rows, 0, place] = column[rows]
        return Plan(chosen[:, None], numbers, keys)

    def apply(self, images: Pixels, keys: Keys) -> Pixels:
        """One new picture for each of ``(n, c, h, w)`` uint8, from its own key ``(n,)``."""
        return apply(self, images, keys)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new pictures for each one; see :class:`acclimate.augment.base.Augmenter`."""
        return expand(self, examples, times, seed, workers)
