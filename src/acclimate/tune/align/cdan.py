"""Conditional domain-adversarial training: the opponent sees what is predicted, too."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError
from acclimate.tune.align.opponents import domain_loss, perceptron
from acclimate.tune.align.sides import head_shape, sides, wide
from acclimate.tune.ramps import GAMMA, ganin

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor, nn

    from acclimate.models.objective import Batch, Batches, Model, Outputs


#: Above this many products of a coordinate and a class, random projections stand in for them (Long 2018, section 3.2).
PRODUCTS = 4_096


@dataclasses.dataclass(frozen=True)
class Cdan:
    """The domain classifier sees the product of representation and class probabilities, so each class is aligned by itself.

    ``D(f ⊗ g)`` (Long 2018, section 3.1), by random projections where that has more than 4,096 entries (section 3.2); with
    ``entropy`` (CDAN+E) an example counts ``1 + exp(−H(g))`` (section 3.3), so uncertain ones count half as much as certain ones.
    Predictions steer the opponent and get no gradient from it.

    Use when: dann would serve and there are several classes. Avoid when: the first predictions on the target are near chance: the
    condition then says nothing; or class shares differ much between the domains.

    Args:
        entropy: whether certain predictions count more; true is the paper's better variant.
        hidden: units in each of the opponent's two hidden layers. 1024, as dann.
        gamma: how fast the reversed gradient climbs. 10, as dann.
    """

    paper: ClassVar[str] = "Long 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "As dann, but the opponent sees representations multiplied with the predicted classes."
    summary_zh: ClassVar[str] = "条件对抗：判别器看到表示与类别预测的乘积（CDAN，含熵加权）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    entropy: bool = True
    hidden: int = 1024
    gamma: float = GAMMA

    def __post_init__(self) -> None:
        """Raises InputError: hidden below 1, gamma not above 0, or entropy neither true nor false."""
        if isinstance(self.hidden, bool) or not isinstance(self.hidden, int) or self.hidden < 1:
            raise InputError(f"cdan was given hidden {self.hidden!r}", expected="a whole number of at least 1, such as 1024")
        if isinstance(self.gamma, bool) or not isinstance(self.gamma, (int, float)) or not 0 < self.gamma < float("inf"):
            raise InputError(f"cdan was given gamma {self.gamma!r}", expected="a number above 0, such as 10")
        if not isinstance(self.entropy, bool):
            raise InputError(f"cdan was given entropy {self.entropy!r}", expected="true or false")

    def companion(self, model: Model, batches: Batches) -> nn.Module:
        """The opponent, and where needed the fixed projections: ``across (d, k)`` and ``down (c, k)``."""
        import torch
        from torch import nn

        del batches
        width, classes = head_shape(model)
        size = min(width * classes, PRODUCTS)
        made = nn.ModuleDict({"opponent": perceptron(size, self.hidden, 1, layers=2)})
        if width * classes > PRODUCTS:
            fixed = {"across": torch.randn(width, size), "down": torch.randn(classes, size)}
            made["fixed"] = nn.ParameterDict({name: nn.Parameter(value, requires_grad=False) for name, value in fixed.items()})
        return made

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The opponent's loss, its gradient reversed before the representation."""
        import torch

        from acclimate.models.companions import companion_of
        from acclimate.models.reversal import reverse

        source, target, rows = sides(batch, outputs)
        own = companion_of(model, self)
        logits = wide(torch.cat([outputs.logits[rows], outputs.unlabelled_logits])).detach()
        guessed = logits.softmax(-1)
        features = reverse(torch.cat([source, target]), ganin(batch.progress, self.gamma))
        if "fixed" in own._modules:
            shown = projected(features, guessed, own.get_parameter("fixed.across"), own.get_parameter("fixed.down"))
        else:
            shown = outer(features, guessed)
        told = own.get_submodule("opponent")(shown).squeeze(-1)
        cut = len(source)
        if not self.entropy:
            return domain_loss(told[:cut], told[cut:])
        certain = certainty(logits)
        return domain_loss(told[:cut], told[cut:], unit_mean(certain[:cut]), unit_mean(certain[cut:]))


def outer(features: Tensor, probabilities: Tensor) -> Tensor:
    """``f ⊗ g`` (Long 2018, section 3.1): ``(n, d)``, ``(n, c)`` to ``(n, d·c)``."""
    return (features[:, :, None] * probabilities[:, None, :]).flatten(1)


def projected(features: Tensor, probabilities: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """``(R_f f) ⊙ (R_g g) / √k`` (Long 2018, section 3.2, randomised multilinear map), whose inner products are those of ``f ⊗ g``
    on average.

    Args:
        across, down: fixed draws of variance 1, ``(d, k)`` and ``(c, k)``.
    """
    product: Tensor = (features @ across.to(features)) * (probabilities @ down.to(probabilities))
    return product * math.sqrt(1 / across.shape[1])


def certainty(logits: Tensor) -> Tensor:
    """``1 + exp(−H)`` of each row's class probabilities (Long 2018, section 3.3): ``(n, c)`` to ``(n,)``, between 1 + 1/c and
    2."""
    entropy = -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1)
    return 1 + (-entropy).exp()


def unit_mean(weights: Tensor) -> Tensor:
    """The same weights with mean 1."""
    return weights / weights.mean()
