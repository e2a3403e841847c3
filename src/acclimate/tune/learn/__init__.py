"""Ways to learn beyond labels: continued pre-training, replay against forgetting."""

from __future__ import annotations

from typing import Any

from acclimate.tune.learn.dapt import Dapt
from acclimate.tune.learn.replay import Replay
from acclimate.tune.learn.tapt import Tapt
from acclimate.tune.learn.vocabulary import Vocabulary

#: What happens to a model before it is fine-tuned.
STAGES: dict[str, Any] = {"vocabulary": Vocabulary, "dapt": Dapt, "tapt": Tapt}

METHODS: dict[str, Any] = {**STAGES, "replay": Replay}
