"""Ways to learn: more from the target's unlabelled examples, from other tasks, or from very few labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acclimate.tune.learn.fixmatch import FixMatch
from acclimate.tune.learn.mt_tri import MtTri
from acclimate.tune.learn.multi_task import MultiTask
from acclimate.tune.learn.prototypes import Prototypes
from acclimate.tune.learn.self_training import SelfTraining
from acclimate.tune.learn.setfit import SetFit

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from acclimate.models.objective import Objective

#: Those that are terms of the loss.
OBJECTIVES: dict[str, type[Objective]] = {
    "fixmatch": FixMatch,
    "multi-task": MultiTask,
    "mt-tri": MtTri,
    "prototypes": Prototypes,
    "setfit": SetFit,
}
#: Those that train several times, one training built on what the last one said (:class:`acclimate.tune.learn.base.Course`).
COURSES: dict[str, Any] = {
    "self-training": SelfTraining,
}
METHODS: dict[str, Any] = {**OBJECTIVES, **COURSES}
