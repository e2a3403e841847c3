"""Operations on neighbourhoods: sharpness, blur, motion, shuffled patches; and erased rectangles.

Each function changes ``work (n, c, h, w)`` uint8 in place at ``rows (m,)``. Beyond the border stands the nearest pixel.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from acclimate.augment.expand.image.draws import Keys
from acclimate.data.wide import mix
from acclimate.engine.splitmix import GAMMA

Pixels = NDArray[np.uint8]
Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


def gaussian(work: Pixels, rows: Rows, sigma: Floats) -> None:
    """Gaussian blur of ``sigma (m,)`` pixels, cut off at three of them."""
    _unsharp(work, rows, sigma, np.full(len(rows), -1.0))


def unsharp(work: Pixels, rows: Rows, sigma: Floats, amount: Floats) -> None:
    """Sharpened: ``x + amount (x - blurred)``."""
    _unsharp(work, rows, sigma, amount)


def motion(work: Pixels, rows: Rows, length: Floats, angle: Floats) -> None:
    """The mean of ``length (m,)`` pixels (rounded) on a line at ``angle (m,)`` degrees through each pixel."""
    _motion(work, rows, np.maximum(np.rint(length).astype(np.int64), 1), np.deg2rad(angle))


def sharpness(work: Pixels, rows: Rows, factor: Floats) -> None:
    """Between a smoothed picture and the picture, or beyond, as Pillow's ``ImageEnhance.Sharpness``; the border stays."""
    _sharpen(work, rows, factor.astype(np.float32))


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _unsharp(work: Pixels, rows: Rows, sigma: Floats, amount: Floats) -> None:  # pragma: no cover - compiled
    _, channels, height, width = work.shape
    across = np.empty((height, width), dtype=np.float32)
    line = np.empty(width, dtype=np.float32)
    for m in range(len(rows)):
        radius = int(np.ceil(3 * sigma[m]))
        weights = np.empty(2 * radius + 1, dtype=np.float32)
        for place in range(2 * radius + 1):
            weights[place] = np.exp(-0.5 * ((place - radius) / sigma[m]) ** 2) if radius else 1.0
        weights /= weights.sum()
        share = np.float32(amount[m])
        for channel in range(channels):
            plane = work[rows[m], channel]
            for y in range(height):
                for x in range(width):
                    total = np.float32(0)
                    for place in range(2 * radius + 1):
                        total += weights[place] * np.float32(plane[y, min(max(x + place - radius, 0), width - 1)])
                    across[y, x] = total
            for y in range(height):
                line[:] = 0
                for place in range(2 * radius + 1):
                    row = across[min(max(y + place - radius, 0), height - 1)]
                    for x in range(width):
                        line[x] += weights[place] * row[x]
                for x in range(width):
                    value = np.float32(plane[y, x])
                    value += share * (value - line[x])
                    plane[y, x] = np.uint8(min(max(value + np.float32(0.5), np.float32(0)), np.float32(255)))


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _motion(work: Pixels, rows: Rows, length: Rows, angle: Floats) -> None:  # pragma: no cover - compiled
    _, channels, height, width = work.shape
    old = np.empty((height, width), dtype=np.uint8)
    for m in range(len(rows)):
        count = length[m]
        right, down = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
        for tap in range(count):
            along = tap - (count - 1) / 2
            right[tap] = np.int64(np.floor(along * np.cos(angle[m]) + 0.5))
            down[tap] = np.int64(np.floor(-along * np.sin(angle[m]) + 0.5))
        for channel in range(channels):
            plane = work[rows[m], channel]
            old[:] = plane
            for y in range(height):
                for x in range(width):
                    total = 0
                    for tap in range(count):
                        near_y, near_x = min(max(y + down[tap], 0), height - 1), min(max(x + right[tap], 0), width - 1)
                        total += int(np.int64(old[near_y, near_x]))
                    plane[y, x] = np.uint8((2 * total + count) // (2 * count))


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _sharpen(work: Pixels, rows: Rows, factor: NDArray[np.float32]) -> None:  # pragma: no cover - compiled
    _, channels, height, width = work.shape
    old = np.empty((height, width), dtype=np.uint8)
    for m in range(len(rows)):
        amount = factor[m]
        for channel in range(channels):
            plane = work[rows[m], channel]
            old[:] = plane
            for y in range(1, height - 1):
                for x in range(1, width - 1):
                    total = 4 * np.int32(old[y, x])
                    for j in range(-1, 2):
                        total += np.int32(old[y + j, x - 1]) + np.int32(old[y + j, x]) + np.int32(old[y + j, x + 1])
                    # The weights sum to 13; halves cannot occur, so rounding needs no rule for them.
                    smooth = np.float32((2 * total + 13) // 26)
                    value = smooth + amount * (np.float32(old[y, x]) - smooth)
                    plane[y, x] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def patch_shuffle(work: Pixels, rows: Rows, share: Floats, keys: Keys) -> None:  # pragma: no cover - compiled
    """The pixels of every 2 × 2 patch in random order, each patch with probability ``share (m,)``; all channels alike."""
    _, channels, height, width = work.shape
    gamma = GAMMA
    across, down, kept = np.empty(4, dtype=np.int64), np.empty(4, dtype=np.int64), np.empty(4, dtype=np.uint8)
    for m in range(len(rows)):
        state = keys[m]
        for y in range(0, height - 1, 2):
            for x in range(0, width - 1, 2):
                state += gamma
                bits = mix(state)
                if (bits >> np.uint64(11)) * 2.0**-53 >= share[m]:
                    continue
                state += gamma
                bits = mix(state)
                for place in range(4):
                    across[place], down[place] = x + place % 2, y + place // 2
                for place in range(3, 0, -1):
                    other = np.int64((bits & np.uint64(0xFFFF)) % np.uint64(place + 1))
                    bits >>= np.uint64(16)
                    across[place], across[other] = across[other], across[place]
                    down[place], down[other] = down[other], down[place]
                for channel in range(channels):
                    plane = work[rows[m], channel]
                    for place in range(4):
                        kept[place] = plane[down[place], across[place]]
                    for place in range(4):
                        plane[y + place // 2, x + place % 2] = kept[place]


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def erase(work: Pixels, rows: Rows, boxes: Rows, fill: int, keys: Keys) -> None:  # pragma: no cover - compiled
    """Rectangles ``boxes (m, 4)`` (left, top, width, height) set to ``fill``, or to random pixels where it is negative."""
    channels = work.shape[1]
    gamma = GAMMA
    for m in range(len(rows)):
        left, top, right, bottom = boxes[m, 0], boxes[m, 1], boxes[m, 0] + boxes[m, 2], boxes[m, 1] + boxes[m, 3]
        state = keys[m]
        for channel in range(channels):
            plane = work[rows[m], channel]
            for y in range(top, bottom):
                for x in range(left, right):
                    if fill >= 0:
                        plane[y, x] = np.uint8(fill)
                    else:
                        state += gamma
                        plane[y, x] = np.uint8(mix(state) >> np.uint64(56))
