"""Forward passes beside the plain one, and gradients that are already known."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class _Trained(Protocol):
    def parameters(self) -> Iterator[nn.Parameter]: ...

    def modules(self) -> Iterator[nn.Module]: ...


class Dropout:
    """What the next forward pass on ``device`` will drop, so that further passes can drop the same.

    A perturbation that was found for one network means little for another, and two draws of dropout make two networks
    (Zhu 2020, section 3.3).
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device if device.type == "cuda" else None
        self._state = torch.get_rng_state()
        self._device_state = torch.cuda.get_rng_state(device) if self._device else None

    @contextlib.contextmanager
    def again(self) -> Iterator[None]:
        """Inside, the same is dropped; draws outside are not disturbed."""
        with torch.random.fork_rng(devices=[self._device] if self._device else []):
            torch.set_rng_state(self._state)
            if self._device is not None and self._device_state is not None:
                torch.cuda.set_rng_state(self._device_state, self._device)
            yield


@contextlib.contextmanager
def steady_statistics(model: _Trained) -> Iterator[None]:
    """Inside, batch norm keeps its running means: perturbed examples are not what the model will meet."""
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def trainable(model: _Trained) -> list[nn.Parameter]:
    """The parameters that training changes."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def carry(value: Tensor, tensors: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> Tensor:
    """A scalar of this value whose gradient with respect to ``tensors`` is already known; None is no gradient.

    >>> weight = torch.ones(2, requires_grad=True)
    >>> carry(torch.tensor(5.0), [weight], [torch.tensor([1.0, 3.0])]).backward()
    >>> weight.grad
    tensor([1., 3.])
    """
    known = [
        (tensor, gradient)
        for tensor, gradient in zip(tensors, gradients, strict=True)
        if gradient is not None and tensor.requires_grad
    ]
    carried: Tensor = _Carried.apply(  # type: ignore[no-untyped-call]
        value.detach(), [gradient for _, gradient in known], *(tensor for tensor, _ in known)
    )
    return carried


class _Carried(torch.autograd.Function):
    """The known gradients, times whatever factor the loss gets on its way."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor], *tensors: Tensor) -> Tensor:
        del tensors
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx: Any, factor: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.gradients
        ctx.gradients = None  # handed on, not kept: the engine may then take them as they are
        if factor.is_cuda or factor != 1:  # asking an accelerator would wait for it
            torch._foreach_mul_(gradients, factor)
        return (None, None, *gradients)
