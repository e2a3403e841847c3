"""The networks that objectives bring along: hung on the model while it trains, taken off before it is handed out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from acclimate.errors import RunError
from acclimate.models.objective import Batches, Equipped, Model, Objective

#: Under this name they hang on the model, each by the name of its objective's class.
COMPANIONS = "companions"


def equip(model: Model, objectives: Sequence[Objective], batches: Batches, seed: int) -> None:
    """Ask every :class:`acclimate.models.objective.Equipped` objective for its network; each starts from ``seed`` alone."""
    made = {}
    with torch.random.fork_rng(devices=[]):
        for objective in objectives:
            if isinstance(objective, Equipped):
                torch.manual_seed(seed)
                made[type(objective).__name__] = objective.companion(model, batches)
    if made:
        _module(model).add_module(COMPANIONS, nn.ModuleDict(made))


def dismiss(model: Model) -> None:
    """Take the companions off: the model is its own again."""
    _module(model)._modules.pop(COMPANIONS, None)


def companion_of(model: Model, objective: Objective) -> nn.Module:
    """The network of one objective.

    Raises:
        RunError: the model was not equipped for it.
    """
    kept = _module(model)._modules.get(COMPANIONS)
    name = type(objective).__name__
    if not isinstance(kept, nn.ModuleDict) or name not in kept:
        raise RunError(f"{name} has no network of its own on this model", expected="a model that was equipped for its objectives")
    return kept[name]


class Frozen(nn.Module):
    """A network that stays as it is: never trained, never in training mode."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Frozen:
        """Nothing is dropped and no statistics move, whatever is asked."""
        del mode
        return super().train(False)


def _module(model: Model) -> nn.Module:
    return cast("nn.Module", model)
