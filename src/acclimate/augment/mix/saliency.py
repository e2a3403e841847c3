"""Saliency mix: the piece that is pasted is the one that the model looks at."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.mix.cutmix import boxes, kept_shares, paste, text_lengths
from acclimate.augment.mix.draws import check_alpha, draw_lambda, numpy_generator
from acclimate.augment.mix.mixup import mixed_cross_entropy

if TYPE_CHECKING:  # offline augmentation imports this family in every worker process and never needs torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs

Saliency = NDArray[np.float64]


def salient_boxes(saliency: Saliency, shares: Saliency, partners: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Boxes of relative area ``1 − λ`` around the partner's most salient pixel (Uddin 2021, section 3.2).

    Args:
        saliency: of each pixel, ``(b, h, w)``.
        shares: ``λ``, ``(b,)``.
    Returns:
        ``(b, h, w)``, True inside; the box has the same place in both pictures.
    """
    height, width = saliency.shape[1:]
    peaks = saliency[partners].reshape(len(saliency), -1).argmax(1)
    centres = np.stack(np.divmod(peaks, width), axis=1)
    return boxes(shares, height, width, np.random.default_rng(0), centres)


def salient_spans(
    saliency: Saliency, lengths: NDArray[np.int64], shares: Saliency, partners: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """The partner's most salient span takes the place of the text's own least salient one of that length (Yoon 2021, section 3).

    The first and the last token of both stay where they are.

    Args:
        saliency: of each token, ``(b, t)``.
        lengths: real tokens of each text, ``(b,)``.
        shares: ``λ``, ``(b,)``.
    Returns:
        ``(b, t)``, True inside the text's own span; and the positions in the partner from which each token is taken, ``(b, t)``.
    """
    count, width = saliency.shape
    inside = np.zeros((count, width), dtype=bool)
    origins = np.tile(np.arange(width), (count, 1))
    for row, partner in enumerate(partners):
        most = min(lengths[row], lengths[partner]) - 2
        size = int(min(np.rint((1 - shares[row]) * lengths[row]), most))
        if size < 1:
            continue
        own = 1 + int(_window_sums(saliency[row, 1 : lengths[row] - 1], size).argmin())
        other = 1 + int(_window_sums(saliency[partner, 1 : lengths[partner] - 1], size).argmax())
        inside[row, own : own + size] = True
        origins[row, own : own + size] = np.arange(other, other + size)
    return inside, origins


@dataclasses.dataclass(frozen=True)
class SaliencyMix:
    """CutMix of what matters: gradients of the task loss tell where a model looks; it takes the place of the task loss.

    A second pass costs what CutMix does; the first, and its way back to the inputs, tell the saliency.

    Use when: single words or small objects decide, so that a random piece seldom carries its label. Avoid when: a step must cost
    what a plain one does (this costs about twice), or the model knows nothing yet: its gradients then point anywhere.

    Args:
        alpha: of Beta(α, α), the share that is kept; 1 as in CutMix and Uddin 2021.
    """

    paper: ClassVar[str] = "Uddin 2021 (SaliencyMix); Yoon 2021 (SSMix)"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Pastes the piece with the largest gradients into another example and mixes the labels by its size."
    summary_zh: ClassVar[str] = "按梯度显著性选取最重要的片段或图像块粘贴到另一样本中，并按大小混合标签。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = True

    alpha: float = 1.0

    def __post_init__(self) -> None:
        """Raises InputError: alpha not above 0."""
        check_alpha("saliency", self.alpha)

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The mixed task loss; partners and shares come from the batch's own generator."""
        rng = numpy_generator(batch)
        embedded, gradient = outputs.embedded, outputs.input_gradient()
        shares = draw_lambda(len(embedded), self.alpha, rng)
        partners = rng.permutation(len(embedded))
        partner = batch.labels.new_tensor(partners)
        if model.modality == "image":
            inside = salient_boxes(_numbers(gradient.abs().sum(1)), shares, partners)
            sizes = np.full(len(embedded), embedded.shape[-2] * embedded.shape[-1])
            pasted = paste(embedded, partner, batch.from_target.new_tensor(inside))
        else:
            sizes = text_lengths(batch.inputs["attention_mask"])
            inside, origins = salient_spans(_numbers(gradient.norm(dim=-1)), sizes, shares, partners)
            pasted = _paste_moved(embedded, partner, batch.from_target.new_tensor(inside), batch.labels.new_tensor(origins))
        logits = model.classify(model.represent(batch.inputs, embedded=pasted))
        share = batch.weights.new_tensor(kept_shares(inside, sizes))
        return mixed_cross_entropy(logits, batch.labels, batch.weights, partner, share)


def _paste_moved(embedded: Tensor, partner: Tensor, inside: Tensor, origins: Tensor) -> Tensor:
    """As :func:`paste` of tokens, from other positions of the partner."""
    import torch

    moved = embedded[partner.unsqueeze(1), origins]
    return torch.where(inside.unsqueeze(-1), moved, embedded)


def _window_sums(values: Saliency, size: int) -> Saliency:
    """Sums of every run of ``size`` values."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    sums: Saliency = total[size:] - total[:-size]
    return sums


def _numbers(values: Tensor) -> Saliency:
    numbers: Saliency = values.detach().double().cpu().numpy()
    return numbers
