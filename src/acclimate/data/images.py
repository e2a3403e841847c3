"""Pictures as examples: encoded bytes that decode whole, from a column of bytes or of files.

A picture stays as its own file's bytes (PNG, JPEG, ...) until something looks at its pixels, so that a pool costs what its files
cost. Reading decodes every picture once, because a file that ends too early shows that nowhere else; a JPEG is decoded at an
eighth of its size for that, which goes through all of its data and takes a third of the time.
"""

from __future__ import annotations

import base64
import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.values import Bad
from acclimate.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

#: What picture files end in.
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
#: A bad picture's row was expected to hold this.
EXPECTED = "a picture that decodes whole (PNG, JPEG, WebP, BMP, GIF, TIFF)"


def decoded(data: bytes) -> Image:
    """An encoded picture as RGB pixels, upright as its EXIF data says, transparent parts on white; of an animation its first frame.

    Raises:
        InputError: the bytes are no picture, or one that is cut short.
        MissingExtraError: Pillow is not installed.

    >>> decoded(encoded(np.zeros((2, 3), dtype=np.uint8))).size
    (3, 2)
    """
    pillow_image, pillow_operations = _pillow()
    try:
        with _strict(), pillow_image.open(io.BytesIO(data)) as picture:
            picture.load()
            return _as_rgb(pillow_operations.exif_transpose(picture))
    except _failures() as error:
        raise InputError(f"A picture of {len(data)} bytes cannot be decoded: {_reason(error)}", expected=EXPECTED) from error


def pixels(data: bytes) -> NDArray[np.uint8]:
    """The pixels of an encoded picture, ``(height, width, 3)``; errors as :func:`decoded`."""
    return np.asarray(decoded(data), dtype=np.uint8)


def described(data: bytes) -> str:
    """A picture in a few words, where a text would be shown.

    >>> described(encoded(np.zeros((2, 3), dtype=np.uint8)))
    'PNG, 3 × 2'
    """
    pillow_image, _ = _pillow()
    with _strict(), pillow_image.open(io.BytesIO(data)) as picture:
        return f"{picture.format}, {picture.width} × {picture.height}"


def thumbnail(data: bytes, side: int = 96) -> str:
    """A picture, made no larger than ``side`` pixels, as a ``data:`` address that a page can show without another file."""
    pillow_image, _ = _pillow()
    with _strict(), pillow_image.open(io.BytesIO(data)) as picture:
        small = _as_rgb(picture)
        small.thumbnail((side, side))
        stream = io.BytesIO()
        small.save(stream, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def encoded(values: NDArray[np.uint8]) -> bytes:
    """Pixels, ``(height, width)`` of grey or ``(height, width, 3)`` of colour, as a PNG; equal pixels give equal bytes.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    pillow_image, _ = _pillow()
    stream = io.BytesIO()
    pillow_image.fromarray(np.ascontiguousarray(values)).save(stream, format="PNG")
    return stream.getvalue()


def read_picture(value: Any, folder: Path, column: str) -> bytes | Bad:
    """The picture that a cell holds: bytes, the name of a file, or both as Hugging Face writes them (``{bytes, path}``).

    Args:
        value: the cell.
        folder: where names of files start from.
        column: for messages.
    """
    said = ""
    if isinstance(value, dict):
        said = str(value.get("path") or "")
        value = value.get("bytes") or value.get("path")
    if isinstance(value, (bytearray, memoryview)):
        value = bytes(value)
    if value is None or value in ("", b""):
        return Bad(f"no picture (column '{column}')", "a picture on every row")
    if isinstance(value, str):
        said = value
        try:
            value = (folder / Path(value).expanduser()).read_bytes()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            return Bad(f"the picture '{said}' (column '{column}') cannot be read: {reason}", f"a file, named from '{folder}'")
    if not isinstance(value, bytes):
        return Bad(f"the column '{column}' holds a {type(value).__name__}, not a picture", "bytes or the name of a file")
    problem = _problem(value)
    if problem is None:
        return value
    return Bad(f"the picture{f' {said!r}' if said else ''} (column '{column}') cannot be decoded: {problem}", EXPECTED)


def _problem(data: bytes) -> str | None:
    """Why a picture does not decode whole; None if it does."""
    pillow_image, _ = _pillow()
    try:
        with _strict(), pillow_image.open(io.BytesIO(data)) as picture:
            picture.draft("RGB", (1, 1))  # only JPEG heeds it
            picture.load()
    except _failures() as error:
        return _reason(error)
    return None


def suffix_of(data: bytes) -> str:
    """What a file with these bytes ends in.

    >>> suffix_of(encoded(np.zeros((2, 3), dtype=np.uint8)))
    '.png'
    """
    pillow_image, _ = _pillow()
    with _strict(), pillow_image.open(io.BytesIO(data)) as picture:
        ending = f".{str(picture.format).lower()}"
    return ending if ending in SUFFIXES else ".png"  # readers go by the bytes


def is_picture_file(name: str) -> bool:
    """Whether a file's name says that it is a picture."""
    return name.lower().endswith(SUFFIXES)


def holds_pictures(folder: Path) -> bool:
    """Whether any file below a folder is a picture by its name."""
    return any(is_picture_file(file) for _, _, files in os.walk(folder) for file in files)


def _as_rgb(picture: Image) -> Image:
    """RGB without surprises: 16-bit grey scaled rather than clipped, transparency laid on white rather than on what it hides."""
    pillow_image, _ = _pillow()
    if picture.mode.startswith("I"):
        grey = np.clip(np.rint(np.asarray(picture).astype(np.float64) / 257), 0, 255).astype(np.uint8)
        picture = pillow_image.fromarray(grey)
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        with_alpha = picture.convert("RGBA")
        white = pillow_image.new("RGBA", with_alpha.size, (255, 255, 255, 255))
        picture = pillow_image.alpha_composite(white, with_alpha)
    return picture.convert("RGB")


def _pillow() -> tuple[Any, Any]:
    """``PIL.Image`` and ``PIL.ImageOps``."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise MissingExtraError("Reading pictures", "vision") from error
    return Image, ImageOps


def _strict() -> warnings.catch_warnings[None]:
    """What Pillow only warns about, such as damaged EXIF data, is no reason to print anything here."""
    return warnings.catch_warnings(action="ignore")


def _failures() -> tuple[type[BaseException], ...]:
    """What decoding damaged or hostile data raises."""
    from PIL.Image import DecompressionBombError

    return (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError, OverflowError, DecompressionBombError)


def _reason(error: BaseException) -> str:
    said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return "it is no picture of a known format" if said.startswith("cannot identify") else said
