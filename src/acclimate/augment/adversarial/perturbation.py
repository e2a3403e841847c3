"""What every attack is made of: lengths, balls, random starts, and a pass over perturbed inputs.

A perturbation ``δ`` has the shape of the embedded inputs, ``(b, t, d)`` or ``(b, 3, h, w)``, and is measured for each example by
itself: of a text over its whole sequence. Padding is never perturbed.

Lengths are told as shares of the example's own: 5 on embeddings scaled to variance 1 (Miyato 2017, 256 dimensions, some 240 words)
is 2% of a text's length, 1 on BERT's embeddings of 128 tokens 6%. So a setting carries over from one model to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from acclimate.errors import InputError

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model
    from acclimate.models.passes import Dropout


def real_positions(inputs: Mapping[str, Tensor], embedded: Tensor) -> Tensor:
    """1 where an input may be perturbed, 0 on padding: ``(b, t, 1)``, or ``(b, 1, 1, 1)`` of images, which have none."""
    mask = inputs.get("attention_mask")
    if mask is None:
        return embedded.new_ones(len(embedded), *[1] * (embedded.ndim - 1))
    return mask.unsqueeze(-1).to(embedded.dtype)


def lengths(values: Tensor) -> Tensor:
    """The L2 norm of each example, ``(b, ...)`` to ``(b, 1, ...)``."""
    norms: Tensor = values.flatten(1).float().norm(dim=1)
    return norms.reshape(-1, *[1] * (values.ndim - 1)).to(values.dtype)


def largest(values: Tensor) -> Tensor:
    """The L∞ norm of each example, ``(b, ...)`` to ``(b, 1, ...)``."""
    return values.flatten(1).abs().amax(1).reshape(-1, *[1] * (values.ndim - 1))


def scaled(values: Tensor, norms: Tensor) -> Tensor:
    """Each example divided by its norm; one of norm 0 stays 0."""
    return values / norms.clamp_min(1e-30 if values.dtype.itemsize > 2 else 1e-6)


def radii(share: float, embedded: Tensor, real: Tensor) -> Tensor:
    """A share of the length of each example, ``(b, 1, ...)``."""
    return share * lengths(embedded.detach() * real)


def into_l2_ball(delta: Tensor, radius: Tensor) -> Tensor:
    """The nearest point whose L2 norm is at most ``radius (b, 1, ...)``."""
    return delta * (radius / lengths(delta).clamp_min(1e-12)).clamp_max(1)


def into_linf_ball(delta: Tensor, radius: Tensor) -> Tensor:
    """The nearest point no coordinate of which exceeds ``radius (b, 1, ...)``."""
    return delta.clamp(-radius, radius)


def gaussian(batch: Batch, like: Tensor) -> Tensor:
    """Standard normal values in the shape of ``like``, from the batch's own generator."""
    import torch

    return torch.randn(like.shape, generator=batch.generator).to(like)


def uniform_start(batch: Batch, embedded: Tensor, real: Tensor, radius: Tensor) -> Tensor:
    """``δ₀ = U(−ε, ε) / √N`` with N perturbed numbers in each example (Zhu 2020, algorithm 1): inside the ball of radius ε."""
    import torch

    values = torch.rand(embedded.shape, generator=batch.generator).to(embedded) * 2 - 1
    count = real.flatten(1).sum(1) * embedded[0].numel() / real[0].numel()
    root = count.clamp_min(1).sqrt().reshape(-1, *[1] * (embedded.ndim - 1))
    return values * real * radius / root


def perturbed(model: Model, embedded: Tensor, delta: Tensor) -> Tensor:
    """``embedded + delta``; pixels stay between 0 and 1."""
    moved = embedded + delta
    return moved.clamp(0, 1) if model.modality == "image" else moved


def logits_at(model: Model, inputs: Mapping[str, Tensor], embedded: Tensor, dropout: Dropout) -> Tensor:
    """Logits of perturbed inputs under the same dropout as the pass it is compared with."""
    from acclimate.models.passes import steady_statistics

    with dropout.again(), steady_statistics(model):
        return model.classify(model.represent(inputs, embedded=embedded))


def ascent(loss: Tensor, delta: Tensor) -> Tensor:
    """The gradient with respect to ``delta`` alone: no parameter's is computed, so none changes."""
    import torch

    (gradient,) = torch.autograd.grad(loss, [delta])
    return gradient


def check_positive(name: str, **settings: Any) -> None:
    """Raises InputError: a setting that is no number above 0."""
    for setting, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
            raise InputError(f"{name} was given {setting} {value!r}", expected="a number above 0")


def check_steps(name: str, steps: int) -> None:
    """Raises InputError: a number of steps that is no whole number of at least 1."""
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise InputError(f"{name} was given steps {steps!r}", expected="a whole number of at least 1, such as 3")
