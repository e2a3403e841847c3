"""Fourier domain adaptation: a picture keeps its phases and takes another picture's low-frequency amplitudes."""

from __future__ import annotations

import dataclasses
import functools
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.expand.image.pictures import Pixels
from acclimate.augment.expand.image.plans import check_range
from acclimate.augment.expand.image.styles import expand
from acclimate.data.domain import Domain

Reals = NDArray[np.float32]
#: Values handled at once: what stays in a core's cache.
_BLOCK = 1 << 16


@dataclasses.dataclass(frozen=True, eq=False)
class Waves:
    """Cosines and sines of the lowest frequencies of a ``h × w`` picture, ``b`` of each sign; rows are frequencies.

    Attributes:
        analysis: ``(w, 2 (b + 1))``, cosines then minus sines of the frequencies 0 to b along x.
        cosine, sine: of the frequencies -b to b along y, ``(2b + 1, h)``.
        synthesis: ``(2 (b + 1), w)``; frequencies above 0 count twice, for their mirror images, and all are divided by ``h w``.
    """

    analysis: Reals
    cosine: Reals
    sine: Reals
    synthesis: Reals


@functools.lru_cache(maxsize=64)
def waves(height: int, width: int, reach: int) -> Waves:
    """The tables for one size; ``reach`` is ``b``."""
    along = 2 * np.pi * np.outer(np.arange(reach + 1), np.arange(width)) / width
    down = 2 * np.pi * np.outer(np.arange(-reach, reach + 1), np.arange(height)) / height
    twice = np.where(np.arange(reach + 1) == 0, 1.0, 2.0)[:, None] / (height * width)
    single = [
        np.concatenate([np.cos(along), -np.sin(along)]).T,
        np.cos(down),
        np.sin(down),
        np.concatenate([twice * np.cos(along), -twice * np.sin(along)]),
    ]
    return Waves(*(np.ascontiguousarray(table, dtype=np.float32) for table in single))


def adapt(images: Pixels, styles: Pixels, beta: float) -> Pixels:
    """Each picture with the low-frequency amplitudes of its partner: Yang & Soatto 2020, eq. 3.

    ``F⁻¹(M A(style) + (1 − M) A(image), phase(image))``, where the mask ``M`` is the square of frequencies up to
    ``b = ⌊β min(h, w)⌋``. Only ``(2b + 1)²`` coefficients change, so only they are computed, as two small matrix products, and
    their change is added to the picture; a fast Fourier transform computes all of them, twice, and back.

    Args:
        images, styles: ``(n, c, h, w)`` uint8.
        beta: half the side of the square, as a share of the picture's shorter side, in [0, 0.5).
    Returns:
        ``(n, c, h, w)`` uint8, rounded and clipped; a picture depends on its own pair alone, to the last bit.
    """
    count, channels, height, width = images.shape
    tables = waves(height, width, int(beta * min(height, width)))
    new = np.empty_like(images)
    step = max(1, _BLOCK // (channels * height * width))
    for start in range(0, count, step):
        block = images[start : start + step].astype(np.float32)
        borrowed = styles[start : start + step].astype(np.float32)
        block += _synthesis(*_change(_spectrum(block, tables), _spectrum(borrowed, tables), height * width), tables)
        np.rint(block, out=block)
        new[start : start + step] = np.clip(block, 0, 255, out=block)
    return new


def _spectrum(values: Reals, tables: Waves) -> tuple[Reals, Reals]:
    """Real and imaginary parts of the lowest coefficients of ``(n, c, h, w)``: ``(n, c, 2b + 1, b + 1)`` each."""
    rows = values @ tables.analysis
    half = rows.shape[-1] // 2
    # One product for both parts: the columns lie side by side.
    with_cosine, with_sine = tables.cosine @ rows, tables.sine @ rows
    return (
        with_cosine[..., :half] + with_sine[..., half:],
        with_cosine[..., half:] - with_sine[..., :half],
    )


def _change(own: tuple[Reals, Reals], other: tuple[Reals, Reals], size: int) -> tuple[Reals, Reals]:
    """What turns coefficients into those of the other's amplitude and their own phase.

    A coefficient too small to be told from rounding has no phase of its own; it is taken as 0, as the angle of 0 is.
    """
    real, imaginary = own
    # No np.hypot: square roots are rounded alike wherever a value lies in its array, vectorised library functions may not be.
    amplitude = np.sqrt(real * real + imaginary * imaginary)
    wanted = np.sqrt(other[0] * other[0] + other[1] * other[1])
    silent = amplitude < np.float32(3e-4 * size)
    gain = wanted / np.where(silent, np.float32(1), amplitude) - np.float32(1)
    return np.where(silent, wanted, real * gain), np.where(silent, np.float32(0), imaginary * gain)


def _synthesis(real: Reals, imaginary: Reals, tables: Waves) -> Reals:
    """Coefficients ``(n, c, 2b + 1, b + 1)`` and their mirror images as pixels ``(n, c, h, w)``."""
    both = np.concatenate([real, imaginary], axis=-1)
    turned = np.concatenate([-imaginary, real], axis=-1)
    rows = tables.cosine.T @ both + tables.sine.T @ turned
    return np.asarray(rows @ tables.synthesis)


@dataclasses.dataclass(frozen=True)
class Fourier:
    """A new picture has the edges and shapes of its parent and the light, colour and coarse contrast of a drawn other picture.

    Amplitudes of the lowest frequencies are exchanged, phases stay. Each copy draws its own picture; a picture of another size is
    resized first. Grey pictures take colour from coloured ones.

    Reference: Yang & Soatto 2020, "FDA: Fourier domain adaptation for semantic segmentation", eq. 3. There β is 0.01, 0.05 and
    0.09 in turn; 0.05 is the middle one.

    Use when: source and target differ in light, sensor or palette and the source has the labels: give the source as examples and
    the target as ``style``, or the reverse for more target pictures in the source's look.
    Avoid when: the domains differ in what is drawn rather than how (photographs and line drawings): low frequencies carry little
    of that, and a large β draws ghosts.

    Args:
        beta: half the side of the exchanged square of frequencies, as a share of the picture's shorter side, in [0, 0.5).
        style: the pictures that lend their look; the verb provides it.
    """

    method: ClassVar[str] = "fourier"
    paper: ClassVar[str] = "Yang & Soatto 2020"
    modality: ClassVar[tuple[str, ...]] = ("image",)
    extra: ClassVar[str] = "vision"
    summary: ClassVar[str] = "takes the low-frequency amplitudes of a picture of another domain"
    summary_zh: ClassVar[str] = "傅里叶域适应：换用另一领域图像的低频幅度，保留相位"
    needs: ClassVar[tuple[str, ...]] = ("pictures of another domain (style)",)

    beta: float = 0.05
    style: Domain | None = None

    def __post_init__(self) -> None:
        """Raises InputError: beta outside its range."""
        check_range(self.method, "beta", self.beta, 0, 0.499)

    def restyle(self, picture: Pixels, style: Pixels) -> Pixels:
        """One picture ``(c, h, w)`` uint8 in the look of another of the same shape."""
        restyled: Pixels = adapt(picture[None], style[None], self.beta)[0]
        return restyled

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """``times`` new pictures for each one; see :func:`acclimate.augment.expand.image.styles.expand`."""
        return expand(self, examples, times, seed, workers)
