"""An image classifier in two halves: any backbone of :mod:`acclimate.models.vision`, and a linear head over its classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from acclimate.errors import InputError
from acclimate.models.classifier import HEAD_STD
from acclimate.models.layers import find_layers, mixing
from acclimate.models.mixture import Mixture
from acclimate.models.objective import Modality
from acclimate.models.vision import build_backbone, pooled


class ImageClassifierConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers ships no types
    """What an :class:`ImageClassifier` is made of.

    Attributes:
        backbone: the backbone's own configuration, as a dict with its ``model_type``.
        pools: whether the backbone's own pooled output is used.
        mean, std: of each colour on the scale 0 to 1; subtracted and divided by before the backbone.
        width: length of the backbone's vector.
        head_dropout: share of the representation that is dropped before the head while training.
        id2label: class number to class name (of Hugging Face).
    """

    model_type = "acclimate-image-classifier"

    backbone: dict[str, Any] | None = None
    pools: bool = True
    mean: list[float] | None = None
    std: list[float] | None = None
    width: int = 0
    head_dropout: float = 0.1


class ImageClassifier(PreTrainedModel):  # type: ignore[misc]  # transformers ships no types
    """Pixels between 0 and 1 → their normalisation → backbone → dropout → linear head.

    Normalising belongs to the model, so that whatever changes pixels does so on one scale: a perturbation of 8/255 is one of
    8 grey levels for every backbone, and a picture stays one between 0 and 1.
    """

    config_class = ImageClassifierConfig
    main_input_name = "pixel_values"
    modality: Modality = "image"
    accepts_loss_kwargs = False  # the trainer's loss is a mean over the batch, not a sum that it should divide

    def __init__(self, config: ImageClassifierConfig) -> None:
        super().__init__(config)
        self.backbone = build_backbone(config.backbone or {"model_type": "acclimate-small-cnn"})
        for name, values in (("mean", config.mean or [0.0] * 3), ("std", config.std or [1.0] * 3)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1))
        self.dropout = nn.Dropout(config.head_dropout)
        self.head = nn.Linear(config.width, config.num_labels)
        self.post_init()

    @classmethod
    def from_backbone(
        cls,
        backbone: PreTrainedModel,
        classes: Sequence[str],
        seed: int,
        *,
        pools: bool = True,
        scale: tuple[Sequence[float], Sequence[float]] = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        head_dropout: float = 0.1,
    ) -> Self:
        """A copy of a backbone under a fresh head, which depends on ``seed``, the width and the number of classes alone.

        Args:
            scale: mean and standard deviation of each colour.
        """
        names = dict(enumerate(classes))
        settings = backbone.config.to_dict()
        settings.pop("_name_or_path", None)
        side = int(getattr(backbone.config, "image_size", 0) or 64)
        with torch.no_grad():
            width = int(pooled(backbone.eval(), torch.zeros(1, 3, side, side), pools).shape[1])
        config = ImageClassifierConfig(
            backbone=settings,
            pools=pools,
            mean=list(scale[0]),
            std=list(scale[1]),
            width=width,
            head_dropout=head_dropout,
            id2label=names,
            label2id={name: number for number, name in names.items()},
        )
        with torch.random.fork_rng(devices=[]):  # building draws weights that are replaced at once
            model = cls(config)
        model.backbone.load_state_dict(backbone.state_dict())
        generator = torch.Generator().manual_seed(seed)
        nn.init.normal_(model.head.weight, std=HEAD_STD, generator=generator)
        nn.init.zeros_(model.head.bias)
        return model

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in the order of the logits."""
        return tuple(self.config.id2label[number] for number in range(self.config.num_labels))

    @property
    def depth(self) -> int:
        """Number of the backbone's layers, or stages."""
        return len(self.layers)

    @property
    def layers(self) -> list[nn.Module]:
        """The hidden layers, first to last."""
        return find_layers(self.backbone)

    def embed(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The pixels, between 0 and 1: ``(b, 3, h, w)``."""
        return inputs["pixel_values"]

    def represent(self, inputs: Mapping[str, Tensor], *, embedded: Tensor | None = None, mixture: Mixture | None = None) -> Tensor:
        """Pixels between 0 and 1, ``(b, 3, h, w)``, to the backbone's vectors ``(b, d)``.

        Args:
            embedded: read instead of ``pixel_values``.
            mixture: mixes pictures inside the backbone.
        """
        pixels = inputs["pixel_values"] if embedded is None else embedded
        with mixing(find_layers(self.backbone) if mixture else [], mixture):
            return pooled(self.backbone, (pixels - self.mean) / self.std, self.config.pools)

    def classify(self, representation: Tensor) -> Tensor:
        """``(b, d)`` to logits ``(b, c)``."""
        logits: Tensor = self.head(self.dropout(representation))
        return logits

    def forward(
        self, pixel_values: Tensor | None = None, *, step: Callable[[ImageClassifier], Tensor] | None = None
    ) -> SequenceClassifierOutput:
        """Logits of a batch; or the loss that ``step`` computes with this model, see :class:`TextClassifier`."""
        if step is not None:
            return SequenceClassifierOutput(loss=step(self))
        if pixel_values is None:
            raise InputError("A batch without pixel_values", expected="pixels between 0 and 1, (b, 3, h, w)")
        return SequenceClassifierOutput(logits=self.classify(self.represent({"pixel_values": pixel_values})))
