"""PGD: several projected steps to the worst point in a ball, and the loss there."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.augment.adversarial import perturbation as to
from acclimate.errors import InputError

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs
    from acclimate.models.passes import Dropout

#: Radius of texts (share of their length, L2) and of images (L∞, Madry 2018's 8 of 255 grey levels).
TEXT_RADIUS, IMAGE_RADIUS = 0.05, 8 / 255
#: All steps together could cross the ball this many times its radius (Madry's code and RobustBench: 2.5 ε / K).
REACH = 2.5


@dataclasses.dataclass(frozen=True)
class Pgd:
    """Trains on the worst point that projected gradient ascent finds; it takes the place of the task loss.

    ``min_θ E max_{‖δ‖ ≤ ε} L(x + δ)`` (Madry 2018, eq. 2.1), from a random start: L∞ with signed steps for images, which stay
    between 0 and 1; L2 for texts. While climbing, only the gradient of ``δ`` is computed. All passes drop the same.

    Use when: the model must withstand small changes of its inputs. Avoid when: accuracy on clean data is all that counts (a share
    of it is given up; see ``clean``), or time is short: a step costs about ``1 + 0.6 steps`` plain ones (FreeLB learns on the
    way).

    Args:
        epsilon: radius; of texts the share of an example's length (default 0.05), of images a grey level between 0 and 1 (8/255).
        steps: K, ascents.
        step: length of one, as a share of the radius; ``2.5 / K`` where not given.
        clean: share of the plain task loss beside the worst one (Goodfellow 2015, section 6: 0.5); costs a pass more.
    """

    paper: ClassVar[str] = "Madry 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Trains on the worst point in a small ball around each input, found in several steps."
    summary_zh: ClassVar[str] = "在输入周围的小球内用多步投影梯度上升寻找最坏点并在其上训练（PGD）。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    epsilon: float | None = None
    steps: int = 3
    step: float | None = None
    clean: float = 0.0

    def __post_init__(self) -> None:
        """Raises InputError: a radius, a step or a number of steps that means nothing, or a share outside [0, 1)."""
        to.check_positive("pgd", **{key: value for key in ("epsilon", "step") if (value := getattr(self, key)) is not None})
        to.check_steps("pgd", self.steps)
        if isinstance(self.clean, bool) or not isinstance(self.clean, (int, float)) or not 0 <= self.clean < 1:
            raise InputError(f"pgd was given clean {self.clean!r}", expected="a share of at least 0 and below 1")

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The task loss at the worst point found, and a share of the plain one where asked for."""
        from acclimate.models.objective import task_loss
        from acclimate.models.passes import Dropout

        embedded = outputs.embedded
        dropout = outputs.dropout if self.clean else Dropout(embedded.device)
        delta = self.climb(model, batch, embedded.detach(), dropout)
        worst = task_loss(to.logits_at(model, batch.inputs, to.perturbed(model, embedded, delta), dropout), batch)
        return (1 - self.clean) * worst + self.clean * outputs.task_loss if self.clean else worst

    def climb(self, model: Model, batch: Batch, embedded: Tensor, dropout: Dropout) -> Tensor:
        """The perturbation after K ascents, in the shape of ``embedded``."""
        from acclimate.models.objective import task_loss

        image = model.modality == "image"
        real = to.real_positions(batch.inputs, embedded)
        radius = self._radius(embedded, real, image=image)
        length = (self.step or REACH / self.steps) * radius
        delta = self._start(batch, embedded, real, radius, image=image)
        for _ in range(self.steps):
            delta.requires_grad_()
            logits = to.logits_at(model, batch.inputs, to.perturbed(model, embedded, delta), dropout)
            gradient = to.ascent(task_loss(logits, batch), delta) * real
            if image:
                delta = to.into_linf_ball(delta.detach() + length * gradient.sign(), radius)
            else:
                delta = to.into_l2_ball(delta.detach() + length * to.scaled(gradient, to.lengths(gradient)), radius)
        return delta

    def _radius(self, embedded: Tensor, real: Tensor, *, image: bool) -> Tensor:
        """``(b, 1, ...)``"""
        if image:
            return embedded.new_full((len(embedded), 1, 1, 1), self.epsilon or IMAGE_RADIUS)
        return to.radii(self.epsilon or TEXT_RADIUS, embedded, real)

    def _start(self, batch: Batch, embedded: Tensor, real: Tensor, radius: Tensor, *, image: bool) -> Tensor:
        """A random point of the ball."""
        start = to.uniform_start(batch, embedded, real, radius)
        return start * embedded[0].numel() ** 0.5 if image else start  # of L∞, each number anywhere between −ε and ε
