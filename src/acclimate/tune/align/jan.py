"""Joint adaptation network: representations and predictions are matched together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.tune.align.sides import nothing, sides, wide

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Jan:
    """The joint MMD of representation and class probabilities: one kernel for each, multiplied (Long 2017, section 4.2).

    Of two examples the kernel is large only where both their representations and their predictions are alike, so classes are not
    moved onto each other as readily as by dan.

    Use when: dan would serve, and the classifier is right more often than not on the target. Avoid when: class shares differ much
    between source and target, or the first predictions on the target are near chance.
    """

    paper: ClassVar[str] = "Long 2017"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Matches representations and predictions of source and target jointly, by one MMD."
    summary_zh: ClassVar[str] = "以联合 MMD 同时匹配源域与目标域的表示和预测（JAN）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The joint discrepancy of one batch; 0 where one side is a single example."""
        del model
        from acclimate.tune.align.mmd import joint_mmd

        source, target, rows = sides(batch, outputs)
        if min(len(source), len(target)) < 2:
            return nothing(outputs)
        guessed = wide(outputs.logits[rows]).softmax(-1), wide(outputs.unlabelled_logits).softmax(-1)
        return joint_mmd([source, guessed[0]], [target, guessed[1]])
