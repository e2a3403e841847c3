"""Colour augmentation: brightness, contrast, saturation and hue."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from acclimate.augment.expand.image.draws import Keys, spread
from acclimate.augment.expand.image.pictures import Pixels, apply, expand
from acclimate.augment.expand.image.plans import Plan, check_range, sequence
from acclimate.data.domain import Domain
from acclimate.engine.splitmix import uniforms


@dataclasses.dataclass(frozen=True)
class Colour:
    """A new picture is its parent in other light: brightness, contrast, saturation and hue change by amounts of their own.

    The four act in this order. Hue turns around the grey axis of YIQ, which keeps luma, so the three before it are not undone. Of
    a grey picture only brightness and contrast change.

    Reference: Shorten & Khoshgoftaar 2019, section "Color space transformations"; ranges 0.4, 0.4, 0.4, 0.1 of Chen et al.
    2020, "Improved baselines with momentum contrastive learning".

    Use when: light, camera or season differ between what is labelled and what will be seen.
    Avoid when: colour is the class (ripe fruit, stains, traffic lights): set ``hue=0`` and a small ``saturation``.

    Args:
        brightness, contrast, saturation: the factor lies within this of 1.
        hue: share of a full turn at most, either way.
    """

    method: ClassVar[str] = "colour"
    paper: ClassVar[str] = "Shorten & Khoshgoftaar 2019; Chen et al. 2020"
    modality: ClassVar[tuple[str, ...]] = ("image",)
    extra: ClassVar[str] = "vision"
    summary: ClassVar[str] = "changes brightness, contrast, saturation and hue of each picture by its own draw"
    summary_zh: ClassVar[str] = "颜色变换：逐图随机调整亮度、对比度、饱和度与色相"

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range."""
        for setting in ("brightness", "contrast", "saturation"):
            check_range(self.method, setting, getattr(self, setting), 0, 1)
        check_range(self.method, "hue", self.hue, 0, 0.5)

    def plan(self, keys: Keys, height: int, width: int) -> Plan:  # noqa: ARG002 - one signature for all planners
        """What is done to each of ``n`` pictures; see :class:`acclimate.augment.expand.image.pictures.Planner`."""
        draws = uniforms(keys, 4).T
        return sequence(
            keys,
            [
                ("brightness", [1 + spread(draws[0], self.brightness)]),
                ("contrast", [1 + spread(draws[1], self.contrast)]),
                ("saturation", [1 + spread(draws[2], self.saturation)]),
                ("hue", [spread(draws[3], self.hue)]),
            ],
        )

    def apply(self, images: Pixels, keys: Keys) -> Pixels:
        """One new picture for each of ``(n, c, h, w)`` uint8, from its own key ``(n,)``."""
        return apply(self, images, keys)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new pictures for each one; see :class:`acclimate.augment.base.Augmenter`."""
        return expand(self, examples, times, seed, workers)
