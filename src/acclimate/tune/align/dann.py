"""Domain-adversarial training: the encoder unlearns what tells source and target apart."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError
from acclimate.tune.align.opponents import domain_loss, perceptron
from acclimate.tune.align.sides import head_shape, sides
from acclimate.tune.ramps import GAMMA, ganin

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor, nn

    from acclimate.models.objective import Batch, Batches, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Dann:
    """A domain classifier on the representation, and a reversed gradient from it into the encoder (Ganin 2016, section 4.2).

    The classifier learns at full strength from the first step; what the encoder gets is multiplied by ``λ_p``, which climbs from 0
    to 1 (:func:`acclimate.tune.ramps.ganin`). The logged value is the classifier's loss: near ln 2 = 0.69 the domains look alike to
    it, near 0 it wins.

    Use when: source and target share their classes and their class shares, and there are many unlabelled examples. Avoid when:
    class shares differ (a perfect match then mixes classes up), or training is shorter than a few hundred steps.

    Args:
        hidden: units in each of the opponent's two hidden layers. 1024, as Ganin 2016, section 5.2.
        gamma: how fast ``λ_p`` climbs. 10, as the paper.
    """

    paper: ClassVar[str] = "Ganin 2016"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "An opponent learns to tell the domains apart; the encoder unlearns what it goes by."
    summary_zh: ClassVar[str] = "域判别器学习区分两域，编码器经梯度反转消除其依据（DANN）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    hidden: int = 1024
    gamma: float = GAMMA

    def __post_init__(self) -> None:
        """Raises InputError: hidden below 1, or gamma not above 0."""
        if isinstance(self.hidden, bool) or not isinstance(self.hidden, int) or self.hidden < 1:
            raise InputError(f"dann was given hidden {self.hidden!r}", expected="a whole number of at least 1, such as 1024")
        if isinstance(self.gamma, bool) or not isinstance(self.gamma, (int, float)) or not 0 < self.gamma < float("inf"):
            raise InputError(f"dann was given gamma {self.gamma!r}", expected="a number above 0, such as 10")

    def companion(self, model: Model, batches: Batches) -> nn.Module:
        """The domain classifier: ``(n, d)`` to logits ``(n, 1)``."""
        del batches
        return perceptron(head_shape(model)[0], self.hidden, 1, layers=2)

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The opponent's loss, its gradient reversed before the representation."""
        import torch

        from acclimate.models.companions import companion_of
        from acclimate.models.reversal import reverse

        source, target, _ = sides(batch, outputs)
        both = reverse(torch.cat([source, target]), ganin(batch.progress, self.gamma))
        logits = companion_of(model, self)(both).squeeze(-1)
        return domain_loss(logits[: len(source)], logits[len(source) :])
