"""Traits and an arm as one row of numbers: what a learned correction reads."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from acclimate.strategy.advise.rank import gains
from acclimate.strategy.advise.rules import walk
from acclimate.strategy.advise.tags import TAGS, tags_of
from acclimate.strategy.advise.traits import Traits
from acclimate.strategy.arms import Arm

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
#: Traits that are read, and whether by their logarithm.
READ: Mapping[str, bool] = {
    "target_labels": True,
    "labels_per_class": True,
    "source_labels": True,
    "target_unlabelled": True,
    "target_classes": True,
    "source_domains": True,
    "gap": False,
    "gap_spread": False,
    "word_gap": False,
    "label_shift": False,
    "transfer_margin": False,
    "transfer_lead": False,
    "learnable": False,
    "h_score": False,
    "spread_ratio": False,
    "target_balance": False,
}
#: Traits that may change what a kind of arm is worth; with every trait there would be more columns than data sets can teach.
CROSSED = ("target_labels", "gap", "transfer_lead", "transfer_margin", "learnable")


@dataclasses.dataclass(frozen=True)
class Scale:
    """Means and deviations of the traits read, and of what is unknown: a trait that was not measured counts as its mean."""

    means: tuple[float, ...]
    deviations: tuple[float, ...]

    @classmethod
    def of(cls, many: Sequence[Traits]) -> Self:
        """From the traits of the cells that are learned from."""
        values = np.array([_raw(traits) for traits in many])
        known = ~np.isnan(values)
        counts = np.maximum(known.sum(0), 1)
        means = np.where(known, values, 0).sum(0) / counts
        spreads = np.sqrt(np.where(known, (values - means) ** 2, 0).sum(0) / counts)
        return cls(tuple(means.tolist()), tuple(np.where(spreads > 1e-9, spreads, 1.0).tolist()))

    def __call__(self, traits: Traits) -> Vector:
        """Standardised traits, ``(len(READ),)``, held within three deviations: data unlike any learned from say no more."""
        values = (np.array(_raw(traits)) - np.array(self.means)) / np.array(self.deviations)
        return np.asarray(np.clip(np.nan_to_num(values, nan=0.0), -3, 3))


def _raw(traits: Traits) -> list[float]:
    found = []
    for name, logarithm in READ.items():
        value = traits.number(name)
        found.append(math.nan if value is None else math.log1p(max(value, 0.0)) if logarithm else value)
    return found


def columns(arms: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of :func:`rows`, for the arms known by name."""
    crossed = [f"{tag} × {trait}" for tag in TAGS for trait in CROSSED]
    return ("rules", *READ, *TAGS, *(f"arm {name}" for name in arms), *crossed)


def rows(traits: Traits, arms: Sequence[Arm], known: Sequence[str], scale: Scale) -> Matrix:
    """One row for each arm that is possible on the same data, ``(len(arms), len(columns(known)))``.

    Columns: what the rules say (points over the best control of ``arms``), the traits, tags, which of the known arms it is, and
    tags by traits.
    """
    said = gains(arms, walk(traits))
    standard = scale(traits)
    places = [list(READ).index(name) for name in CROSSED]
    made = []
    for arm, points in zip(arms, said, strict=True):
        own = tags_of(arm)
        tags = np.array([float(tag in own) for tag in TAGS])
        which = [float(arm.name == name) for name in known]
        made.append(np.concatenate([[points], standard, tags, which, np.outer(tags, standard[places]).ravel()]))
    return np.array(made)
