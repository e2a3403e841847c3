"""The layer that turns a classifier into an opponent: forward it does nothing, backward it turns the gradient round."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def reverse(values: Tensor, factor: float = 1.0) -> Tensor:
    """``R(x) = x``, ``dR/dx = −λ I`` (Ganin 2016, section 4.2).

    >>> x = torch.ones(1, requires_grad=True)
    >>> reverse(x, 0.5).backward()
    >>> x.grad
    tensor([-0.5000])
    """
    reversed_: Tensor = _Reversal.apply(values, factor)  # type: ignore[no-untyped-call]
    return reversed_


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.factor * gradient, None
