"""R-Drop: two draws of dropout must agree."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


@dataclasses.dataclass(frozen=True)
class RDrop:
    """Each example goes through the model twice; both predictions are taught, and drawn together. It replaces the task loss.

    ``½ (CE₁ + CE₂) + α ½ (KL(P₁ ‖ P₂) + KL(P₂ ‖ P₁))`` (Wu 2021, eq. 2 and 3 divided by 2, so that losses compare with a plain
    one). Both passes are the two halves of one batch: the embeddings are looked up once.

    Use when: fine-tuning overfits; labels are few. Avoid when: the model has no dropout (both passes are then the same), or a step
    may cost no more than a plain one.

    Args:
        alpha: weight of the divergence. 0.5, within Wu 2021's 0.1 to 1 on GLUE (their α is twice this one's, their loss a sum).
    """

    paper: ClassVar[str] = "Wu 2021"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Two passes with different dropout: both are taught, and their predictions are drawn together."
    summary_zh: ClassVar[str] = "同一样本两次前向（不同 dropout），均计算损失，并使两次预测一致（R-Drop）。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    alpha: float = 0.5

    def __post_init__(self) -> None:
        """Raises InputError: alpha below 0."""
        if isinstance(self.alpha, bool) or not isinstance(self.alpha, (int, float)) or not 0 <= self.alpha < float("inf"):
            raise InputError(f"r-drop was given alpha {self.alpha!r}", expected="a number of at least 0, such as 0.5")

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """Both task losses, averaged, and the divergence between the two predictions."""
        import torch

        from acclimate.models.objective import task_loss
        from acclimate.models.passes import Dropout

        twice = {name: torch.cat([values, values]) for name, values in batch.inputs.items()}
        both = torch.cat([outputs.embedded, outputs.embedded])
        with Dropout(both.device).again():
            first, second = model.classify(model.represent(twice, embedded=both)).chunk(2)
        taught = (task_loss(first, batch) + task_loss(second, batch)) / 2
        return taught + self.alpha * disagreement(first, second, batch)


def disagreement(first: Tensor, second: Tensor, batch: Batch) -> Tensor:
    """``½ (KL(P₁ ‖ P₂) + KL(P₂ ‖ P₁))`` (Wu 2021, eq. 1), averaged as the task loss is; logits ``(b, c)`` or ``(b, t, c)``."""
    from acclimate.models.divergence import symmetric_kl
    from acclimate.models.objective import weighted_mean

    return weighted_mean(symmetric_kl(first, second) / 2, batch.scored, batch.weights)
