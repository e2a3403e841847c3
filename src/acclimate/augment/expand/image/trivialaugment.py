"""TrivialAugment: one operation at a random strength, nothing to tune."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from acclimate.augment.expand.image.draws import Keys, signs
from acclimate.augment.expand.image.pictures import Pixels, apply, expand
from acclimate.augment.expand.image.plans import WIDTH, Plan, fill_code
from acclimate.augment.expand.image.policy import STANDARD, WIDE
from acclimate.augment.expand.image.randaugment import LEVELS
from acclimate.data.domain import Domain
from acclimate.engine.splitmix import uniforms

SPACES = {"standard": STANDARD, "wide": WIDE}


@dataclasses.dataclass(frozen=True)
class TrivialAugment:
    """A new picture is its parent after one of 14 operations at a strength drawn from 31 levels.

    Reference: Müller & Hutter 2021, "TrivialAugment: tuning-free yet state-of-the-art data augmentation", algorithm 1; ``"wide"``
    ranges from table 1, which the paper advises.

    Use when: there is nothing to tune on: no labels to spare for a validation part.
    Avoid when: orientation carries the label: the wide ranges turn by up to 135 degrees; use ``space="standard"``.

    Args:
        space: ``"wide"`` or ``"standard"`` (the ranges of RandAugment).
        fill: what comes into view: a grey value from 0 to 255 or ``"edge"``, the nearest pixel.
    """

    method: ClassVar[str] = "trivialaugment"
    paper: ClassVar[str] = "Müller & Hutter 2021"
    modality: ClassVar[tuple[str, ...]] = ("image",)
    extra: ClassVar[str] = "vision"
    summary: ClassVar[str] = "applies one random operation at a random strength to each picture"
    summary_zh: ClassVar[str] = "TrivialAugment：每张图一个随机操作、随机强度，无需调参"

    space: Literal["wide", "standard"] = "wide"
    fill: Literal["edge"] | int = 128

    def __post_init__(self) -> None:
        """Raises InputError: a fill that is no grey value."""
        fill_code(self.method, self.fill)

    def plan(self, keys: Keys, height: int, width: int) -> Plan:  # noqa: ARG002 - one signature for all planners
        """What is done to each of ``n`` pictures; see :class:`acclimate.augment.expand.image.pictures.Planner`."""
        space = SPACES[self.space]
        draws = uniforms(keys, 3)
        chosen = (draws[:, :1] * len(space.codes)).astype(np.int64)
        strength = np.floor(draws[:, 1:2] * (LEVELS + 1)) / LEVELS
        numbers = np.zeros((*chosen.shape, WIDTH))
        numbers[:, :, 0] = space.numbers(chosen, strength, signs(draws[:, 2:]))
        return Plan(space.codes[chosen], numbers, keys, fill_code(self.method, self.fill))

    def apply(self, images: Pixels, keys: Keys) -> Pixels:
        """One new picture for each of ``(n, c, h, w)`` uint8, from its own key ``(n,)``."""
        return apply(self, images, keys)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new pictures for each one; see :class:`acclimate.augment.base.Augmenter`."""
        return expand(self, examples, times, seed, workers)
