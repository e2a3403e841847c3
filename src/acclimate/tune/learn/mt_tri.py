"""Multi-task tri-training: three heads, each taught on the target by what the two others agree on."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, cast

from acclimate.errors import InputError
from acclimate.tune.align.sides import head_shape, wide
from acclimate.tune.shallow.base import between

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor, nn

    from acclimate.models.objective import Batch, Batches, Model, Outputs


@dataclasses.dataclass(frozen=True)
class MtTri:
    """Three heads on one encoder: the first two are kept apart by a penalty, the third learns on the target alone.

    While ``warm`` lasts, all three learn from labels. Then a head is taught, beside its labels, the class of those unlabelled
    examples on which both others agree; the third head is taught these alone (Ruder & Plank 2018, section 3.3, algorithm 4), and
    ``γ ‖W₁ᵀ W₂‖²`` (eq. 3) keeps the first two different. It replaces the task loss, whose place the mean of the heads' takes. The
    paper labels all unlabelled examples anew after each epoch and trains the heads in turn; here each batch is labelled when it
    comes, and the heads train together. The paper predicts by vote; here by the mean of the three heads' logits, which is one
    linear head, so that the model stays a plain one.

    Use when: the target differs and has many unlabelled examples; self-training grows too sure of itself. Avoid when: training is
    short: the heads have to know something before they can teach each other.

    Args:
        gamma: weight of the penalty. 0.01, as the paper's section 4.3.
        warm: share of training during which only labels teach. 1/3; the paper trains on labels to convergence first.
    """

    paper: ClassVar[str] = "Ruder & Plank 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Three heads on one encoder; each is taught on the target what the two others agree on."
    summary_zh: ClassVar[str] = "共享编码器的三个分类头，两头一致的预测作为第三头的伪标签（多任务三重训练）。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    gamma: float = 0.01
    warm: float = 1 / 3

    def __post_init__(self) -> None:
        """Raises InputError: gamma below 0, or warm outside 0 to 1."""
        if self.gamma != 0:
            between("mt-tri", "gamma", self.gamma, 0)
        if isinstance(self.warm, bool) or not isinstance(self.warm, (int, float)) or not 0 <= self.warm < 1:
            raise InputError(f"mt-tri was given warm {self.warm!r}", expected="a share of at least 0 and below 1")

    def companion(self, model: Model, batches: Batches) -> nn.Module:
        """The second and the third head."""
        from torch import nn

        del batches
        return nn.ModuleList([nn.Linear(*head_shape(model)) for _ in range(2)])

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The mean of the heads' losses, on labels and agreed classes, and the penalty."""
        import torch

        from acclimate.models.companions import companion_of
        from acclimate.models.objective import task_loss

        second, third = cast("nn.ModuleList", companion_of(model, self))
        features = wide(outputs.representation)
        told = [outputs.logits, second(features), third(features)]
        losses = [task_loss(logits, batch) for logits in told]
        if batch.progress >= self.warm:
            target = wide(outputs.unlabelled)
            guessed = [outputs.unlabelled_logits, second(target), third(target)]
            taught = [
                agreement_loss(guessed[one], guessed[two], guessed[own]) for own, one, two in ((0, 1, 2), (1, 0, 2), (2, 0, 1))
            ]
            # The third head learns from agreement alone; no weight of it goes without a gradient.
            losses = [losses[0] + taught[0], losses[1] + taught[1], taught[2]]
        first = cast("nn.Linear", cast("nn.Module", model).get_submodule("head"))
        apart = orthogonality(wide(first.weight), second.get_parameter("weight"))
        return torch.stack(losses).mean() + self.gamma * apart

    def conclude(self, model: Model, batches: Batches) -> None:
        """Put the mean of the three heads in the place of the first."""
        import torch

        from acclimate.models.companions import companion_of

        del batches
        first = cast("nn.Linear", cast("nn.Module", model).get_submodule("head"))
        heads = [first, *cast("list[nn.Linear]", list(companion_of(model, self).children()))]
        weight = torch.stack([head.weight for head in heads]).mean(0)
        bias = torch.stack([head.bias for head in heads]).mean(0)
        first.weight.copy_(weight)
        first.bias.copy_(bias)


def agreement_loss(one: Tensor, two: Tensor, own: Tensor) -> Tensor:
    """The mean cross-entropy of a head on the examples to which both others give one class; 0 where they agree on none.

    Args:
        one, two: logits of the others ``(u, c)``; no gradient flows into them.
        own: logits of the head that is taught ``(u, c)``.
    """
    from torch.nn.functional import cross_entropy

    label = one.detach().argmax(-1)
    agree = (label == two.detach().argmax(-1)).to(own.dtype)
    losses: Tensor = cross_entropy(own, label, reduction="none")
    return (losses * agree).sum() / agree.sum().clamp_min(1)


def orthogonality(one: Tensor, two: Tensor) -> Tensor:
    """``‖W₁ᵀ W₂‖²_F`` (Ruder & Plank 2018, eq. 3) of two heads' weights ``(c, d)``: the product is ``(c, c)``."""
    return (one @ two.T).square().sum()
