"""FGM: one step along the gradient, and the loss there beside the plain one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.augment.adversarial import perturbation as to

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


def fast_gradient(gradient: Tensor, real: Tensor, radius: Tensor) -> Tensor:
    """``δ = ε g / ‖g‖₂`` for each example (Miyato 2017, eq. 8); gradient ``(b, ...)``, real and radius ``(b, 1, ...)``."""
    allowed = gradient * real
    return radius * to.scaled(allowed, to.lengths(allowed))


@dataclasses.dataclass(frozen=True)
class Fgm:
    """The task loss at the worst point that one gradient step finds, added to the plain one.

    The gradient of the plain loss with respect to the inputs comes from the same way back as that of the weights, so a step costs
    two plain passes. The second pass drops what the first one dropped.

    Use when: labels are few; the cheapest of the attacks, and a good first try. Avoid when: a step may cost no more than a plain
    one; or inputs are already noisy.

    Args:
        epsilon: length of the step as a share of the example's own, see :mod:`acclimate.augment.adversarial.perturbation`.
    """

    paper: ClassVar[str] = "Miyato 2017"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Adds the task loss one gradient step away from each input."
    summary_zh: ClassVar[str] = "沿梯度方向对输入（词嵌入或像素）走一步，并加上该处的任务损失（FGM）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = True

    epsilon: float = 0.05

    def __post_init__(self) -> None:
        """Raises InputError: epsilon not above 0."""
        to.check_positive("fgm", epsilon=self.epsilon)

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The task loss of the perturbed batch."""
        from acclimate.models.objective import task_loss

        gradient, embedded = outputs.input_gradient(), outputs.embedded
        real = to.real_positions(batch.inputs, embedded)
        delta = fast_gradient(gradient, real, to.radii(self.epsilon, embedded, real))
        moved = to.perturbed(model, embedded, delta)
        return task_loss(to.logits_at(model, batch.inputs, moved, outputs.dropout), batch)
