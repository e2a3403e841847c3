"""AutoAugment: pairs of operations that a search found on CIFAR-10 or ImageNet."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.expand.image.draws import Keys, signs
from acclimate.augment.expand.image.pictures import Pixels, apply, expand
from acclimate.augment.expand.image.plans import CODES, WIDTH, Plan, fill_code
from acclimate.data.domain import Domain
from acclimate.engine.splitmix import uniforms

#: Sub-policies as "operation probability magnitude", two each: Cubuk 2019, tables 7 (CIFAR-10) and 9 (ImageNet).
CIFAR10 = """
invert .1 7, contrast .2 6
rotate .7 2, translate-x .3 9
sharpness .8 1, sharpness .9 3
shear-y .5 8, translate-y .7 9
auto-contrast .5 8, equalize .9 2
shear-y .2 7, posterize .3 7
saturation .4 3, brightness .6 7
sharpness .3 9, brightness .7 9
equalize .6 5, equalize .5 1
contrast .6 7, sharpness .6 5
saturation .7 7, translate-x .5 8
equalize .3 7, auto-contrast .4 8
translate-y .4 3, sharpness .2 6
brightness .9 6, saturation .2 8
solarize .5 2, invert 0 3
equalize .2 0, auto-contrast .6 0
equalize .2 8, equalize .6 4
saturation .9 9, equalize .6 6
auto-contrast .8 4, solarize .2 8
brightness .1 3, saturation .7 0
solarize .4 5, auto-contrast .9 3
translate-y .9 9, translate-y .7 9
auto-contrast .9 2, solarize .8 3
equalize .8 8, invert .1 3
translate-y .7 9, auto-contrast .9 1
"""
IMAGENET = """
posterize .4 8, rotate .6 9
solarize .6 5, auto-contrast .6 5
equalize .8 8, equalize .6 3
posterize .6 7, posterize .6 6
equalize .4 7, solarize .2 4
equalize .4 4, rotate .8 8
solarize .6 3, equalize .6 7
posterize .8 5, equalize 1 2
rotate .2 3, solarize .6 8
equalize .6 8, posterize .4 6
rotate .8 8, saturation .4 0
rotate .4 9, equalize .6 2
equalize 0 7, equalize .8 8
invert .6 4, equalize 1 8
saturation .6 4, contrast 1 8
rotate .8 8, saturation 1 2
saturation .8 8, solarize .8 7
sharpness .4 7, invert .6 8
shear-x .6 5, equalize 1 9
saturation .4 0, equalize .6 3
equalize .4 7, solarize .2 4
solarize .6 5, auto-contrast .6 5
invert .6 4, equalize 1 8
saturation .6 4, contrast 1 8
equalize .8 8, equalize .6 3
"""
#: The number at magnitudes 0 and 9, and whether its sign is random: Cubuk 2019, table 6, read as it is written there.
RANGES: dict[str, tuple[float, float, bool]] = {
    "rotate": (0, 30, True),
    "shear-x": (0, 0.3, True),
    "shear-y": (0, 0.3, True),
    "translate-x": (0, 150 / 331, True),
    "translate-y": (0, 150 / 331, True),
    "solarize": (0, 256, False),
    "posterize": (4, 8, False),
    "contrast": (0.1, 1.9, False),
    "saturation": (0.1, 1.9, False),
    "brightness": (0.1, 1.9, False),
    "sharpness": (0.1, 1.9, False),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Policy:
    """Sub-policies as arrays ``(p, 2)``: each operation's code, probability and number, and whether the number's sign is random."""

    codes: NDArray[np.int64]
    probability: NDArray[np.float64]
    number: NDArray[np.float64]
    signed: NDArray[np.bool_]


def parse(lines: str) -> Policy:
    """A policy from its table.

    >>> parse("rotate .7 9, invert .1 7").number.tolist()
    [[30.0, 0.0]]
    """
    rows = [[operation.split() for operation in line.split(",")] for line in lines.strip().splitlines()]
    ranges = [[RANGES.get(name, (0.0, 0.0, False)) for name, _, _ in row] for row in rows]
    share = np.array([[float(level) / 9 for _, _, level in row] for row in rows])
    low, high = (np.array([[one[end] for one in row] for row in ranges], dtype=np.float64) for end in (0, 1))
    return Policy(
        np.array([[CODES[name] for name, _, _ in row] for row in rows]),
        np.array([[float(probability) for _, probability, _ in row] for row in rows]),
        low + (high - low) * share,
        np.array([[one[2] for one in row] for row in ranges]),
    )


POLICIES = {"cifar10": parse(CIFAR10), "imagenet": parse(IMAGENET)}


@dataclasses.dataclass(frozen=True)
class AutoAugment:
    """A new picture is its parent after one of 25 pairs of operations; each of the two acts with a probability of its own.

    Reference: Cubuk et al. 2019, "AutoAugment: learning augmentation strategies from data", tables 6, 7 and 9. The magnitudes of
    posterize and solarize are bits kept and threshold, as in table 6, so they weaken as the magnitude grows.

    Use when: pictures are like those the policy was found on: small photographs (``cifar10``) or large ones (``imagenet``).
    Avoid when: they are not, and labels suffice to tune RandAugment, which did as well in its authors' comparison.

    Args:
        policy: ``"imagenet"`` or ``"cifar10"``.
        fill: what comes into view: a grey value from 0 to 255 or ``"edge"``, the nearest pixel.
    """

    method: ClassVar[str] = "autoaugment"
    paper: ClassVar[str] = "Cubuk et al. 2019"
    modality: ClassVar[tuple[str, ...]] = ("image",)
    extra: ClassVar[str] = "vision"
    summary: ClassVar[str] = "applies a pair of operations that a search found on CIFAR-10 or ImageNet"
    summary_zh: ClassVar[str] = "AutoAugment：应用在 CIFAR-10 或 ImageNet 上搜索得到的操作组合"

    policy: Literal["imagenet", "cifar10"] = "imagenet"
    fill: Literal["edge"] | int = 128

    def __post_init__(self) -> None:
        """Raises InputError: a fill that is no grey value."""
        fill_code(self.method, self.fill)

    def plan(self, keys: Keys, height: int, width: int) -> Plan:  # noqa: ARG002 - one signature for all planners
        """What is done to each of ``n`` pictures; see :class:`acclimate.augment.expand.image.pictures.Planner`."""
        policy = POLICIES[self.policy]
        draws = uniforms(keys, 5)
        chosen = (draws[:, 0] * len(policy.codes)).astype(np.int64)
        acts = draws[:, 1:3] < policy.probability[chosen]
        numbers = np.zeros((len(keys), 2, WIDTH))
        numbers[:, :, 0] = policy.number[chosen] * np.where(policy.signed[chosen], signs(draws[:, 3:5]), 1.0) * acts
        codes = np.where(acts, policy.codes[chosen], CODES["identity"])
        return Plan(codes, numbers, keys, fill_code(self.method, self.fill))

    def apply(self, images: Pixels, keys: Keys) -> Pixels:
        """One new picture for each of ``(n, c, h, w)`` uint8, from its own key ``(n,)``."""
        return apply(self, images, keys)

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new pictures for each one; see :class:`acclimate.augment.base.Augmenter`."""
        return expand(self, examples, times, seed, workers)
