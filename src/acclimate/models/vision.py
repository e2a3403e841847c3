"""Pictures to vectors with any Hugging Face vision model, so that a picture's vector depends on it alone, to the last bit.

As in :mod:`acclimate.models.encoder`, the order of floating-point sums follows the shape of a batch, so every forward pass has the
same shape: ``rows`` pictures of the model's own size, with dummies where fewer are left; on a CPU one picture at a time.

Measured with EfficientNet-Lite0 at 224 by 224 on one thread: 35 pictures a second, decoding included; 27 in fours and 23 in eights,
whose activations no longer fit the cache; 26 where weights lie channel by channel (``channels_first``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoConfig, AutoModel

from acclimate.errors import InputError
from acclimate.models.device import pick_device, pick_dtype
from acclimate.models.efficientnet_lite import EfficientNetLite, EfficientNetLiteConfig
from acclimate.models.loading import load_pretrained
from acclimate.models.preparation import Preparation
from acclimate.models.reference import ModelReference, resolve
from acclimate.models.small_cnn import SmallCnn, SmallCnnConfig

#: Pictures of every forward pass on the CPU, and on accelerators.
CPU_ROWS, ROWS = 1, 32
#: Models that see and read; of these the vector of a picture is the one that is compared with texts.
CONTRASTIVE = ("clip", "chinese_clip", "siglip", "siglip2", "altclip", "align")
#: Models that transformers does not know, by ``model_type``.
OURS: dict[str, tuple[Any, Any]] = {
    EfficientNetLiteConfig.model_type: (EfficientNetLiteConfig, EfficientNetLite),
    SmallCnnConfig.model_type: (SmallCnnConfig, SmallCnn),
}


@dataclasses.dataclass
class VisionEncoder:
    """A frozen vision model and how pictures are prepared for it.

    The vector of a picture is the model's own pooled output; the mean over tokens, or over space, where it has none or where the
    weights lack it (checkpoints of ViT that were trained to classify).

    Attributes:
        reference: which model it is.
        model: of transformers, in evaluation mode on ``device``.
        preparation: from bytes to pixels.
        device: where it runs.
        pools: whether the model's own pooled output is used.
    """

    reference: ModelReference
    model: Any
    preparation: Preparation
    device: torch.device
    pools: bool = True
    truncated: int = 0  # as of texts; a picture is never cut off

    @classmethod
    def load(cls, name: str, device: str | None = "auto", dtype: str = "auto") -> VisionEncoder:
        """Load ``asset:efficientnet-lite0``, a local folder or a hub name.

        Raises:
            InputError: no such model, not one of pictures, nothing that says how to prepare them, or a bad device.
            RunError: it could not be downloaded.
        """
        where = pick_device(device)
        reference = resolve(name)
        model, pools = load_backbone(reference, pick_dtype(dtype, where))
        model = model.eval().to(where, memory_format=torch.channels_last)
        return cls(reference, model, Preparation.read(reference.location, name), where, pools)

    @property
    def rows(self) -> int:
        """Pictures of every forward pass."""
        return CPU_ROWS if self.device.type == "cpu" else ROWS

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._forward([np.zeros(self.preparation.shape, dtype=np.float32)]).shape[1])

    def encode(self, pictures: Sequence[bytes]) -> NDArray[np.float32]:
        """``n`` encoded pictures to ``(n, d)``, in order."""
        found = list(self.stream(pictures))
        return np.stack([vector for _, vector in found]) if found else np.empty((0, self.dim), dtype=np.float32)

    def stream(self, pictures: Sequence[bytes]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """(position, vector ``(d,)``) of every picture, each once, in order."""
        for start in range(0, len(pictures), self.rows):
            prepared = [self.preparation(picture) for picture in pictures[start : start + self.rows]]
            yield from enumerate(self._forward(prepared), start)

    @torch.inference_mode()
    def _forward(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Up to ``rows`` pictures to their vectors, computed in the fixed shape ``(rows, 3, height, width)``."""
        batch = np.zeros((self.rows, *self.preparation.shape), dtype=np.float32)
        batch[: len(prepared)] = prepared
        values = torch.from_numpy(batch).to(self.device, self.model.dtype)
        vectors: NDArray[np.float32] = pooled(self.model, values, self.pools)[: len(prepared)].float().cpu().numpy()
        return vectors


def pooled(model: Any, pixel_values: Tensor, pools: bool = True) -> Tensor:
    """One vector for each picture: ``(b, 3, h, w)`` to ``(b, d)``.

    Args:
        model: what :func:`load_backbone` or :func:`build_backbone` gave.
        pools: whether to take the model's own pooled output where it has one.
    """
    if model.config.model_type in CONTRASTIVE:
        features = model.get_image_features(pixel_values=pixel_values)
        vectors: Tensor = features if isinstance(features, Tensor) else features.pooler_output
        return vectors
    outputs = model(pixel_values=pixel_values)
    own: Tensor | None = outputs.get("pooler_output") if pools else None
    if own is not None:
        return own.flatten(1)
    hidden: Tensor = outputs.last_hidden_state
    return hidden.mean((2, 3)) if hidden.ndim == 4 else hidden.mean(1)


def load_backbone(reference: ModelReference, dtype: torch.dtype) -> tuple[Any, bool]:
    """(the model, whether its own pooled output means anything) from a folder.

    Raises:
        InputError: not a model of pictures, or weights that are not all in the files.
    """
    model_class = OURS[reference.model_type][1] if reference.model_type in OURS else AutoModel
    if model_class is AutoModel:
        _check_vision(reference, load_pretrained(AutoConfig, reference))
    model, information = load_pretrained(model_class, reference, dtype=dtype, output_loading_info=True)
    absent = sorted(information["missing_keys"])
    others = [key for key in absent if "pooler" not in key]
    if others:
        raise InputError(
            f"The weights of '{reference.name}' lack {len(others)} tensors of its architecture, such as {others[0]}",
            expected="a whole model; missing weights would be random numbers",
            fix="download it again, or choose another model",
        )
    return model, not absent


def build_backbone(settings: Mapping[str, Any]) -> Any:
    """A model with random weights from its configuration as a dict with ``model_type``: the counterpart of ``config.to_dict()``."""
    kind, rest = settings["model_type"], {name: value for name, value in settings.items() if name != "model_type"}
    if kind in OURS:
        config_class, model_class = OURS[kind]
        return model_class(config_class(**rest))
    return AutoModel.from_config(AutoConfig.for_model(kind, **rest))


def _check_vision(reference: ModelReference, config: Any) -> None:
    """Refuse models from which no vector of a picture can be had."""
    channels = getattr(config, "num_channels", 3)
    sees_and_reads = getattr(config, "vision_config", None) is not None and config.model_type not in CONTRASTIVE
    if reference.reads != "image" or sees_and_reads or channels != 3:
        raise InputError(
            f"'{reference.name}' is a {config.model_type} model" + (f" of {channels} colours" if channels != 3 else ""),
            expected="a model that turns RGB pictures into one vector each, such as ViT, ConvNeXt, ResNet or CLIP",
            fix="choose one, for example asset:efficientnet-lite0",
        )
