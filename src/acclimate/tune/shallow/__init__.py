"""Adaptation of frozen vectors: what the probe can do about a shift, without training an encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acclimate.tune.shallow.coral import FeatureCoral
from acclimate.tune.shallow.easyadapt import EasyAdapt
from acclimate.tune.shallow.msda import Msda
from acclimate.tune.shallow.self_training import FeatureSelfTraining
from acclimate.tune.shallow.subspace import Subspace
from acclimate.tune.shallow.tca import Tca

if TYPE_CHECKING:
    from acclimate.tune.shallow.base import Shallow

METHODS: dict[str, type[Shallow]] = {
    "tca": Tca,
    "subspace": Subspace,
    "msda": Msda,
    "easyadapt": EasyAdapt,
    "coral": FeatureCoral,
    "self-training": FeatureSelfTraining,
}
