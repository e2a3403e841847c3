"""Ways to learn more: from examples without labels, other tasks or very few labels, by further pre-training, without forgetting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acclimate.tune.learn.dapt import Dapt
from acclimate.tune.learn.fixmatch import FixMatch
from acclimate.tune.learn.mt_tri import MtTri
from acclimate.tune.learn.multi_task import MultiTask
from acclimate.tune.learn.prototypes import Prototypes
from acclimate.tune.learn.replay import Replay
from acclimate.tune.learn.self_training import SelfTraining
from acclimate.tune.learn.setfit import SetFit
from acclimate.tune.learn.tapt import Tapt
from acclimate.tune.learn.vocabulary import Vocabulary

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
#: What happens to a model before it is fine-tuned (:class:`acclimate.tune.learn.stages.Stage`).
STAGES: dict[str, Any] = {"vocabulary": Vocabulary, "dapt": Dapt, "tapt": Tapt}
#: Those that train several times, one training built on what the last one said (:class:`acclimate.tune.learn.base.Course`).
COURSES: dict[str, Any] = {"self-training": SelfTraining}
#: All that are no terms of the loss.
WAYS: dict[str, Any] = {**STAGES, "replay": Replay, **COURSES}
METHODS: dict[str, Any] = {**OBJECTIVES, **WAYS}
