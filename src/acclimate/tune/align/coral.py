"""Deep CORAL: the covariances of source and target representations are drawn together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.tune.align.sides import nothing, sides

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Coral:
    """``‖C_s − C_t‖²_F / (4 d²)`` between the batch's source representations and those of unlabelled target examples.

    (Sun & Saenko 2016, eq. 1; covariances of eq. 2 and 3.) The source side is the labelled examples that are not the target's; in
    a batch with fewer than two of these it is all labelled examples.

    Use when: source and target share their classes and differ in style, and target labels are few. Avoid when: class shares differ
    much between them, for then matching distributions moves classes onto each other.

    The paper sets the weight so that this term ends near the task loss. The divisor 4 d² makes it tiny where d is large: between
    batches of 16 tweets and 16 editorials it is 7e-5 on MiniLM (d = 384), so that there a weight of about 1000 is felt.
    """

    paper: ClassVar[str] = "Sun & Saenko 2016"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Draws the covariances of source and target representations together while training."
    summary_zh: ClassVar[str] = "训练时使源域与目标域表示的协方差相互接近。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The distance for one batch; 0 where one side is a single example, which has no covariance."""
        del model
        from acclimate.features.kernels import coral_distance

        source, target, _ = sides(batch, outputs)
        return coral_distance(source, target) if min(len(source), len(target)) >= 2 else nothing(outputs)
