"""Small networks that play against the encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor, nn


def perceptron(inputs: int, hidden: int, outputs: int, layers: int = 1) -> nn.Sequential:
    """``layers`` hidden layers of ReLU units, each with dropout of a half, and linear outputs."""
    from torch import nn

    parts: list[nn.Module] = []
    for width in [inputs, *[hidden] * (layers - 1)]:
        parts += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*parts, nn.Linear(hidden, outputs))


def domain_loss(
    source: Tensor, target: Tensor, source_weights: Tensor | None = None, target_weights: Tensor | None = None
) -> Tensor:
    """Half the sum of both domains' mean logistic losses (Ganin 2016, section 4.1), source being class 1.

    Args:
        source, target: logits ``(n,)`` and ``(m,)``.
        source_weights, target_weights: of the examples, mean 1; 1 where not given.
    """
    from torch.nn.functional import softplus

    one, other = softplus(-source), softplus(target)
    one = one if source_weights is None else one * source_weights
    other = other if target_weights is None else other * target_weights
    return (one.mean() + other.mean()) / 2
