"""RandAugment: a few operations drawn at random, all at one strength."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from acclimate.augment.expand.image.draws import Keys, signs
from acclimate.augment.expand.image.pictures import Pixels, apply, expand
from acclimate.augment.expand.image.plans import WIDTH, Plan, check_range, fill_code
from acclimate.augment.expand.image.policy import STANDARD
from acclimate.data.domain import Domain
from acclimate.engine.splitmix import uniforms

#: The scale that magnitudes are said on.
LEVELS = 30


@dataclasses.dataclass(frozen=True)
class RandAugment:
    """A new picture is its parent after ``operations`` out of 14, drawn with replacement, each at strength ``magnitude / 30``.

    Every picture draws for itself: kornia's draws one set of operations for a whole batch. Strength always grows with the
    magnitude; in the paper's own code posterize and solarize grow weaker, which makes the knob mean two things at once.

    Reference: Cubuk et al. 2020, "RandAugment: practical automated data augmentation with a reduced search space", figure 2;
    ranges of Cubuk et al. 2019, table 6. N = 2 and M = 9 is the paper's setting for ResNet-50 on ImageNet.

    Use when: pictures are natural and nothing is known about which change is harmless; two knobs are quick to search.
    Avoid when: pictures are digits, text or scans: 30 degrees and inverted tones can change what they say. Lower ``magnitude``.

    Args:
        operations: how many are applied in turn.
        magnitude: 0 to 30.
        fill: what comes into view: a grey value from 0 to 255 (128 as in the paper's code) or ``"edge"``, the nearest pixel.
    """

    method: ClassVar[str] = "randaugment"
    paper: ClassVar[str] = "Cubuk et al. 2020"
    modality: ClassVar[tuple[str, ...]] = ("image",)
    extra: ClassVar[str] = "vision"
    summary: ClassVar[str] = "applies a few random operations of one strength, drawn for each picture by itself"
    summary_zh: ClassVar[str] = "RandAugment：逐图随机抽取若干同等强度的操作"

    operations: int = 2
    magnitude: float = 9.0
    fill: Literal["edge"] | int = 128

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range."""
        check_range(self.method, "operations", self.operations, 1, 10)
        check_range(self.method, "magnitude", self.magnitude, 0, LEVELS)
        fill_code(self.method, self.fill)

    def plan(self, keys: Keys, height: int, width: int) -> Plan:  # noqa: ARG002 - one signature for all planners
        """What is done to each of ``n`` pictures; see :class:`acclimate.augment.expand.image.pictures.Planner`."""
        draws = uniforms(keys, 2 * self.operations)
        chosen = (draws[:, ::2] * len(STANDARD.codes)).astype(np.int64)
        numbers = np.zeros((*chosen.shape, WIDTH))
        numbers[:, :, 0] = STANDARD.numbers(chosen, np.full(chosen.shape, self.magnitude / LEVELS), signs(draws[:, 1::2]))
        return Plan(STANDARD.codes[chosen], numbers, keys, fill_code(self.method, self.fill))

    def apply(self, images: Pixels, keys: Keys) -> Pixels:
        """One new picture for each of ``(n, c, h, w)`` uint8, from its own key ``(n,)``."""
        return apply(self, images, keys)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new pictures for each one; see :class:`acclimate.augment.base.Augmenter`."""
        return expand(self, examples, times, seed, workers)
