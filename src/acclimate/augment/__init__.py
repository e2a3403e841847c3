"""Target augmentation: ``METHODS`` make new examples before training, those in ``ONLINE`` act on batches while training.

To add a method: one file in ``expand/``, ``mix/`` or ``adversarial/`` with a class that follows
:class:`acclimate.augment.base.Augmenter` or :class:`acclimate.models.objective.Objective`, and one line in the family's dict.
"""

from typing import Any

from acclimate.augment.adversarial import METHODS as ADVERSARIAL
from acclimate.augment.base import Augmenter
from acclimate.augment.expand.eda import Eda
from acclimate.augment.mix import METHODS as MIX

METHODS: dict[str, type[Augmenter]] = {"eda": Eda}
#: Objectives; typed loosely because their protocol would bring torch along.
ONLINE: dict[str, type[Any]] = {**MIX, **ADVERSARIAL}
