"""Somebody who looks at a model while it learns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # trainers know models; who watches need not load torch
    from acclimate.tune.adapted import Adapted


@dataclasses.dataclass(frozen=True)
class Watch:
    """What is called while a model is fine-tuned.

    Attributes:
        every: optimiser steps between two looks; the finished model is not shown.
        look: given the steps done and the model as it is then, which it must not change. What it raises ends the training.
    """

    every: int
    look: Callable[[int, Adapted], None]
