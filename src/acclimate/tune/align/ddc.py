"""Deep domain confusion: the means of source and target representations are drawn together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.tune.align.sides import sides

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Ddc:
    """``‖mean(source) − mean(target)‖²``, the squared MMD with the representation itself as feature map (Tzeng 2014, eq. 1 and 2).

    Use when: a constant offset lies between the domains; it is the cheapest alignment there is. Avoid when: they differ in spread
    or shape, which it cannot see (dan, coral can), or class shares differ much between them.

    The paper's weight is 0.25, at representations of AlexNet's scale; those of MiniLM are much shorter and want a larger one.
    """

    paper: ClassVar[str] = "Tzeng 2014"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Draws the means of source and target representations together."
    summary_zh: ClassVar[str] = "使源域与目标域表示的均值相互接近（DDC）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The squared distance of the means of one batch."""
        del model
        source, target, _ = sides(batch, outputs)
        return mean_distance(source, target)


def mean_distance(source: Tensor, target: Tensor) -> Tensor:
    """``‖mean(x) − mean(y)‖²`` of ``(n, d)`` and ``(m, d)`` (Tzeng 2014, eq. 1)."""
    return (source.mean(0) - target.mean(0)).square().sum()
