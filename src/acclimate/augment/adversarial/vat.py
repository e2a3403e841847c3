"""VAT: virtual adversarial training, which needs no labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from acclimate.augment.adversarial import perturbation as to
from acclimate.errors import InputError, RunError

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs
    from acclimate.models.passes import Dropout

#: On which examples predictions shall be smooth.
PARTS = ("both", "labelled", "unlabelled")


@dataclasses.dataclass(frozen=True)
class Vat:
    """Local distributional smoothness: KL between the prediction at an input and at the point near it where it differs most.

    That point is ``ε`` along the top eigenvector of the KL's second derivative, found by power iteration:
    ``d ← ∇_r KL(p(x) ‖ p(x + ξ d))``, normalised (Miyato 2018, eq. 5 and 12–16). No gradient flows into ``p(x)``. All passes drop
    the same.

    Use when: the target has many examples without labels; also beside mixing, which takes the place of the task loss. Avoid when:
    unlabelled examples are of other classes than the labelled ones. Language models have no unlabelled part: use ``on: labelled``.

    Args:
        epsilon: length of the perturbation as a share of the example's own; the one setting worth searching (Miyato 2018,
            section 4).
        power: power iterations; 1 suffices (Miyato 2018, section 4.3).
        xi: length of the small step, as a share of the example's length; smaller ones drown in the rounding of 32 bits.
        on: labelled examples, unlabelled ones, or both.
    """

    paper: ClassVar[str] = "Miyato 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Adds how much predictions change in the most sensitive direction; works on unlabelled examples."
    summary_zh: ClassVar[str] = "加上最敏感方向上的预测变化，可用于无标签样本（虚拟对抗训练，VAT）。"
    replaces_task: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    epsilon: float = 0.05
    power: int = 1
    xi: float = 1e-3
    on: str = "both"

    def __post_init__(self) -> None:
        """Raises InputError: a length or a number of iterations that means nothing, or an unknown part."""
        to.check_positive("vat", epsilon=self.epsilon, xi=self.xi)
        to.check_steps("vat", self.power)
        if self.on not in PARTS:
            raise InputError(f"vat was told on {self.on!r}", expected=f"one of {', '.join(PARTS)}")

    @property
    def needs_unlabelled(self) -> bool:
        """Whether it looks at the unlabelled batch."""
        return self.on != "labelled"

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The mean divergence over the examples it looks at."""
        import torch

        from acclimate.models.passes import Dropout

        found: list[tuple[Tensor, Tensor]] = []
        if self.on != "unlabelled":
            plain = outputs.logits.detach()
            divergence = self._at(model, batch, batch.inputs, outputs.embedded, plain, outputs.dropout)
            found.append((divergence, batch.scored))
        if self.on != "labelled":
            if batch.unlabelled is None:
                raise RunError("vat was handed no unlabelled batch", expected="Batch.unlabelled, as needs_unlabelled asks")
            embedded = model.embed(batch.unlabelled)
            dropout = Dropout(embedded.device)
            with torch.no_grad():
                plain = to.logits_at(model, batch.unlabelled, embedded, dropout)
            divergence = self._at(model, batch, batch.unlabelled, embedded, plain, dropout)
            found.append((divergence, torch.ones_like(divergence, dtype=torch.bool)))
        total = torch.stack([(divergence * scored).sum() for divergence, scored in found]).sum()
        return total / sum(scored.sum() for _, scored in found).clamp_min(1)  # type: ignore[union-attr]

    def _at(
        self, model: Model, batch: Batch, inputs: Mapping[str, Tensor], embedded: Tensor, plain: Tensor, dropout: Dropout
    ) -> Tensor:
        """KL at each position of one part, at the worst point near each example."""
        from acclimate.models.divergence import kl_divergence

        real = to.real_positions(inputs, embedded)
        own = to.lengths(embedded.detach() * real)
        direction = self.direction(model, batch, (inputs, embedded.detach(), real), plain, dropout)
        moved = to.perturbed(model, embedded, self.epsilon * own * direction)
        return kl_divergence(plain, to.logits_at(model, inputs, moved, dropout))

    def direction(
        self, model: Model, batch: Batch, at: tuple[Mapping[str, Tensor], Tensor, Tensor], plain: Tensor, dropout: Dropout
    ) -> Tensor:
        """The most sensitive direction of each example, of length 1.

        Args:
            at: the inputs, their embedded form and which of its positions may be perturbed.
            plain: logits there.
        """
        from acclimate.models.divergence import kl_divergence

        inputs, embedded, real = at
        small = self.xi * to.lengths(embedded * real)
        drawn = to.gaussian(batch, embedded) * real
        direction = to.scaled(drawn, to.lengths(drawn))
        for _ in range(self.power):
            step = (small * direction).requires_grad_()
            divergence = kl_divergence(plain, to.logits_at(model, inputs, embedded + step, dropout)).sum()
            uphill = to.ascent(divergence, step) * real
            direction = to.scaled(uphill, to.lengths(uphill))
        return direction
