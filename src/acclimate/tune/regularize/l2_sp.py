"""L2-SP: weights stay near where training began."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, cast

from acclimate.errors import InputError

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from collections.abc import Sequence

    from torch import Tensor, nn

    from acclimate.models.objective import Batch, Batches, Model, Outputs


#: Parameters under this name were not pre-trained.
HEAD = "head."


@dataclasses.dataclass(frozen=True)
class L2Sp:
    """``α/2 ‖w − w⁰‖² + β/2 ‖head‖²``, the pre-trained weights being ``w⁰`` (Li 2018, eq. 2).

    Weights that are frozen cost nothing. A second copy of all of them is held in memory.

    Use when: labels are few and the base model is near the task already. Avoid when: the model must change much to serve, or only a
    few weights are trained (LoRA holds the others by itself).

    Args:
        alpha: pull to the start. 0.1, as Li 2018, section 4.2.
        beta: pull of the fresh head to 0. 0.01, as the paper.
    """

    paper: ClassVar[str] = "Li 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Keeps weights near the pre-trained ones."
    summary_zh: ClassVar[str] = "使权重保持在预训练起点附近（L2-SP）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    alpha: float = 0.1
    beta: float = 0.01

    def __post_init__(self) -> None:
        """Raises InputError: alpha or beta below 0."""
        for name in ("alpha", "beta"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
                raise InputError(f"l2-sp was given {name} {value!r}", expected="a number of at least 0")

    def companion(self, model: Model, batches: Batches) -> nn.Module:
        """The starting point: a copy of every weight, zeros for the head."""
        from torch import nn

        del batches
        copies = [value.detach() * (0 if name.startswith(HEAD) else 1) for name, value in _weights(model)]
        return nn.ParameterList([nn.Parameter(copy, requires_grad=False) for copy in copies])

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The penalty; it does not depend on the batch."""
        from acclimate.models.companions import companion_of

        del batch, outputs
        starts = companion_of(model, self).parameters()
        pairs = [(name, value, start) for (name, value), start in zip(_weights(model), starts, strict=True) if value.requires_grad]
        pulls = [self.beta if name.startswith(HEAD) else self.alpha for name, _, _ in pairs]
        return pulled([value for _, value, _ in pairs], [start for _, _, start in pairs], pulls)


def pulled(weights: Sequence[Tensor], starts: Sequence[Tensor], pulls: Sequence[float]) -> Tensor:
    """``½ Σ p ‖w − w⁰‖²``; its gradient ``p (w − w⁰)`` is written down, not traced: that is as many numbers as the model has."""
    import torch

    from acclimate.models.passes import carry

    with torch.no_grad():
        ways = [weight - start for weight, start in zip(weights, starts, strict=True)]
        lengths = [pull * way.float().square().sum() for pull, way in zip(pulls, ways, strict=True)]
        gradients = [way.mul_(pull) for pull, way in zip(pulls, ways, strict=True)]
    return carry(torch.stack(lengths).sum() / 2, weights, gradients)


def _weights(model: Model) -> list[tuple[str, nn.Parameter]]:
    """The model's own, by name, always in the same order."""
    from acclimate.models.companions import COMPANIONS

    named = cast("nn.Module", model).named_parameters()
    return [(name, value) for name, value in named if not name.startswith(COMPANIONS)]
