"""Label smoothing: a little of every label is spread over all classes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


@dataclasses.dataclass(frozen=True)
class LabelSmoothing:
    """Cross-entropy against ``(1 − ε) y + ε / c``; it takes the place of the task loss (Szegedy 2016, section 7).

    Use when: labels are noisy or the model grows overconfident; it costs nothing. Avoid when: probabilities of a teacher are wanted
    later: smoothing wipes out what they say about similar classes (Müller 2019).

    Args:
        epsilon: what is spread; 0.1 as Szegedy 2016.
    """

    paper: ClassVar[str] = "Szegedy 2016"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Spreads a little of every label over all classes."
    summary_zh: ClassVar[str] = "将每个标签的一小部分均匀分给所有类别（标签平滑）。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    epsilon: float = 0.1

    def __post_init__(self) -> None:
        """Raises InputError: epsilon outside (0, 1)."""
        if isinstance(self.epsilon, bool) or not isinstance(self.epsilon, (int, float)) or not 0 < self.epsilon < 1:
            raise InputError(f"label-smoothing was given epsilon {self.epsilon!r}", expected="a share between 0 and 1")

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The cross-entropy against smoothed labels, averaged as the task loss is."""
        del model
        from acclimate.models.objective import task_loss, weighted_mean

        spread = -outputs.logits.log_softmax(-1).mean(-1)
        everywhere = weighted_mean(spread, batch.scored, batch.weights)
        return (1 - self.epsilon) * task_loss(outputs.logits, batch) + self.epsilon * everywhere
