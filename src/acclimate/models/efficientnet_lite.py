"""EfficientNet-Lite: EfficientNet (Tan & Le 2019) for small devices, without squeeze-and-excitation and with ReLU6 for SiLU.

Architecture as published with TensorFlow's ``efficientnet_lite_builder.py``: a stem of 32 filters with stride 2, seven stages of
mobile inverted bottlenecks (Sandler et al. 2018), a 1 by 1 head of 1,280 filters, and the mean over space. Convolutions pad as
TensorFlow's ``SAME`` does, which for an even size and stride 2 is one-sided.

The packaged ``asset:efficientnet-lite0`` (trained on ImageNet; 3.4M parameters without that classifier) is rewritten once from its
pickle, opened with ``weights_only=True`` so that no code in it can run. Checked against the original implementation
(efficientnet-lite-pytorch 0.1.0) on random inputs of 224 by 224: the features of the last layer, and the 1,000 logits that its own
head makes of them, are equal to the last bit (largest absolute difference 0).
"""

from __future__ import annotations

import dataclasses
import pickle
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from acclimate.engine.storage import write_json
from acclimate.errors import RunError
from acclimate.models.loading import quiet

#: Raised when the folder is written in another way.
VERSION = 1
FILE = "efficientnet-lite0-57934424.pth"
#: Batch norm as in TensorFlow's training: epsilon, and 1 - its momentum of 0.99.
EPSILON, MOMENTUM = 1e-3, 0.01
#: Stem and head, which no member of the family scales.
STEM, HEAD = 32, 1280


class EfficientNetLiteConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers ships no types
    """What an :class:`EfficientNetLite` is made of.

    Attributes:
        stages: of each stage the repetitions, kernel size, stride of the first block, expansion ratio and filters; the default is
            lite0's.
        image_size: the side of the pictures it was trained on.
        hidden_size: length of the pooled vector.
        drop_connect: share of residual branches that training drops at the last block; falls linearly to 0 at the first.
    """

    model_type = "acclimate-efficientnet-lite"

    stages: list[list[int]] | None = None
    image_size: int = 224
    num_channels: int = 3
    hidden_size: int = HEAD
    drop_connect: float = 0.2


#: lite0, which no factor widens or deepens.
LITE0 = [
    [1, 3, 1, 1, 16],
    [2, 3, 2, 6, 24],
    [2, 5, 2, 6, 40],
    [3, 3, 2, 6, 80],
    [3, 5, 1, 6, 112],
    [4, 5, 2, 6, 192],
    [1, 3, 1, 6, 320],
]


#: As TensorFlow's builder evaluates: the middle 224 of 256 pixels, brightness 127 as zero and 128 as the unit. The original
#: package's example takes ImageNet's usual means instead, with which the network names 88, 78 and 57% of the dogs, elephants and
#: guitars among 180 photos of PACS; with these it is 95, 93 and 60%.
PREPARATION: dict[str, Any] = {
    "do_resize": True,
    "size": {"shortest_edge": 256},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [127 / 255] * 3,
    "image_std": [128 / 255] * 3,
}


class _SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow's ``SAME``: the output has the size of the input over the stride, rounded up."""

    def forward(self, inputs: Tensor) -> Tensor:
        """``(b, c, h, w)`` to ``(b, c', ⌈h/s⌉, ⌈w/s⌉)``."""
        padding: list[int] = []
        for size, kernel, stride in zip(inputs.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            whole = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            padding += [whole // 2, whole - whole // 2]
        return functional.conv2d(functional.pad(inputs, padding), self.weight, None, self.stride, 0, 1, self.groups)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution without bias, then batch norm."""
    convolution = _SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs, eps=EPSILON, momentum=MOMENTUM))


@dataclasses.dataclass(frozen=True)
class _BlockSize:
    inputs: int
    outputs: int
    kernel: int
    stride: int
    expansion: int


class _Block(nn.Module):
    """A mobile inverted bottleneck: widen, filter each channel by itself, narrow, and add what came in where shapes allow."""

    def __init__(self, size: _BlockSize, drop_connect: float) -> None:
        super().__init__()
        wide = size.inputs * size.expansion
        self.expand = _convolution(size.inputs, wide, 1) if size.expansion != 1 else None
        self.depthwise = _convolution(wide, wide, size.kernel, size.stride, groups=wide)
        self.project = _convolution(wide, size.outputs, 1)
        self.residual = size.stride == 1 and size.inputs == size.outputs
        self.drop_connect = drop_connect

    def forward(self, inputs: Tensor) -> Tensor:
        """``(b, c, h, w)`` to ``(b, c', h', w')``."""
        hidden = inputs if self.expand is None else functional.relu6(self.expand(inputs))
        outputs: Tensor = self.project(functional.relu6(self.depthwise(hidden)))
        if not self.residual:
            return outputs
        if self.training and self.drop_connect:
            kept = torch.rand(len(outputs), 1, 1, 1, device=outputs.device, dtype=outputs.dtype) >= self.drop_connect
            outputs = outputs * kept / (1 - self.drop_connect)
        return outputs + inputs


class EfficientNetLite(PreTrainedModel):  # type: ignore[misc]  # transformers ships no types
    """The backbone: ``pixel_values (b, 3, h, w)`` to ``last_hidden_state (b, 1280, h/32, w/32)`` and its mean ``pooler_output``."""

    config_class = EfficientNetLiteConfig
    main_input_name = "pixel_values"

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        sizes = list(_block_sizes(config.stages or LITE0))
        self.stem = _convolution(config.num_channels, STEM, 3, 2)
        drops = [config.drop_connect * number / len(sizes) for number in range(len(sizes))]
        self.blocks = nn.ModuleList(_Block(size, drop) for size, drop in zip(sizes, drops, strict=True))
        self.head = _convolution(sizes[-1].outputs, config.hidden_size, 1)
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        hidden = functional.relu6(self.stem(pixel_values))
        for block in self.blocks:
            hidden = block(hidden)
        hidden = functional.relu6(self.head(hidden))
        return BaseModelOutputWithPooling(last_hidden_state=hidden, pooler_output=hidden.mean((2, 3)))


def _block_sizes(stages: list[list[int]]) -> list[_BlockSize]:
    """Every block: the first of a stage has its stride and takes the filters of the stage before."""
    sizes = []
    inputs = STEM
    for repeats, kernel, stride, expansion, outputs in stages:
        for number in range(repeats):
            sizes.append(_BlockSize(inputs, outputs, kernel, stride if number == 0 else 1, expansion))
            inputs = outputs
    return sizes


#: Names of the published weights to ours; ``_fc``, the classifier of ImageNet, is left out.
_NAMES = (
    (r"_conv_stem\.", "stem.0."),
    (r"_conv_head\.", "head.0."),
    (r"_bn0\.", "stem.1."),
    (r"_bn1\.", "head.1."),
    (r"_blocks\.(\d+)\._expand_conv\.", r"blocks.\1.expand.0."),
    (r"_blocks\.(\d+)\._bn0\.", r"blocks.\1.expand.1."),
    (r"_blocks\.(\d+)\._depthwise_conv\.", r"blocks.\1.depthwise.0."),
    (r"_blocks\.(\d+)\._bn1\.", r"blocks.\1.depthwise.1."),
    (r"_blocks\.(\d+)\._project_conv\.", r"blocks.\1.project.0."),
    (r"_blocks\.(\d+)\._bn2\.", r"blocks.\1.project.1."),
)


def our_name(name: str) -> str | None:
    """
    >>> our_name("_blocks.3._bn1.running_var"), our_name("_fc.bias")
    ('blocks.3.depthwise.1.running_var', None)
    """
    for pattern, ours in _NAMES:
        if re.match(pattern, name):
            return re.sub(pattern, ours, name)
    return None


def convert(asset: Path, folder: Path) -> None:
    """Write lite0 into ``folder``: configuration, safetensors, and how its pictures are prepared.

    Raises:
        RunError: the file is not what it should be.
    """
    try:
        published = torch.load(asset / FILE, map_location="cpu", weights_only=True)
        named = {our_name(name): values for name, values in published.items()}
        model = EfficientNetLite(EfficientNetLiteConfig(stages=LITE0))
        model.load_state_dict({name: values for name, values in named.items() if name is not None})
    except (RuntimeError, OSError, ValueError, EOFError, AttributeError, TypeError, pickle.UnpicklingError) as error:
        raise RunError(
            f"'{asset / FILE}' is not the packaged EfficientNet-Lite0: opening it gave {type(error).__name__}",
            expected="the file that the pin names",
            fix=f"remove the folder '{asset}'; it is fetched again",
        ) from error
    with quiet():
        model.eval().save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", PREPARATION)
