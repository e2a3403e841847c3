"""Mixup: train on straight lines between pairs of examples and of their labels."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError

if TYPE_CHECKING:  # offline augmentation imports this family in every worker process and never needs torch
    import torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Classifier, Outputs

Array = TypeVar("Array", "NDArray[np.float64]", "Tensor")


def draw_lambda(count: int, alpha: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mixing shares ``λ ~ Beta(α, α)``, ``(count,)`` (Zhang 2018, section 2).

    One share a pair rather than one a batch: the expected loss is the same, and with 16 pairs its gradient varies less than when a
    whole batch is mixed by one draw.

    >>> draw_lambda(3, 1.0, np.random.default_rng(0)).shape
    (3,)
    """
    return rng.beta(alpha, alpha, size=count)


def mix(values: Array, partners: Array, share: Array) -> Array:
    """``λ a + (1 − λ) b`` row by row (Zhang 2018, section 2); values and partners ``(n, ...)``, share ``(n,)``.

    >>> mix(np.array([[0.0], [2.0]]), np.array([[1.0], [0.0]]), np.array([0.5, 1.0])).tolist()
    [[0.5], [2.0]]
    """
    by_row = share.reshape((-1,) + (1,) * (len(values.shape) - 1))
    return by_row * values + (1 - by_row) * partners


def mix_rows(
    X: NDArray[np.float64], Y: NDArray[np.float64], w: NDArray[np.float64], alpha: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """One mixed row for each row, with a partner drawn by a random permutation.

    Args:
        X: features ``(n, d)``.
        Y: labels ``(n, c)``, rows summing to 1.
        w: example weights ``(n,)``.
    Returns:
        Mixed features ``(n, d)``, soft labels ``(n, c)`` and weights ``(n,)``. An example carries its weight into the mixture:
        the loss of a mixed row is ``λ w_i CE(y_i) + (1 − λ) w_j CE(y_j)``.
    """
    share = draw_lambda(len(X), alpha, rng)
    partner = rng.permutation(len(X))
    weights = mix(w, w[partner], share)
    labels = mix(Y * w[:, None], (Y * w[:, None])[partner], share) / np.where(weights > 0, weights, 1.0)[:, None]
    return mix(X, X[partner], share), labels, weights


def mixed_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """Cross-entropy of mixed rows against both of their labels.

    ``Σ_i [λ_i w_i CE(z_i, y_i) + (1 − λ_i) w_j CE(z_i, y_j)] / Σ_i [λ_i w_i + (1 − λ_i) w_j]`` with ``j = partner[i]``.
    Cross-entropy is linear in the label, so this is the loss of the mixed label (Zhang 2018, eq. 1–2) with example weights.

    Args:
        logits: of the mixed rows, ``(b, c)``.
        labels, weights, partner, share: ``(b,)``.
    """
    from torch.nn.functional import cross_entropy

    own = share * weights
    others = (1 - share) * weights[partner]
    losses = own * cross_entropy(logits, labels, reduction="none")
    losses = losses + others * cross_entropy(logits, labels[partner], reduction="none")
    return losses.sum() / (own + others).sum().clamp_min(1e-12)


@dataclasses.dataclass(frozen=True)
class Mixup:
    """Mixup of what the encoder made of two texts; it takes the place of the task loss.

    Texts cannot be averaged; their representations can (Guo 2019, "senMixup"; Verma 2019). The mixture is made of one forward
    pass, so a step costs what a plain step costs.

    Use when: labels are few and the model grows overconfident. Avoid when: classes differ by single words (negation), where points
    between two texts mean nothing.

    Args:
        alpha: of Beta(α, α). 0.2, as Zhang 2018 uses on ImageNet: most mixtures then stay close to one of the two.
        level: where examples are mixed; ``"representation"`` is the input of the head.
    """

    paper: ClassVar[str] = "Zhang 2018; Guo 2019; Verma 2019"
    modality: ClassVar[tuple[str, ...]] = ("text",)
    summary: ClassVar[str] = "Trains on random interpolations of pairs of representations and of their labels."
    summary_zh: ClassVar[str] = "在成对样本的表示及其标签的随机插值上训练。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = False

    alpha: float = 0.2
    level: str = "representation"

    def __post_init__(self) -> None:
        """Raises InputError: alpha not above 0, or an unknown level."""
        if isinstance(self.alpha, bool) or not isinstance(self.alpha, (int, float)) or not 0 < self.alpha < float("inf"):
            raise InputError(f"mixup was given alpha {self.alpha!r}", expected="a number above 0, such as 0.2")
        if self.level != "representation":
            raise InputError(f"mixup was given level {self.level!r}", expected="level 'representation'")

    def __call__(self, model: Classifier, batch: Batch, outputs: Outputs) -> Tensor:
        """The mixed task loss; partners and shares come from the batch's own generator."""
        rng = np.random.default_rng(_draw_seed(batch.generator))
        representation = outputs.representation
        count = len(representation)
        share = representation.new_tensor(draw_lambda(count, self.alpha, rng))
        partner = batch.labels.new_tensor(rng.permutation(count))
        logits = model.classify(mix(representation, representation[partner], share))
        return mixed_cross_entropy(logits, batch.labels, batch.weights, partner, share)


def _draw_seed(generator: torch.Generator) -> int:
    """A seed drawn from torch's generator: NumPy has a Beta distribution that takes a generator, torch has none."""
    import torch

    return int(torch.randint(2**62, (), generator=generator))
