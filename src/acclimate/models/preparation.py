"""From an encoded picture to a model's input, as the model's ``preprocessor_config.json`` says, with Pillow alone.

The image processors of transformers read the same file; the fast ones need torchvision, which not every machine can import.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.images import decoded
from acclimate.engine.storage import read_json
from acclimate.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

#: ConvNeXt's recipe: below this size the middle of a larger picture, from it on the whole one.
WHOLE_FROM = 384
#: ... and how much of the larger one is kept where the file does not say.
CROP_SHARE = 224 / 256


@dataclasses.dataclass(frozen=True)
class Preparation:
    """What is done to a picture, in this order.

    Attributes:
        resize: ``(height, width)``, or the length of the shorter side, or None.
        crop: ``(height, width)`` cut from the middle, padded with black where the picture is smaller; None keeps all.
        resample: Pillow's number of the filter.
        scale: factor of the values 0 to 255.
        mean, std: of each colour, subtracted and divided by.
    """

    resize: tuple[int, int] | int | None
    crop: tuple[int, int] | None
    resample: int = 2
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    @classmethod
    def read(cls, folder: Path | str, name: str) -> Self:
        """The preparation that a model's folder asks for.

        Raises:
            InputError: the folder says none, or one after which pictures would differ in size. ``name`` is the model's, for
                messages.
        """
        settings = _settings(Path(folder), name)
        resize, crop = _sizes(settings)
        if crop is None and not isinstance(resize, tuple):
            raise InputError(
                f"The model '{name}' is made for pictures of any shape (its preprocessor_config.json names none)",
                expected="one fixed size, as models that classify pictures have",
                fix="choose a model such as a ViT, ConvNeXt, ResNet or CLIP, for example asset:efficientnet-lite0",
            )
        normalise = settings.get("do_normalize", "image_mean" in settings)
        return cls(
            resize=resize,
            crop=crop,
            resample=int(settings.get("resample", 2)),
            scale=float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0,
            mean=_colours(settings["image_mean"]) if normalise else (0.0, 0.0, 0.0),
            std=_colours(settings["image_std"]) if normalise else (1.0, 1.0, 1.0),
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Colours, height and width of what comes out."""
        size = self.crop or self.resize
        assert isinstance(size, tuple)
        return (3, *size)

    def settings(self) -> dict[str, Any]:
        """The same as a ``preprocessor_config.json`` says it."""
        size = None if self.resize is None else {"shortest_edge": self.resize}
        if isinstance(self.resize, tuple):
            size = dict(zip(("height", "width"), self.resize, strict=True))
        crop = None if self.crop is None else dict(zip(("height", "width"), self.crop, strict=True))
        return {
            "do_resize": size is not None,
            **({} if size is None else {"size": size}),
            "do_center_crop": crop is not None,
            **({} if crop is None else {"crop_size": crop}),
            "resample": self.resample,
            "do_rescale": True,
            "rescale_factor": self.scale,
            "do_normalize": True,
            "image_mean": list(self.mean),
            "image_std": list(self.std),
        }

    def frame(self, picture: Image) -> Image:
        """Resize and crop, without touching the values of pixels otherwise."""
        if self.resize is not None:
            height, width = self.resize if isinstance(self.resize, tuple) else _with_short_side(picture, self.resize)
            picture = picture.resize((width, height), self.resample)
        if self.crop is not None:
            height, width = self.crop
            left, top = (picture.width - width) // 2, (picture.height - height) // 2
            picture = picture.crop((left, top, left + width, top + height))
        return picture

    def __call__(self, data: bytes) -> NDArray[np.float32]:
        """An encoded picture to ``(3, height, width)``; grey ones become RGB.

        Raises:
            InputError: it cannot be decoded.
            MissingExtraError: Pillow is not installed.
        """
        pixels = np.asarray(self.frame(decoded(data)), dtype=np.float32) * np.float32(self.scale)
        normalised = (pixels - np.array(self.mean, dtype=np.float32)) / np.array(self.std, dtype=np.float32)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1), dtype=np.float32)


def _settings(folder: Path, name: str) -> Mapping[str, Any]:
    """What the folder says about pictures, in the older file or in the newer one."""
    for file, key in (("preprocessor_config.json", None), ("processor_config.json", "image_processor")):
        if (folder / file).is_file():
            found = read_json(folder / file)
            found = found if key is None else found.get(key)
            if isinstance(found, dict):
                return found
    raise InputError(
        f"The folder of model '{name}' ({folder}) does not say how pictures are prepared",
        expected="a preprocessor_config.json, as image processors of transformers write it",
        fix="download the model with that file, or use asset:efficientnet-lite0",
    )


def _sizes(settings: Mapping[str, Any]) -> tuple[tuple[int, int] | int | None, tuple[int, int] | None]:
    """(resize, crop) out of the many ways in which configurations say them."""
    convnext = "crop_pct" in settings or str(settings.get("image_processor_type", "")).startswith("ConvNext")
    crops = bool(settings.get("do_center_crop", "crop_size" in settings)) and not convnext
    crop = _pair(settings.get("crop_size", settings.get("size"))) if crops else None
    if not settings.get("do_resize", True):
        return None, crop
    size = settings.get("size")
    short = size.get("shortest_edge") if isinstance(size, dict) else size if crops or convnext else None
    if convnext and isinstance(short, int):
        if short >= WHOLE_FROM:
            return (short, short), None
        return int(short / (settings.get("crop_pct") or CROP_SHARE)), (short, short)
    return (short if short is not None else _pair(size)), crop


def _pair(size: Any) -> tuple[int, int] | None:
    if isinstance(size, dict):
        if "height" in size:
            return int(size["height"]), int(size["width"])
        size = size.get("shortest_edge")
    if isinstance(size, (list, tuple)):
        return int(size[0]), int(size[1])
    return (int(size), int(size)) if size is not None else None


def _colours(values: Any) -> tuple[float, ...]:
    several = tuple(float(value) for value in values) if isinstance(values, (list, tuple)) else (float(values),)
    return several * 3 if len(several) == 1 else several


def _with_short_side(picture: Image, side: int) -> tuple[int, int]:
    """(height, width) of a picture of the same shape whose shorter side is ``side``; the other is rounded down."""
    short, long = sorted(picture.size)
    other = int(side * long / short)
    return (side, other) if picture.height <= picture.width else (other, side)
