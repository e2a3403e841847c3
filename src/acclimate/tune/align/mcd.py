"""Maximum classifier discrepancy: two heads disagree where the target is uncertain, the encoder reconciles them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError
from acclimate.tune.align.sides import head_shape, sides, wide

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor, nn

    from acclimate.models.objective import Batch, Batches, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Mcd:
    """A second head is taught beside the first; on target examples both seek to differ, and the encoder to make them agree.

    ``CE(second head) − d(p₁, p₂)`` with the gradient of ``d`` reversed before the representation (Saito 2018, section 3.2 and
    3.3). The paper takes the three moves in turns; with a reversed gradient they are one step, as it mentions for gradient
    reversal.

    Use when: class borders matter: targets that lie near them are pushed to one side. Avoid when: classes overlap in truth, or
    a step may cost no more than dan's.

    Args:
        pull: how strongly the encoder is pulled against the heads. 1; the paper's n = 2 to 4 turns of the encoder are as many.
    """

    paper: ClassVar[str] = "Saito 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Two heads seek to differ on the target; the encoder learns to leave them no room."
    summary_zh: ClassVar[str] = "两个分类头在目标域上最大化分歧，编码器使其一致（MCD）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    pull: float = 1.0

    def __post_init__(self) -> None:
        """Raises InputError: pull not above 0."""
        if isinstance(self.pull, bool) or not isinstance(self.pull, (int, float)) or not 0 < self.pull < float("inf"):
            raise InputError(f"mcd was given pull {self.pull!r}", expected="a number above 0, such as 1")

    def companion(self, model: Model, batches: Batches) -> nn.Module:
        """The second head."""
        from torch import nn

        del batches
        return nn.Linear(*head_shape(model))

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The second head's task loss, less how far the heads are apart on the target."""
        from acclimate.models.companions import companion_of
        from acclimate.models.objective import task_loss
        from acclimate.models.reversal import reverse

        second = companion_of(model, self)
        _, target, _ = sides(batch, outputs)
        seen = reverse(target, self.pull)
        first = model.classify(seen.to(outputs.representation.dtype))
        apart = discrepancy(wide(first).softmax(-1), second(seen).softmax(-1))
        return task_loss(second(wide(outputs.representation)), batch) - apart


def discrepancy(one: Tensor, other: Tensor) -> Tensor:
    """``d = mean |p₁ − p₂|`` over examples and classes (Saito 2018, section 3.2); probabilities ``(n, c)``."""
    return (one - other).abs().mean()
