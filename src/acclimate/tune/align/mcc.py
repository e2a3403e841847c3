"""Minimum class confusion: predictions on the target shall not hesitate between classes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError
from acclimate.tune.align.cdan import certainty, unit_mean
from acclimate.tune.align.sides import wide

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Mcc:
    """How much probability pairs of classes share on target examples (Jin 2020, section 3.2).

    It aligns nothing: it needs no source in the batch, so that it serves where target labels are all there is.

    Use when: there are several classes and the classifier hesitates between some; class shares may differ between the domains.
    Avoid when: batches hold fewer target examples than there are classes, or the first predictions are near chance.

    Args:
        temperature: logits are divided by it first. 2.5, as Jin 2020 (values near it serve as well).
    """

    paper: ClassVar[str] = "Jin 2020"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Keeps predictions on the target from hesitating between classes."
    summary_zh: ClassVar[str] = "降低目标域预测在类别之间的混淆（MCC）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    temperature: float = 2.5

    def __post_init__(self) -> None:
        """Raises InputError: temperature not above 0."""
        good = isinstance(self.temperature, (int, float)) and not isinstance(self.temperature, bool)
        if not good or not 0 < self.temperature < float("inf"):
            raise InputError(f"mcc was given temperature {self.temperature!r}", expected="a number above 0, such as 2.5")

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The confusion on the unlabelled batch."""
        del model, batch
        return class_confusion(wide(outputs.unlabelled_logits) / self.temperature)


def class_confusion(logits: Tensor) -> Tensor:
    """The mean over classes of what a class shares with the others (Jin 2020, section 3.2), between 0 and 1.

    ``C = Ŷᵀ W Ŷ`` with certain examples weighing more (``W ∝ 1 + exp(−H)``, mean 1), its rows divided by their
    sums. The weights get no gradient.

    Args:
        logits: already divided by the temperature, ``(n, c)``.
    """
    guessed = logits.softmax(-1)
    weights = unit_mean(certainty(logits)).detach()
    shared = guessed.T @ (weights[:, None] * guessed)
    shares = shared / shared.sum(1, keepdim=True)
    return (shares.sum() - shares.diagonal().sum()) / len(shares)
