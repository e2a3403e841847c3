"""Geometric augmentation: mirrored, turned, zoomed, sheared and moved."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from acclimate.augment.expand.image.draws import Keys, spread
from acclimate.augment.expand.image.pictures import Pixels, apply, expand
from acclimate.augment.expand.image.plans import Plan, check_range, fill_code, sequence
from acclimate.data.domain import Domain
from acclimate.engine.splitmix import uniforms


@dataclasses.dataclass(frozen=True)
class Geometric:
    """A new picture is its parent mirrored, rotated, zoomed, sheared and translated, all of it in one bilinear look-up.

    Every amount is drawn for itself, evenly within its reach, so that a child has many small changes rather than one large one.

    Reference: Shorten & Khoshgoftaar 2019, "A survey on image data augmentation for deep learning", section "Geometric
    transformations"; ranges as the "traditional" transformations of Perez & Wang 2017 (shift, zoom, rotate, flip).

    Use when: a moved or mirrored object is the same object: photographs, drawings, most of what cameras see.
    Avoid when: place or side carries the label (digits 6 and 9, text, left and right hands): set ``mirror=0`` and a small angle.

    Args:
        mirror: probability of mirroring left and right.
        angle: degrees, at most, either way. 15 is within the 20 that Shorten & Khoshgoftaar call useful for digits.
        zoom: share by which a picture grows or shrinks at most.
        shear: shift per pixel of height at most.
        shift: share of width and height at most.
        fill: what comes into view: ``"edge"`` (the nearest pixel) or a grey value from 0 to 255.
    """

    method: ClassVar[str] = "geometric"
    paper: ClassVar[str] = "Shorten & Khoshgoftaar 2019"
    modality: ClassVar[tuple[str, ...]] = ("image",)
    extra: ClassVar[str] = "vision"
    summary: ClassVar[str] = "mirrors, turns, zooms, shears and moves each picture by its own draw"
    summary_zh: ClassVar[str] = "几何变换：逐图随机翻转、旋转、缩放、错切与平移"

    mirror: float = 0.5
    angle: float = 15.0
    zoom: float = 0.15
    shear: float = 0.1
    shift: float = 0.1
    fill: Literal["edge"] | int = "edge"

    def __post_init__(self) -> None:
        """Raises InputError: a setting outside its range."""
        check_range(self.method, "mirror", self.mirror, 0, 1)
        check_range(self.method, "angle", self.angle, 0, 180)
        check_range(self.method, "zoom", self.zoom, 0, 0.9)
        check_range(self.method, "shear", self.shear, 0, 1)
        check_range(self.method, "shift", self.shift, 0, 1)
        fill_code(self.method, self.fill)

    def plan(self, keys: Keys, height: int, width: int) -> Plan:  # noqa: ARG002 - one signature for all planners
        """What is done to each of ``n`` pictures; see :class:`acclimate.augment.expand.image.pictures.Planner`."""
        draws = uniforms(keys, 6).T
        numbers = [
            (draws[0] < self.mirror).astype(np.float64),
            spread(draws[1], self.angle),
            1 + spread(draws[2], self.zoom),
            spread(draws[3], self.shear),
            spread(draws[4], self.shift),
            spread(draws[5], self.shift),
        ]
        return sequence(keys, [("geometric", numbers)], fill_code(self.method, self.fill))

    def apply(self, images: Pixels, keys: Keys) -> Pixels:
        """One new picture for each of ``(n, c, h, w)`` uint8, from its own key ``(n,)``."""
        return apply(self, images, keys)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new pictures for each one; see :class:`acclimate.augment.base.Augmenter`."""
        return expand(self, examples, times, seed, workers)
