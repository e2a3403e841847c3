"""Margin disparity discrepancy: an opponent agrees with the head on the source and contradicts it on the target."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError
from acclimate.tune.align.opponents import perceptron
from acclimate.tune.align.sides import head_shape, sides, wide
from acclimate.tune.ramps import GAMMA, ganin

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor, nn

    from acclimate.models.objective import Batch, Batches, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Mdd:
    """A second head seeks to agree with the first on the source and to contradict it on the target; the encoder stops it from that.

    ``γ CE(f'(z), f(z)) on the source − log(1 − σ_{f(z)}(f'(z))) on the target`` (Zhang 2019, section 4.2), f(z) being the first
    head's class; the gradient into the encoder is reversed and climbs as ``λ_p``.

    Use when: dann or cdan would serve; its bound is on the margin loss that classifiers are trained with. Avoid when: class shares
    differ much between the domains, or training is short.

    Args:
        margin: γ, the exponent of the margin ρ. 4, the best of Zhang 2019 (2 to 4 are close).
        pull: what the reversed gradient climbs to. 0.1, as Zhang 2019, section 5.1.
        hidden: units of the second head's hidden layer. 1024, as the paper.
    """

    paper: ClassVar[str] = "Zhang 2019"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "A second head contradicts the first on the target; the encoder leaves it no room."
    summary_zh: ClassVar[str] = "辅助分类头在源域一致、在目标域相异，编码器与之对抗（MDD）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    margin: float = 4.0
    pull: float = 0.1
    hidden: int = 1024

    def __post_init__(self) -> None:
        """Raises InputError: margin or pull not above 0, or hidden below 1."""
        for name in ("margin", "pull"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
                raise InputError(f"mdd was given {name} {value!r}", expected="a number above 0")
        if isinstance(self.hidden, bool) or not isinstance(self.hidden, int) or self.hidden < 1:
            raise InputError(f"mdd was given hidden {self.hidden!r}", expected="a whole number of at least 1, such as 1024")

    def companion(self, model: Model, batches: Batches) -> nn.Module:
        """The second head: ``(n, d)`` to logits ``(n, c)``."""
        del batches
        width, classes = head_shape(model)
        return perceptron(width, self.hidden, classes)

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The second head's loss, its gradient reversed before the representation."""
        import torch

        from acclimate.models.companions import companion_of
        from acclimate.models.reversal import reverse

        source, target, rows = sides(batch, outputs)
        both = reverse(torch.cat([source, target]), self.pull * ganin(batch.progress, GAMMA))
        second = companion_of(model, self)(both)
        cut = len(source)
        first = wide(outputs.logits[rows]), wide(outputs.unlabelled_logits)
        return margin_disparity(second[:cut], first[0].argmax(-1), second[cut:], first[1].argmax(-1), self.margin)


def margin_disparity(source: Tensor, source_class: Tensor, target: Tensor, target_class: Tensor, margin: float) -> Tensor:
    """What the second head minimises, the negative of the disparity in Zhang 2019, section 4.2.

    Args:
        source, target: its logits ``(n, c)`` and ``(m, c)``.
        source_class, target_class: the first head's classes ``(n,)`` and ``(m,)``.
    """
    from torch.nn.functional import cross_entropy, one_hot

    agrees = cross_entropy(source, source_class)
    chosen = one_hot(target_class, target.shape[-1]).bool()
    others = target.masked_fill(chosen, float("-inf")).logsumexp(-1)
    return margin * agrees + (target.logsumexp(-1) - others).mean()
