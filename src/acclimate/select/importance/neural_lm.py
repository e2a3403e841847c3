"""A causal language model, briefly adapted to some texts: the neural models of Moore & Lewis' difference.

The adapter, its gradients and the batches are those of :mod:`acclimate.features`, where other selectors take gradients too; what is
added here is a handful of Adam's steps along them. It is no way to train a model for use: that is the training floor's.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import nn

    from acclimate.features.lora import Adapter
    from acclimate.models.causal import CausalModel

#: Of the adapter, as in Hu et al. 2022 for small models, and of Adam's steps along its gradient.
RANK, ALPHA, RATE = 8, 16.0, 1e-3


def adapt(model: CausalModel, texts: Sequence[str], *, steps: int, seed: int) -> Adapter:
    """LoRA factors after so many of Adam's steps (Kingma & Ba 2015) on batches of the texts in a random order.

    A step is one forward and backward pass of at most 512 tokens. Texts are read from their beginning to the model's context.

    Args:
        steps: at least 1; texts are read again where there are fewer batches.
        seed: of the fresh adapter and of the order. The texts' own order does not matter.
    """
    import torch

    from acclimate.features.gradients import per_example_gradients
    from acclimate.features.lora import TARGETS, fresh_adapter

    adapter = fresh_adapter(model.model, rank=RANK, alpha=ALPHA, targets=TARGETS, seed=seed)
    factors = [part for layer in adapter.layers for part in (layer.down, layer.up)]
    sizes = [part.numel() for part in factors]
    optimizer = torch.optim.Adam(factors, lr=RATE)
    for step, (ids, scored) in zip(range(steps), _batches(model, sorted(texts), seed), strict=False):
        mean = per_example_gradients(model.model, adapter, ids, scored).sum(0) / scored.any(1).sum()
        for part, piece in zip(factors, torch.split(mean, sizes), strict=True):
            part.grad = piece.view_as(part)
        optimizer.step()
        if step == 0:  # from here on the first factor has a gradient too
            adapter = dataclasses.replace(adapter, layers=tuple(dataclasses.replace(f, fresh=False) for f in adapter.layers))
    return adapter


def _batches(model: CausalModel, texts: Sequence[str], seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Token numbers and what counts, ``(b, t)`` each, over and over in random orders; nothing where no text can be scored."""
    import torch

    batches = list(model.batches(model.first_window(texts)))
    rng = np.random.default_rng(seed)
    while batches:
        for number in rng.permutation(len(batches)):
            batch = batches[number]
            ids, scored = (torch.from_numpy(part).to(model.model.device) for part in (batch.ids, batch.scored))
            yield ids, scored


@contextlib.contextmanager
def merged(model: nn.Module, adapter: Adapter) -> Iterator[None]:
    """Inside, the layers' weights are ``W + scale B A``; afterwards they are what they were, to the last bit."""
    import torch

    weights = {layer.name: model.get_submodule(layer.name).get_parameter("weight") for layer in adapter.layers}
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    try:
        with torch.no_grad():
            for layer in adapter.layers:
                weights[layer.name].add_((layer.scale * layer.up @ layer.down).to(weights[layer.name].dtype))
        yield
    finally:
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(before[name])


@dataclasses.dataclass(frozen=True, eq=False)
class NeuralLosses:
    """Losses of texts under one causal model with several adapters."""

    model: CausalModel
    adapters: Sequence[Adapter]

    @classmethod
    def of(cls, model: CausalModel, corpora: Sequence[Sequence[str]], *, steps: int, seed: int) -> Self:
        """An adapter for each corpus, from the same start and with the same number of steps."""
        return cls(model, [adapt(model, corpus, steps=steps, seed=seed) for corpus in corpora])

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Nats of each text under each adapter, ``(adapters, n)``, and the scored tokens of each text ``(n,)``."""
        nats, counts = np.zeros((len(self.adapters), len(texts))), np.zeros(len(texts), dtype=np.int64)
        for number, adapter in enumerate(self.adapters):
            with merged(self.model.model, adapter):
                nats[number], counts = self.model.losses(texts)
        return nats, counts
