"""A small real training for the tests here; also a program, so that a test can kill it."""

from __future__ import annotations

import sys
from pathlib import Path

from acclimate.tune.adapted import Adapted
from acclimate.tune.examples import Examples, gather
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import build_terms
from acclimate.tune.trainer import fine_tune
from tests.shift import pool, sentences

CLASSES = ("bad", "good")
TEXTS = sentences("clinic", 70, seed=9).texts
OBJECTIVES = [{"method": "mixup", "alpha": 0.5}, {"method": "coral", "weight": 10.0}]


def examples() -> Examples:
    return gather(CLASSES, source=pool(60), target=sentences("clinic", 20, seed=3), unlabelled=TEXTS[:30], target_weight=2)


def long_training(encoder: str, folder: Path | None) -> Adapted:
    """80 steps with dropout, mixup's draws and an unlabelled stream; a checkpoint every 10."""
    settings = TuneSettings(steps=80, batch_size=8, lr=1e-3, checkpoint_every=10)
    return fine_tune(encoder, examples(), CLASSES, settings, build_terms(OBJECTIVES), seed=1, folder=folder)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    long_training(sys.argv[1], Path(sys.argv[2]))
