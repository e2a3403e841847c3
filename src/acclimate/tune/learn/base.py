"""What a way of learning that trains several times is handed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # recipes and listings read names and settings without loading torch
    from acclimate.tune.adapted import Adapted
    from acclimate.tune.examples import Examples
    from acclimate.tune.hardware import Hardware
    from acclimate.tune.settings import TuneSettings
    from acclimate.tune.terms import Term
    from acclimate.tune.watch import Watch


@dataclasses.dataclass(frozen=True, eq=False)
class Training:
    """One training, said but not started: the arguments of :func:`acclimate.tune.trainer.fine_tune`."""

    model: str
    examples: Examples
    classes: Sequence[str]
    settings: TuneSettings
    objectives: Sequence[Term] = ()
    seed: int = 0
    folder: Path | None = None
    save: bool = False
    task: str = "text-classification"
    called: str | None = None
    hardware: Hardware | None = None
    facts: Mapping[str, Any] | None = None
    watch: Watch | None = None

    def run(self, **changes: Any) -> Adapted:
        """Train, with some arguments changed."""
        from acclimate.tune.trainer import fine_tune

        chosen = dataclasses.replace(self, **changes) if changes else self
        return fine_tune(
            chosen.model,
            chosen.examples,
            chosen.classes,
            chosen.settings,
            chosen.objectives,
            chosen.seed,
            chosen.folder,
            chosen.save,
            chosen.task,
            chosen.called,
            chosen.hardware,
            chosen.facts,
            chosen.watch,
        )


class Course(Protocol):
    """Trains several times, one training built on what the last one said."""

    def train(self, training: Training, /) -> Adapted:
        """The last model. Where ``training`` has a folder, finished trainings are read back after a kill."""
        ...
