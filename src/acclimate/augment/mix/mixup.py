"""Mixup: train on straight lines between pairs of examples and of their labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.mix.draws import check_alpha, draw_lambda, draw_pairs
from acclimate.errors import InputError
from acclimate.models.mixture import mix

if TYPE_CHECKING:  # offline augmentation imports this family in every worker process and never needs torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs

#: Where :class:`Mixup` can mix.
LEVELS = ("auto", "input", "representation")


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
        logits: of the mixed rows, ``(b, c)``; of language models ``(b, t, c)``, where every position is a pair of its own.
        labels: ``(b,)`` or ``(b, t)``; ignored ones do not count.
        weights, partner, share: ``(b,)``.
    """
    from acclimate.models.objective import IGNORED, cross_entropies

    by_row = (-1,) + (1,) * (labels.ndim - 1)
    other = labels[partner]
    owns = (share * weights).reshape(by_row) * (labels != IGNORED)
    others = ((1 - share) * weights[partner]).reshape(by_row) * (other != IGNORED)
    losses = owns * cross_entropies(logits, labels) + others * cross_entropies(logits, other)
    return losses.sum() / (owns + others).sum().clamp_min(1e-12)


@dataclasses.dataclass(frozen=True)
class Mixup:
    """Mixup of two examples and their labels; it takes the place of the task loss.

    Texts cannot be averaged; their representations can (Guo 2019, "senMixup"; Verma 2019), and so can the embeddings of their
    tokens (Guo 2019, "wordMixup"; of language models Guo 2020, "SeqMix"). The mixture is made of one forward pass, so a step costs
    what a plain step costs.

    Use when: labels are few and the model grows overconfident. Avoid when: classes differ by single words (negation), where points
    between two texts mean nothing.

    Args:
        alpha: of Beta(α, α). 0.2, as Zhang 2018 uses on ImageNet: most mixtures then stay close to one of the two.
        level: where examples are mixed. ``"representation"`` is the input of the head, ``"input"`` pixels or token embeddings (a
            shorter text goes on as zeros, and both are attended to); ``"auto"`` takes pixels of images (Zhang 2018) and the
            representation of texts.
    """

    paper: ClassVar[str] = "Zhang 2018; Guo 2019; Guo 2020; Verma 2019"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Trains on random interpolations of pairs of representations or inputs and of their labels."
    summary_zh: ClassVar[str] = "在成对样本的表示（或输入）及其标签的随机插值上训练。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    alpha: float = 0.2
    level: str = "auto"

    def __post_init__(self) -> None:
        """Raises InputError: alpha not above 0, or an unknown level."""
        check_alpha("mixup", self.alpha)
        if self.level not in LEVELS:
            raise InputError(f"mixup was given level {self.level!r}", expected=f"one of {', '.join(LEVELS)}")

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The mixed task loss; partners and shares come from the batch's own generator."""
        share, partner = draw_pairs(batch, self.alpha)
        pixels = self.level == "auto" and model.modality == "image"
        if pixels or self.level == "input":
            logits = mixed_logits(model, batch.inputs, outputs.embedded, partner, share)
        else:
            representation = outputs.representation
            logits = model.classify(mix(representation, representation[partner], share.to(representation.dtype)))
        return mixed_cross_entropy(logits, batch.labels, batch.weights, partner, share)


def mixed_logits(model: Model, inputs: Mapping[str, Tensor], embedded: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """Logits of mixed inputs; of texts, tokens of either are attended to and padding enters as zeros."""
    from acclimate.models.mixture import Mixture

    mixture = Mixture(partner, share)
    if "attention_mask" not in inputs:
        return model.classify(model.represent(inputs, embedded=mixture.blend(embedded)))
    mask = inputs["attention_mask"]
    either = {**inputs, "attention_mask": mixture.union(mask)}
    blended = mixture.blend(embedded * mask.unsqueeze(-1).to(embedded.dtype))
    return model.classify(model.represent(either, embedded=blended))
