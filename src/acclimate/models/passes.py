"""Forward passes beside the plain one, and gradients that are already known."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class _Trained(Protocol):
    def parameters(self) -> Iterator[nn.Parameter]: ...

    def modules(self) -> Iterator[nn.Module]: ...


class Dropout:
    """What a forward pass on ``device`` drops, so that further passes can drop the same.

    A perturbation that was found for one network means little for another, and two draws of dropout make two networks
    (Zhu 2020, section 3.3). Masks are drawn in the first pass and kept: drawing them is a seventh of a pass of MiniLM on a CPU, and
    they are drawn from 16 random bits a number, in a third of the time that ``torch.nn.functional.dropout`` takes. Where a kernel
    drops by itself (attention on accelerators, stochastic depth), its generator is put back instead.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device if device.type == "cuda" else None
        seed = int(torch.randint(2**62, ()))
        self._generator = torch.Generator(device if device.type in ("cpu", "cuda") else "cpu").manual_seed(seed)
        self._masks: list[Tensor] = []
        #: How many masks the pass has used so far.
        self.position = 0
        self._state = torch.get_rng_state()
        self._device_state = torch.cuda.get_rng_state(device) if self._device else None

    @contextlib.contextmanager
    def again(self, position: int = 0) -> Iterator[None]:
        """Inside, the same is dropped as the first time, from mask ``position`` on; draws outside are not disturbed."""
        with torch.random.fork_rng(devices=[self._device] if self._device else []), _Masked(self._mask):
            self.position = position
            torch.set_rng_state(self._state)
            if self._device is not None and self._device_state is not None:
                torch.cuda.set_rng_state(self._device_state, self._device)
            yield

    def _mask(self, like: Tensor, share: float) -> Tensor:
        """Factors in the shape of ``like``: 0 with probability ``share``, else ``1 / (1 − share)``."""
        if self.position == len(self._masks):
            self._masks.append(draw_mask(like, share, self._generator))
        self.position += 1
        return self._masks[self.position - 1]


def draw_mask(like: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Factors in the shape of ``like``: 0 with probability ``share`` (to 1/65,536), else ``1 / (1 − share)``."""
    words = torch.empty(-(-like.numel() // 4), dtype=torch.int64, device=generator.device)
    bits = words.random_(-(2**63), None, generator=generator).view(torch.int16)[: like.numel()]
    kept = bits >= round(share * 65_536) - 32_768
    return kept.view(like.shape).to(like).mul_(1 / (1 - share))


class _Masked(TorchFunctionMode):
    """Inside, dropout multiplies by the masks that it is handed; so does attention on a CPU, where no kernel would be faster."""

    def __init__(self, mask: Callable[[Tensor, float], Tensor]) -> None:
        super().__init__()
        self._mask = mask

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func is functional.dropout:
            return self._dropped(*args, **given)
        if func is functional.scaled_dot_product_attention and given.get("dropout_p") and args[0].device.type == "cpu":
            return self._attended(*args, **given)
        return func(*args, **given)

    def _dropped(self, values: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        del inplace
        return values * self._mask(values, p) if training and p else values

    def _attended(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """``softmax(q kᵀ / √d + mask) v`` (Vaswani 2017, eq. 1) with dropped weights; ``(b, heads, t, d)``."""
        if enable_gqa:
            groups = query.shape[1] // key.shape[1]
            key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        scores = query @ key.transpose(-1, -2) * (scale or query.shape[-1] ** -0.5)
        if is_causal:
            attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if attn_mask is not None:
            scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
        weights = scores.softmax(-1)
        return (weights * self._mask(weights, dropout_p)) @ value


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
