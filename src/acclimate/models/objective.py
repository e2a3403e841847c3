"""What training minimises is a sum of objectives; this is the shape of one (mixing, attacks, alignment, regularisation)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import ClassVar, Protocol

import torch
from torch import Tensor


@dataclasses.dataclass
class Batch:
    """What one optimiser step sees.

    Attributes:
        inputs: keyword arguments of the model: ``input_ids`` and ``attention_mask``, both ``(b, t)``.
        labels: class numbers ``(b,)``.
        weights: example weights ``(b,)``, mean about 1.
        from_target: ``(b,)`` bool, True where the example belongs to the target domain.
        generator: the step's own random generator, on the CPU; seeded from (seed, step), so a resumed run draws the same.
        step: optimiser steps done so far.
        unlabelled: inputs of target examples without labels, as ``inputs``; None unless an objective asks for them.
    """

    inputs: Mapping[str, Tensor]
    labels: Tensor
    weights: Tensor
    from_target: Tensor
    generator: torch.Generator
    step: int
    unlabelled: Mapping[str, Tensor] | None = None


class Classifier(Protocol):
    """A model in two halves, so that objectives can reach the representation between them."""

    def represent(self, **inputs: Tensor) -> Tensor:
        """Inputs to one vector per example, ``(b, d)``."""
        ...

    def classify(self, representation: Tensor) -> Tensor:
        """``(b, d)`` to logits ``(b, c)``."""
        ...


class Outputs:
    """The plain forward pass of a batch, run when first asked for: an objective that replaces the task loss never pays for it."""

    def __init__(self, forward: Callable[[], tuple[Tensor, Tensor]]) -> None:
        self._forward = forward

    @cached_property
    def _both(self) -> tuple[Tensor, Tensor]:
        return self._forward()

    @property
    def representation(self) -> Tensor:
        """``(b, d)``"""
        return self._both[0]

    @property
    def logits(self) -> Tensor:
        """``(b, c)``"""
        return self._both[1]


class Objective(Protocol):
    """A scalar term of the loss; its weight and schedule are set from outside.

    ``replaces_task`` says that the term already contains the task loss (mixup does), so the plain one is left out.
    ``needs_unlabelled`` asks for a batch of target examples without labels beside the labelled one.
    """

    replaces_task: ClassVar[bool]
    needs_unlabelled: ClassVar[bool]

    def __call__(self, model: Classifier, batch: Batch, outputs: Outputs) -> Tensor:
        """The scalar term, averaged over the batch."""
        ...


def weighted_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy averaged with example weights, ``sum_i w_i CE_i / sum_i w_i``; logits ``(b, c)``, the others ``(b,)``."""
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    return (losses * weights).sum() / weights.sum().clamp_min(1e-12)
