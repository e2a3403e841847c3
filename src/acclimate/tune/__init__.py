"""How the model learns: one training loop, many objectives, and the probe as the cheap fidelity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acclimate.augment import ONLINE
from acclimate.tune.align import METHODS as ALIGN
from acclimate.tune.learn import OBJECTIVES as LEARN
from acclimate.tune.learn import WAYS as LEARN_WAYS
from acclimate.tune.peft import METHODS as PEFT
from acclimate.tune.regularize import METHODS as REGULARIZE
from acclimate.tune.schedule import METHODS as SCHEDULE
from acclimate.tune.shallow import METHODS as SHALLOW

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from acclimate.models.objective import Objective

#: Objectives by the name that recipes use. A new one is a file and a line in its family's ``METHODS``.
OBJECTIVES: dict[str, type[Objective]] = {**ONLINE, **ALIGN, **REGULARIZE, **LEARN}

#: Ways to train that are settings rather than objectives; each says in its description how it is set.
WAYS: dict[str, Any] = {
    **SCHEDULE,
    **PEFT,
    **{name: method for name, method in SHALLOW.items() if name not in OBJECTIVES},
    **LEARN_WAYS,  # `self-training` of a model; that of the probe is told of there
}
