"""CutMix: a piece of one example is pasted into another, and the labels are mixed by its size."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.mix.draws import check_alpha, draw_lambda, numpy_generator
from acclimate.augment.mix.mixup import mixed_cross_entropy

if TYPE_CHECKING:  # offline augmentation imports this family in every worker process and never needs torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


def boxes(
    shares: NDArray[np.float64], height: int, width: int, rng: np.random.Generator, centres: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """Boxes of relative area ``1 − λ`` around uniform centres, cut off at the border (Yun 2019, eq. 2).

    Args:
        shares: ``λ``, ``(b,)``.
        centres: row and column of each centre, ``(b, 2)``, instead of drawn ones.
    Returns:
        ``(b, height, width)``, True inside.
    """
    if centres is None:
        centres = np.stack([rng.integers(0, height, len(shares)), rng.integers(0, width, len(shares))], axis=1)
    sides = np.sqrt(1 - shares)
    rows = _interval(centres[:, 0], np.floor(height * sides), height)
    columns = _interval(centres[:, 1], np.floor(width * sides), width)
    inside: NDArray[np.bool_] = rows[:, :, None] & columns[:, None, :]
    return inside


def spans(
    shares: NDArray[np.float64], lengths: NDArray[np.int64], partners: NDArray[np.int64], width: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Contiguous tokens, about ``1 − λ`` of each text, at positions where both texts have tokens.

    The first and the last token stay: they are the marks that encoders put around a text.

    Args:
        shares: ``λ``, ``(b,)``.
        lengths: real tokens of each text, ``(b,)``.
        partners: from which text each span comes, ``(b,)``.
        width: the padded length t.
    Returns:
        ``(b, t)``, True inside the span.
    """
    most = np.maximum(np.minimum(lengths, lengths[partners]) - 2, 0)
    counts = np.minimum(np.rint((1 - shares) * lengths), most).astype(np.int64)
    starts = 1 + np.floor(rng.random(len(shares)) * (most - counts + 1)).astype(np.int64)
    positions = np.arange(width)
    inside: NDArray[np.bool_] = (positions >= starts[:, None]) & (positions < (starts + counts)[:, None])
    return inside


def text_lengths(mask: Tensor) -> NDArray[np.int64]:
    """Real tokens of each text, ``(b, t)`` to ``(b,)``; padding stands behind."""
    lengths: NDArray[np.int64] = mask.sum(1).cpu().numpy()
    return lengths


def kept_shares(inside: NDArray[np.bool_], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """What is left of each example once the pieces are pasted: 1 − pasted / size (Yun 2019: λ is the exact area)."""
    left: NDArray[np.float64] = 1 - inside.reshape(len(inside), -1).sum(1) / np.maximum(sizes, 1)
    return left


def paste(embedded: Tensor, partners: Tensor, inside: Tensor) -> Tensor:
    """The partner's values inside, each example's own outside; embedded ``(b, t, d)`` or ``(b, 3, h, w)``."""
    import torch

    region = inside.unsqueeze(1) if embedded.ndim == 4 else inside.unsqueeze(-1)
    return torch.where(region, embedded[partners], embedded)


@dataclasses.dataclass(frozen=True)
class Cutmix:
    """A box of another picture, or a span of another text's token embeddings, is pasted in; it takes the place of the task loss.

    The span keeps its position and the text its length, so that no padding is touched.

    Use when: pictures whose objects fill the frame; texts whose topic is spread over their words. Avoid when: small objects decide,
    or single words do: the pasted piece then rarely carries its label (see ``saliency``).

    Args:
        alpha: of Beta(α, α), the share that is kept. 1, as Yun 2019 uses throughout.
    """

    paper: ClassVar[str] = "Yun 2019"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Pastes boxes of pictures or spans of texts into others and mixes the labels by their size."
    summary_zh: ClassVar[str] = "将一张图像的矩形块或一段文本的片段粘贴到另一样本中，并按大小混合标签。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    alpha: float = 1.0

    def __post_init__(self) -> None:
        """Raises InputError: alpha not above 0."""
        check_alpha("cutmix", self.alpha)

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The mixed task loss; partners, shares and places come from the batch's own generator."""
        rng = numpy_generator(batch)
        embedded = outputs.embedded
        shares = draw_lambda(len(embedded), self.alpha, rng)
        partners = rng.permutation(len(embedded))
        if model.modality == "image":
            height, width = embedded.shape[-2:]
            inside = boxes(shares, height, width, rng)
            sizes = np.full(len(embedded), height * width)
        else:
            sizes = text_lengths(batch.inputs["attention_mask"])
            inside = spans(shares, sizes, partners, embedded.shape[1], rng)
        partner = batch.labels.new_tensor(partners)
        pasted = paste(embedded, partner, batch.from_target.new_tensor(inside))
        logits = model.classify(model.represent(batch.inputs, embedded=pasted))
        share = batch.weights.new_tensor(kept_shares(inside, sizes))
        return mixed_cross_entropy(logits, batch.labels, batch.weights, partner, share)


def _interval(centres: NDArray[np.int64], lengths: NDArray[np.float64], limit: int) -> NDArray[np.bool_]:
    """Positions of the intervals around centres, ``(b, limit)``."""
    starts = centres - lengths.astype(np.int64) // 2
    positions = np.arange(limit)
    inside: NDArray[np.bool_] = (positions >= starts[:, None]) & (positions < (starts + lengths.astype(np.int64))[:, None])
    return inside
