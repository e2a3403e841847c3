"""Deep adaptation network: several layers are matched by multi-kernel MMD."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError
from acclimate.tune.align.sides import nothing, sides, wide

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Dan:
    """The sum over layers of the squared multi-kernel MMD between source and target (Long 2015, eq. 4).

    The layers are the logits, the representation, and hidden layers before it (their means over tokens or places): with the default
    three in all, as the paper's fc6 to fc8. The estimate is the unbiased quadratic one over the batch and the kernels weigh the
    same; the paper's linear-time one with learned coefficients serves large samples.

    Use when: source and target share their classes, and differ in more than a mean. Avoid when: class shares differ much between
    them, or batches are small: below about 8 examples a side the estimate is mostly noise.

    Args:
        hidden: layers before the representation. 1.
    """

    paper: ClassVar[str] = "Long 2015"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Matches source and target at several layers by multi-kernel MMD."
    summary_zh: ClassVar[str] = "以多核 MMD 在多个层上匹配源域与目标域（DAN）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    hidden: int = 1

    def __post_init__(self) -> None:
        """Raises InputError: hidden is not a whole number of at least 0."""
        if isinstance(self.hidden, bool) or not isinstance(self.hidden, int) or self.hidden < 0:
            raise InputError(f"dan was given hidden {self.hidden!r}", expected="a whole number of at least 0")

    @property
    def reads_layers(self) -> bool:
        """Whether hidden layers are asked for."""
        return self.hidden > 0

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The sum for one batch; 0 where one side is a single example."""
        del model
        from acclimate.models.layers import over_places
        from acclimate.tune.align.mmd import joint_mmd

        source, target, rows = sides(batch, outputs)
        if min(len(source), len(target)) < 2:
            return nothing(outputs)
        total = joint_mmd([source], [target])
        total = total + joint_mmd([wide(outputs.logits[rows])], [wide(outputs.unlabelled_logits)])
        # The last hidden layer is what the representation is made of.
        before = slice(-1 - self.hidden, -1)
        masks = batch.inputs.get("attention_mask"), (batch.unlabelled or {}).get("attention_mask")
        for one, other in zip(outputs.hidden[before], outputs.unlabelled_hidden[before], strict=True):
            seen = over_places(one, masks[0])[rows], over_places(other, masks[1])
            total = total + joint_mmd([wide(seen[0])], [wide(seen[1])])
        return total
