"""SMART: predictions must not change in the neighbourhood of an input."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.augment.adversarial import perturbation as to
from acclimate.errors import InputError

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


#: Where the climb can start.
STARTS = ("prediction", "input")


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
        noise: standard deviation of a start at the input, as a share of the radius (the paper: 1e-5 for steps of 1e-3).
        start: what the noise moves, for at the input itself the divergence has no slope. ``"input"`` is the paper's. So small a
            noise ``δ₀`` moves logits by ``J δ₀``, and the first ascent follows ``Jᵀ F J δ₀`` (J the Jacobian, F the Fisher matrix
            of the prediction). ``"prediction"`` draws that movement itself, from a standard normal, and follows ``Jᵀ F u``: one
            way back through the plain pass, and no pass of its own. With two classes both find the same two directions; with
            more they weigh the classes differently.
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
    start: str = "prediction"

    def __post_init__(self) -> None:
        """Raises InputError: a radius, a step, noise or a number of steps that means nothing."""
        to.check_positive("smart", epsilon=self.epsilon, step=self.step, noise=self.noise)
        to.check_steps("smart", self.steps)
        if self.start not in STARTS:
            raise InputError(f"smart was given start {self.start!r}", expected=f"one of {', '.join(STARTS)}")

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
        real = to.real_positions(batch.inputs, embedded)
        radius = self.epsilon * root_mean_square(embedded, real)
        delta = to.gaussian(batch, embedded) * real * (self.noise * radius) if self.start == "input" else None
        for _ in range(self.steps):
            uphill = real * (self._first(batch, outputs) if delta is None else self._uphill(model, batch, outputs, delta))
            here = 0.0 if delta is None else delta.detach()
            delta = to.into_linf_ball(here + self.step * radius * to.scaled(uphill, to.largest(uphill)), radius)
        assert delta is not None  # there is at least one step
        return delta

    def _first(self, batch: Batch, outputs: Outputs) -> Tensor:
        """``Jᵀ F u``, ``F u = p (u − p · u)`` at each scored position."""
        plain = outputs.logits.detach()
        drawn, shares = to.gaussian(batch, plain), plain.softmax(-1)
        moved = shares * (drawn - (shares * drawn).sum(-1, keepdim=True))
        return outputs.pull_back(moved * batch.scored.unsqueeze(-1)).detach()

    def _uphill(self, model: Model, batch: Batch, outputs: Outputs, delta: Tensor) -> Tensor:
        """The gradient of the divergence at a perturbation."""
        from acclimate.models.divergence import symmetric_kl

        start = delta.detach().requires_grad_()
        moved = to.perturbed(model, outputs.embedded.detach(), start)
        logits = to.logits_at(model, batch.inputs, moved, outputs.dropout)
        return to.ascent((symmetric_kl(logits, outputs.logits.detach()) * batch.scored).sum(), start)


def root_mean_square(embedded: Tensor, real: Tensor) -> Tensor:
    """The typical size of a number of each example, ``(b, 1, ...)``."""
    count = real.flatten(1).sum(1) * embedded[0].numel() / real[0].numel()
    return to.lengths(embedded * real) / count.clamp_min(1).sqrt().reshape(-1, *[1] * (embedded.ndim - 1)).to(embedded.dtype)
