"""Mixing across domains: a source example with a target example."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from acclimate.augment.mix.draws import check_alpha, draw_lambda, numpy_generator
from acclimate.augment.mix.mixup import mixed_cross_entropy
from acclimate.errors import InputError, RunError
from acclimate.models.mixture import mix

if TYPE_CHECKING:  # offline augmentation imports this family in every worker process and never needs torch
    from numpy.typing import NDArray
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs

#: Whose labels are mixed in.
PARTNERS = ("labelled", "pseudo", "unlabelled")


def across(from_target: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """A partner from the other domain for each row, ``(b,)``; from any where one domain is absent.

    >>> across(np.array([True, False, False]), np.random.default_rng(0)).tolist()[1:]
    [0, 0]
    """
    rows = np.arange(len(from_target))
    if from_target.all() or not from_target.any():
        return rng.permutation(len(from_target))
    partners = np.empty_like(rows)
    for mine in (True, False):
        others = rows[from_target != mine]
        partners[from_target == mine] = rng.choice(others, int((from_target == mine).sum()))
    return partners


@dataclasses.dataclass(frozen=True)
class CrossDomain:
    """Points between the domains: representations of source and target are mixed, and their labels; it replaces the task loss.

    Three kinds of partner: ``"labelled"`` mixes each labelled example with one of the other domain in the batch, both labels
    counting. ``"pseudo"`` mixes labelled examples with unlabelled target ones, for whose labels the model's own probabilities
    stand (no gradient flows into them). ``"unlabelled"`` mixes with the same, without any label for them: the labelled one keeps
    the larger share (λ' = max(λ, 1 − λ), Berthelot 2019, eq. 9) and its label alone counts.

    Use when: there is a gap and the target has few labels, or none. Avoid when: classes mean different things in the two domains.

    Args:
        alpha: of Beta(α, α). 0.2, as :class:`acclimate.augment.mix.mixup.Mixup`; Xu 2020 uses 2 on digits.
        partners: see above.
    """

    paper: ClassVar[str] = "Xu 2020; Wu 2020 (dual mixup); Berthelot 2019"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Mixes source with target examples, and their labels or the model's guesses of them."
    summary_zh: ClassVar[str] = "将源域样本与目标域样本混合，标签（或模型的伪标签）一并混合。"
    replaces_task: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    alpha: float = 0.2
    partners: str = "labelled"

    def __post_init__(self) -> None:
        """Raises InputError: alpha not above 0, or unknown partners."""
        check_alpha("cross-domain", self.alpha)
        if self.partners not in PARTNERS:
            raise InputError(f"cross-domain was given partners {self.partners!r}", expected=f"one of {', '.join(PARTNERS)}")

    @property
    def needs_unlabelled(self) -> bool:
        """Whether partners come from the unlabelled batch."""
        return self.partners != "labelled"

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The mixed task loss; partners and shares come from the batch's own generator."""
        rng = numpy_generator(batch)
        share = batch.weights.new_tensor(draw_lambda(len(batch.labels), self.alpha, rng))
        own = outputs.representation
        if self.partners == "labelled":
            partner = batch.labels.new_tensor(across(batch.from_target.cpu().numpy(), rng))
            logits = model.classify(mix(own, own[partner], share.to(own.dtype)))
            return mixed_cross_entropy(logits, batch.labels, batch.weights, partner, share)
        if batch.unlabelled is None:
            raise RunError("cross-domain was handed no unlabelled batch", expected="Batch.unlabelled, as needs_unlabelled asks")
        other = model.represent(batch.unlabelled)
        other = other[batch.labels.new_tensor(rng.integers(0, len(other), len(own)))]
        if self.partners == "unlabelled":
            share = share.maximum(1 - share)
        logits = model.classify(mix(own, other, share.to(own.dtype)))
        guesses = None if self.partners == "unlabelled" else model.classify(other).detach().softmax(-1)
        return _loss(logits, batch, share, guesses)


def _loss(logits: Tensor, batch: Batch, share: Tensor, guesses: Tensor | None) -> Tensor:
    """``Σ w [λ CE(z, y) + (1 − λ) CE(z, p)] / Σ w``, or ``Σ w CE(z, y) / Σ w`` where there are no guesses p ``(b, c)``."""
    from torch.nn.functional import cross_entropy

    from acclimate.models.objective import task_loss

    if guesses is None:
        return task_loss(logits, batch)
    losses = share * cross_entropy(logits, batch.labels, reduction="none")
    losses = losses + (1 - share) * cross_entropy(logits, guesses, reduction="none")
    return (losses * batch.weights).sum() / batch.weights.sum().clamp_min(1e-12)
