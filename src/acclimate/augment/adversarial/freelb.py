"""FreeLB: every ascent of the attack is a lesson too, so K ascents cost K passes and no more."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.augment.adversarial import perturbation as to

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


@dataclasses.dataclass(frozen=True)
class FreeLb:
    """The mean of the task losses at ``δ₀ … δ_{K−1}``, points on a projected ascent; it takes the place of the task loss.

    ``min_θ E (1/K) Σ_{t<K} L(x + δ_t)`` with ``δ_{t+1} = Π_{‖δ‖₂ ≤ ε}(δ_t + α g / ‖g‖₂)`` (Zhu 2020, eq. 4, algorithm 1). One way
    back gives both the gradient of the weights, which is summed up, and that of ``δ``. All passes drop the same (section 3.3).

    Use when: PGD's smoothness is wanted at a third less. Avoid when: a step may cost no more than two plain ones (FGM).

    Args:
        epsilon: radius as a share of the example's length, see :mod:`acclimate.augment.adversarial.perturbation`.
        steps: K. 3, as Zhu 2020 uses on most of GLUE (table 7: 2 to 4).
        step: α as a share of the radius. Zhu 2020 (table 7) has α between a fifth of ε and all of it.
    """

    paper: ClassVar[str] = "Zhu 2020"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Trains on every point of a short climb to a worse input (free large-batch adversarial training)."
    summary_zh: ClassVar[str] = "在逐步上升的每个扰动点上累积梯度训练（FreeLB）。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    epsilon: float = 0.05
    steps: int = 3
    step: float = 0.5

    def __post_init__(self) -> None:
        """Raises InputError: a radius, a step or a number of steps that means nothing."""
        to.check_positive("freelb", epsilon=self.epsilon, step=self.step)
        to.check_steps("freelb", self.steps)

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The mean loss; it carries the gradients that were taken on the way."""
        import torch

        from acclimate.models.objective import task_loss
        from acclimate.models.passes import Dropout, carry, trainable

        start, parameters = outputs.embedded.detach(), trainable(model)
        real = to.real_positions(batch.inputs, start)
        radius = to.radii(self.epsilon, start, real)
        delta = to.uniform_start(batch, start, real, radius)
        dropout = Dropout(start.device)
        total = start.new_zeros(())
        sums: list[Tensor | None] = [None] * (1 + len(parameters))
        for _ in range(self.steps):
            delta.requires_grad_()
            logits = to.logits_at(model, batch.inputs, to.perturbed(model, start, delta), dropout)
            loss = task_loss(logits, batch) / self.steps
            found = torch.autograd.grad(loss, [delta, *parameters], allow_unused=True)
            total, sums = total + loss.detach(), _added(sums, found)
            uphill = found[0] * real
            delta = to.into_l2_ball(delta.detach() + self.step * radius * to.scaled(uphill, to.lengths(uphill)), radius)
        # δ is added to the embedded inputs, so the gradient of the one is that of the other.
        return carry(total, [outputs.embedded, *parameters], sums)


def _added(sums: list[Tensor | None], found: tuple[Tensor | None, ...]) -> list[Tensor | None]:
    """The sums with another gradient of each; None is none."""
    import torch

    if all(value is None for value in sums):
        return list(found)
    pairs = [(mine, other) for mine, other in zip(sums, found, strict=True) if mine is not None and other is not None]
    torch._foreach_add_([mine for mine, _ in pairs], [other for _, other in pairs])
    return sums
