"""Mixing of examples while training, by the name that recipes use."""

from typing import Any

from acclimate.augment.mix.cross_domain import CrossDomain
from acclimate.augment.mix.cutmix import Cutmix
from acclimate.augment.mix.manifold import Manifold
from acclimate.augment.mix.mixup import Mixup
from acclimate.augment.mix.saliency import SaliencyMix

#: Objectives; typed loosely because their protocol would bring torch along.
METHODS: dict[str, type[Any]] = {
    "mixup": Mixup,
    "cutmix": Cutmix,
    "manifold": Manifold,
    "saliency": SaliencyMix,
    "cross-domain": CrossDomain,
}
#: Those that mean something on frozen features too, where there is no input to cut and no layer to mix in but the last.
ON_FEATURES = ("mixup", "manifold")
