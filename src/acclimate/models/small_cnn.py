"""A small convolutional network for digits and other little pictures, trained from scratch.

Four convolutions of 3 by 3, each with batch norm, in the manner of the networks that digit adaptation is measured with (Long 2018,
CDAN, section 5: LeNet-like, two or three convolutions); 0.24 million parameters.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

#: The side of its pictures: digits of 28 and of 16 are both brought to it.
SIDE = 32


class SmallCnnConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers ships no types
    """What a :class:`SmallCnn` is made of.

    Attributes:
        widths: filters of each convolution; after each but the last the picture is halved.
        hidden_size: length of the pooled vector, the last of them.
    """

    model_type = "acclimate-small-cnn"

    widths: list[int] | None = None
    num_channels: int = 3
    image_size: int = SIDE
    hidden_size: int = 128


class _Block(nn.Module):
    """Convolution, batch norm, ReLU, and perhaps the maximum of each 2 by 2."""

    def __init__(self, inputs: int, outputs: int, *, halves: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.halves = halves

    def forward(self, hidden: Tensor) -> Tensor:
        """``(b, c, h, w)`` to ``(b, c', h/2, w/2)``."""
        activated = functional.relu(self.norm(self.convolution(hidden)))
        return functional.max_pool2d(activated, 2) if self.halves else activated


class SmallCnn(PreTrainedModel):  # type: ignore[misc]  # transformers ships no types
    """``pixel_values (b, 3, h, w)`` to ``last_hidden_state (b, 128, h/8, w/8)`` and its mean ``pooler_output``."""

    config_class = SmallCnnConfig
    main_input_name = "pixel_values"

    def __init__(self, config: SmallCnnConfig) -> None:
        super().__init__(config)
        widths = config.widths or [32, 64, 128, config.hidden_size]
        inputs = [config.num_channels, *widths]
        self.blocks = nn.ModuleList(
            _Block(before, after, halves=number < len(widths) - 1)
            for number, (before, after) in enumerate(zip(inputs, widths, strict=False))
        )
        self.post_init()

    @classmethod
    def fresh(cls, seed: int) -> SmallCnn:
        """One with random weights that follow from ``seed`` alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(SmallCnnConfig())

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        hidden = pixel_values
        for block in self.blocks:
            hidden = block(hidden)
        return BaseModelOutputWithPooling(last_hidden_state=hidden, pooler_output=hidden.mean((2, 3)))
