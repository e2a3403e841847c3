"""Operations on colours: every channel through a table of 256 entries, or every pixel's channels with one another.

Each function changes ``work (n, c, h, w)`` uint8 in place at ``rows (m,)``. The definitions, rounding included, are those of
Pillow (``ImageOps``, ``ImageEnhance``), from which the policies of Cubuk et al. were built.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
Tables = NDArray[np.uint8]
Counts = NDArray[np.int64]

_LEVELS = np.arange(256)
#: Rows: luma and the two chroma axes of YIQ, from red, green and blue (NTSC 1953).
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def invert(work: Pixels, rows: Rows) -> None:
    """``255 - x``."""
    apply_tables(work, rows, _same_for_all((255 - _LEVELS)[None].repeat(len(rows), 0)))


def solarize(work: Pixels, rows: Rows, threshold: Floats) -> None:
    """``255 - x`` from ``threshold (m,)`` on, ``x`` below."""
    apply_tables(work, rows, _same_for_all(np.where(threshold[:, None] > _LEVELS, _LEVELS, 255 - _LEVELS)))


def posterize(work: Pixels, rows: Rows, bits: Floats) -> None:
    """The highest ``bits (m,)`` of each value (rounded; 8 changes nothing)."""
    dropped = 8 - np.rint(bits).astype(np.int64)[:, None]
    apply_tables(work, rows, _same_for_all((_LEVELS >> dropped) << dropped))


def brightness(work: Pixels, rows: Rows, factor: Floats) -> None:
    """Between black and the picture, or beyond: ``factor x``, ``factor (m,)``."""
    apply_tables(work, rows, _same_for_all(_blend(np.zeros((len(rows), 1)), factor)))


def contrast(work: Pixels, rows: Rows, factor: Floats) -> None:
    """Between the picture's mean grey and the picture, or beyond."""
    apply_tables(work, rows, _same_for_all(_blend(_mean_grey(work, rows)[:, None], factor)))


def auto_contrast(work: Pixels, rows: Rows) -> None:
    """Each channel stretched so that its darkest value is 0 and its brightest 255."""
    apply_tables(work, rows, _stretched(histograms(work, rows)))


def equalize(work: Pixels, rows: Rows) -> None:
    """Each channel so that its values are spread evenly."""
    apply_tables(work, rows, _equalized(histograms(work, rows)))


def saturation(work: Pixels, rows: Rows, factor: Floats) -> None:
    """Between grey and the picture, or beyond; grey pictures stay."""
    if work.shape[1] == 3:
        _saturate(work, rows, factor.astype(np.float32))


def hue(work: Pixels, rows: Rows, turn: Floats) -> None:
    """Colours turned around the grey axis of YIQ by ``turn (m,)`` of a full circle; luma stays; grey pictures stay."""
    if work.shape[1] == 3:
        _recolour(work, rows, hue_matrices(turn))


def hue_matrices(turn: Floats) -> Floats:
    """``(m,)`` shares of a full turn to matrices ``(m, 3, 3)`` that turn RGB columns around the grey axis."""
    turns = np.zeros((len(turn), 3, 3))
    cosine, sine = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
    turns[:, 0, 0] = 1
    turns[:, 1, 1] = turns[:, 2, 2] = cosine
    turns[:, 1, 2], turns[:, 2, 1] = -sine, sine
    return np.asarray(np.linalg.inv(_YIQ) @ turns @ _YIQ)


def _same_for_all(levels: NDArray[np.int64]) -> Tables:
    """``(m, 256)`` as tables of one channel that stand for all."""
    return levels.astype(np.uint8)[:, None]


def _blend(base: Floats, factor: Floats) -> NDArray[np.int64]:
    """``base + factor (x - base)`` for every level ``x``, truncated as Pillow does, in single precision: ``(m, 256)``."""
    low = base.astype(np.float32)
    mixed = low + factor.astype(np.float32)[:, None] * (_LEVELS.astype(np.float32) - low)
    return np.asarray(np.clip(mixed, 0, 255).astype(np.int64))


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def apply_tables(work: Pixels, rows: Rows, tables: Tables) -> None:  # pragma: no cover - compiled
    """Every value through its channel's table; ``tables (m, c, 256)``, or ``(m, 1, 256)`` for all channels alike."""
    _, channels, height, width = work.shape
    for m in range(len(rows)):
        for channel in range(channels):
            table = tables[m, min(channel, tables.shape[1] - 1)]
            plane = work[rows[m], channel]
            for y in range(height):
                for x in range(width):
                    plane[y, x] = table[plane[y, x]]


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def histograms(work: Pixels, rows: Rows) -> Counts:  # pragma: no cover - compiled
    """How often each value occurs in each channel, ``(m, c, 256)``."""
    _, channels, height, width = work.shape
    counts = np.zeros((len(rows), channels, 256), dtype=np.int64)
    odd = np.empty(256, dtype=np.int64)
    for m in range(len(rows)):
        for channel in range(channels):
            plane, even = work[rows[m], channel], counts[m, channel]
            odd[:] = 0
            for y in range(height):
                # Two counters in turn: equal neighbours would otherwise wait for each other's increment.
                for x in range(0, width - 1, 2):
                    even[plane[y, x]] += 1
                    odd[plane[y, x + 1]] += 1
                if width % 2:
                    even[plane[y, width - 1]] += 1
            even += odd
    return counts


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _stretched(counts: Counts) -> Tables:  # pragma: no cover - compiled
    """Tables ``(m, c, 256)`` of auto-contrast; a channel of one value stays."""
    tables = np.empty(counts.shape, dtype=np.uint8)
    for m in range(counts.shape[0]):
        for channel in range(counts.shape[1]):
            low, high = 0, 255
            while low < 255 and counts[m, channel, low] == 0:
                low += 1
            while high > 0 and counts[m, channel, high] == 0:
                high -= 1
            for level in range(256):
                value = float(level)
                if high > low:
                    scale = 255.0 / (high - low)
                    value = level * scale - low * scale
                tables[m, channel, level] = np.uint8(min(max(int(value), 0), 255))
    return tables


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _equalized(counts: Counts) -> Tables:  # pragma: no cover - compiled
    """Tables ``(m, c, 256)`` of equalization; a channel too uniform for it stays."""
    tables = np.empty(counts.shape, dtype=np.uint8)
    for m in range(counts.shape[0]):
        for channel in range(counts.shape[1]):
            last = total = 0
            for level in range(256):
                if counts[m, channel, level]:
                    last = int(counts[m, channel, level])
                    total += last
            step = (total - last) // 255
            seen = step // 2
            for level in range(256):
                tables[m, channel, level] = np.uint8(min(seen // step, 255) if step else level)
                seen += int(counts[m, channel, level])
    return tables


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _mean_grey(work: Pixels, rows: Rows) -> Floats:  # pragma: no cover - compiled
    """The mean grey of each picture, rounded, ``(m,)``; grey as ITU-R 601-2 weighs red, green and blue."""
    _, channels, height, width = work.shape
    means = np.empty(len(rows))
    for m in range(len(rows)):
        total = 0
        picture = work[rows[m]]
        for y in range(height):
            for x in range(width):
                if channels == 3:
                    red, green, blue = np.int64(picture[0, y, x]), np.int64(picture[1, y, x]), np.int64(picture[2, y, x])
                    total += int((red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16)
                else:
                    total += int(np.int64(picture[0, y, x]))
        means[m] = np.floor(total / (height * width) + 0.5)
    return means


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _saturate(work: Pixels, rows: Rows, factor: NDArray[np.float32]) -> None:  # pragma: no cover - compiled
    height, width = work.shape[2:]
    for m in range(len(rows)):
        reds, greens, blues = work[rows[m], 0], work[rows[m], 1], work[rows[m], 2]
        amount = factor[m]
        for y in range(height):
            for x in range(width):
                red, green, blue = np.int32(reds[y, x]), np.int32(greens[y, x]), np.int32(blues[y, x])
                grey = np.float32((red * np.int32(19595) + green * np.int32(38470) + blue * np.int32(7471) + np.int32(32768)) >> 16)
                reds[y, x] = _byte(grey + amount * (np.float32(red) - grey))
                greens[y, x] = _byte(grey + amount * (np.float32(green) - grey))
                blues[y, x] = _byte(grey + amount * (np.float32(blue) - grey))


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _recolour(work: Pixels, rows: Rows, matrices: Floats) -> None:  # pragma: no cover - compiled
    """Every pixel's channels through a matrix of its picture, ``(m, 3, 3)``, rounded."""
    height, width = work.shape[2:]
    half = np.float32(0.5)
    for m in range(len(rows)):
        reds, greens, blues = work[rows[m], 0], work[rows[m], 1], work[rows[m], 2]
        k = matrices[m].astype(np.float32)
        for y in range(height):
            for x in range(width):
                red, green, blue = np.float32(reds[y, x]), np.float32(greens[y, x]), np.float32(blues[y, x])
                reds[y, x] = _byte(k[0, 0] * red + k[0, 1] * green + k[0, 2] * blue + half)
                greens[y, x] = _byte(k[1, 0] * red + k[1, 1] * green + k[1, 2] * blue + half)
                blues[y, x] = _byte(k[2, 0] * red + k[2, 1] * green + k[2, 2] * blue + half)


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]  # numba has no types
def _byte(value: np.float32) -> np.uint8:  # pragma: no cover - compiled
    """Truncated, and clipped to a byte."""
    return np.uint8(np.int32(min(max(value, np.float32(0)), np.float32(255))))
