"""Pre-training that goes on: hidden or next tokens of a corpus without labels, by the same loop as all training."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from acclimate.data.domain import Domain
from acclimate.tune.settings import TuneSettings


def training_settings(stage: Any) -> TuneSettings:
    """The settings of a stage, which bear the names that training gives them.

    Raises:
        InputError: a value outside its range.
    """
    names = {field.name for field in dataclasses.fields(TuneSettings)} & {field.name for field in dataclasses.fields(stage)}
    return TuneSettings.of({name: getattr(stage, name) for name in sorted(names)})


def continue_pretraining(
    model: str,
    corpus: Domain,
    settings: TuneSettings,
    folder: Path,
    *,
    seed: int = 0,
    called: str | None = None,
    general: Domain | None = None,
) -> None:
    """Train a model further on a corpus, for the next token where it was made for that, else for hidden ones; save it in a folder.

    Documents are read whole, in pieces. A model without a head for hidden tokens gets one, and a
    warning says so.

    Args:
        general: examples that fill the share ``settings.replay`` of every batch against forgetting.

    Raises:
        InputError, RunError: see :func:`acclimate.tune.trainer.fine_tune`.
    """
    from acclimate.models.causal import resolve_causal
    from acclimate.tune.examples import gather
    from acclimate.tune.trainer import fine_tune

    causal = resolve_causal(model).writes
    examples = gather(None, target=corpus, replay=general)
    chosen = settings if causal else dataclasses.replace(settings, packing=False)
    task = "causal-lm" if causal else "masked-lm"
    fine_tune(model, examples, (), chosen, seed=seed, folder=folder, save=True, task=task, called=called)
