"""Mixing of examples while training, by the name that recipes use."""

from acclimate.augment.mix.mixup import Mixup

METHODS = {"mixup": Mixup}
