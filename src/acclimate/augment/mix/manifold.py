"""Manifold mixup: examples are mixed in a hidden layer drawn for each batch (TMix, of texts)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.augment.mix.draws import check_alpha, draw_pairs
from acclimate.augment.mix.mixup import mixed_cross_entropy
from acclimate.errors import InputError
from acclimate.models.mixture import Mixture

if TYPE_CHECKING:  # offline augmentation imports this family in every worker process and never needs torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


def eligible_layers(depth: int, modality: str) -> tuple[int, ...]:
    """The layers that the papers mix in, for a model of ``depth`` layers.

    Texts: layers 7, 9 and 12 of 12 (Chen 2020, section 4.4, the best of their sets). Images: the input of the first layer and the
    outputs of the first half (Verma 2019, section 5: layers 0, 1 and 2 of a network of four stages).

    >>> eligible_layers(12, "text"), eligible_layers(6, "text"), eligible_layers(4, "image")
    ((7, 9, 12), (4, 5, 6), (0, 1, 2))
    """
    if modality == "image":
        return tuple(range(depth // 2 + 1))
    return tuple(dict.fromkeys(max(1, -(-depth * layer // 12)) for layer in (7, 9, 12)))


@dataclasses.dataclass(frozen=True)
class Manifold:
    """Mixup in a hidden layer, drawn anew for each batch; it takes the place of the task loss.

    Of texts, layers behind the mixture look wherever either of the two has a token (the union of their masks), and padding enters
    as zeros.

    Use when: labels are few, as mixup, and inputs cannot be averaged. Avoid when: the model has no list of layers of one width.

    Args:
        alpha: of Beta(α, α). 0.4, between Chen 2020's .4 and Zhang 2018's .2 to .4 on large models; Verma 2019 uses 2 on CIFAR.
        layers: from which the layer is drawn: 0 is the input of the first one, k the output of layer k; empty takes those of the
            papers, see :func:`eligible_layers`.
    """

    paper: ClassVar[str] = "Verma 2019; Chen 2020 (TMix)"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Mixes pairs of examples in a randomly drawn hidden layer, and their labels."
    summary_zh: ClassVar[str] = "在随机抽取的隐藏层中混合成对样本及其标签（流形混合 / TMix）。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    alpha: float = 0.4
    layers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError: alpha not above 0, or layers that are no whole numbers of at least 0."""
        check_alpha("manifold", self.alpha)
        if any(isinstance(layer, bool) or not isinstance(layer, int) or layer < 0 for layer in self.layers):
            raise InputError(
                f"manifold was given layers {self.layers!r}", expected="whole numbers of at least 0, such as [4, 5, 6]"
            )

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The mixed task loss; layer, partners and shares come from the batch's own generator."""
        import torch

        choices = tuple(self.layers) or eligible_layers(model.depth, model.modality)
        if max(choices) > model.depth:
            raise InputError(
                f"manifold was given layer {max(choices)} of a model of {model.depth}", expected=f"layers from 0 to {model.depth}"
            )
        layer = choices[int(torch.randint(len(choices), (), generator=batch.generator))]
        share, partner = draw_pairs(batch, self.alpha)
        mixed = model.represent(batch.inputs, embedded=outputs.embedded, mixture=Mixture(partner, share, layer))
        return mixed_cross_entropy(model.classify(mixed), batch.labels, batch.weights, partner, share)
