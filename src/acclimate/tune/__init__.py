"""How the model learns: one training loop, many objectives, and the probe as the cheap fidelity."""

from acclimate.augment.mix import METHODS as MIX
from acclimate.models.objective import Objective
from acclimate.tune.align import METHODS as ALIGN
from acclimate.tune.regularize import METHODS as REGULARIZE

#: Objectives by the name that recipes use. A new one is a file and a line in its family's ``METHODS``.
OBJECTIVES: dict[str, type[Objective]] = {**MIX, **ALIGN, **REGULARIZE}
