"""SMART: predictions must not change in the neighbourhood of an input."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.augment.adversarial import perturbation as to

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Smart:
    """Smoothness-inducing adversarial regularisation: symmetric KL between predictions at an input and at the worst near it.

    ``R = (1/n) Σ max_{‖x̃ − x‖_∞ ≤ ε} KL(f(x̃) ‖ f(x)) + KL(f(x) ‖ f(x̃))`` (Jiang 2020, eq. 2–3), the maximum by projected ascent
    from Gaussian noise (algorithm 1). Gradients flow into both predictions. All passes drop the same, without which two draws of
    dropout would differ more than the inputs do. Labels play no part in it.

    Use when: labels are few and a model overfits (Jiang 2020: large gains on small sets). Avoid when: a step may cost no more than
    twice a plain one.

    Args:
        epsilon: radius, of every number by itself, as a share of the root mean square of the example's embeddings. 0.02: the step
            of the authors' code, 1e-3, on embeddings of BERT, whose numbers are about 0.05.
        steps: ascents; 1 as in the paper's experiments.
        step: of an ascent, as a share of the radius.
        noise: standard deviation of the start, as a share of the radius (the paper: 1e-5 for steps of 1e-3).
    """

    paper: ClassVar[str] = "Jiang 2020"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Adds how much predictions change at the worst point near each input (symmetric KL)."
    summary_zh: ClassVar[str] = "加上输入邻域内最坏扰动引起的预测变化（对称 KL 平滑正则，SMART）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    epsilon: float = 0.02
    steps: int = 1
    step: float = 1.0
    noise: float = 0.01

    def __post_init__(self) -> None:
        """Raises InputError: a radius, a step, noise or a number of steps that means nothing."""
        to.check_positive("smart", epsilon=self.epsilon, step=self.step, noise=self.noise)
        to.check_steps("smart", self.steps)

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The mean divergence between the plain predictions and those at the worst point found."""
        import torch

        from acclimate.models.divergence import symmetric_kl
        from acclimate.models.objective import weighted_mean

        plain, embedded = outputs.logits, outputs.embedded
        delta = self.climb(model, batch, embedded.detach(), outputs)
        logits = to.logits_at(model, batch.inputs, to.perturbed(model, embedded, delta), outputs.dropout)
        return weighted_mean(symmetric_kl(logits, plain), batch.scored, torch.ones_like(batch.weights))

    def climb(self, model: Model, batch: Batch, embedded: Tensor, outputs: Outputs) -> Tensor:
        """The perturbation after the ascents, in the shape of ``embedded``."""
        from acclimate.models.divergence import symmetric_kl

        plain, scored = outputs.logits.detach(), batch.scored
        real = to.real_positions(batch.inputs, embedded)
        radius = self.epsilon * root_mean_square(embedded, real)
        delta = to.gaussian(batch, embedded) * real * (self.noise * radius)
        for _ in range(self.steps):
            delta.requires_grad_()
            logits = to.logits_at(model, batch.inputs, to.perturbed(model, embedded, delta), outputs.dropout)
            uphill = to.ascent((symmetric_kl(logits, plain) * scored).sum(), delta) * real
            delta = to.into_linf_ball(delta.detach() + self.step * radius * to.scaled(uphill, to.largest(uphill)), radius)
        return delta


def root_mean_square(embedded: Tensor, real: Tensor) -> Tensor:
    """The typical size of a number of each example, ``(b, 1, ...)``."""
    count = real.flatten(1).sum(1) * embedded[0].numel() / real[0].numel()
    return to.lengths(embedded * real) / count.clamp_min(1).sqrt().reshape(-1, *[1] * (embedded.ndim - 1)).to(embedded.dtype)
