"""Moving a picture: every pixel of the new picture looks up where it comes from, by one affine map, bilinearly.

Coordinates are those of pixel centres; ``work (n, c, h, w)`` uint8 is changed in place at ``rows (m,)``.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

#: Bits of the fraction of a coordinate, and of an interpolation weight.
_FINE, _WEIGHT = 24, 11


def rotate(work: Pixels, rows: Rows, angle: Floats, fill: int) -> None:
    """Counter-clockwise around the centre by ``angle (m,)`` degrees."""
    move(work, rows, _moves(work, angle=angle), fill)


def shear_x(work: Pixels, rows: Rows, share: Floats, fill: int) -> None:
    """Rows shifted against each other: by ``share (m,)`` pixels for each pixel of height, around the centre."""
    move(work, rows, _moves(work, shear_x=share), fill)


def shear_y(work: Pixels, rows: Rows, share: Floats, fill: int) -> None:
    """Columns shifted against each other."""
    move(work, rows, _moves(work, shear_y=share), fill)


def translate_x(work: Pixels, rows: Rows, share: Floats, fill: int) -> None:
    """To the right by ``share (m,)`` of the width."""
    move(work, rows, _moves(work, x=share), fill)


def translate_y(work: Pixels, rows: Rows, share: Floats, fill: int) -> None:
    """Downwards by ``share (m,)`` of the height."""
    move(work, rows, _moves(work, y=share), fill)


def geometric(work: Pixels, rows: Rows, numbers: Floats, fill: int) -> None:
    """Mirrored, rotated, zoomed, sheared and translated in one look-up; ``numbers (m, 6)`` as ``plans.PARAMETERS`` names them."""
    mirrored, angle, zoom, shear, x, y = numbers.T
    move(work, rows, _moves(work, mirrored=mirrored, angle=angle, zoom=zoom, shear_x=shear, x=x, y=y), fill)


def _moves(work: Pixels, **numbers: Floats) -> Floats:
    count = len(next(iter(numbers.values())))
    zeros = np.zeros(count)
    given = {"mirrored": zeros, "angle": zeros, "zoom": zeros + 1, "shear_x": zeros, "shear_y": zeros, "x": zeros, "y": zeros}
    height, width = work.shape[2:]
    return affine(height, width, **{**given, **numbers})


def affine(
    height: int,
    width: int,
    *,
    mirrored: Floats,
    angle: Floats,
    zoom: Floats,
    shear_x: Floats,
    shear_y: Floats,
    x: Floats,
    y: Floats,
) -> Floats:
    """Maps from places in the new picture to places in the old one, ``(m, 2, 3)``: the inverse of what happens to the picture.

    The picture is mirrored, sheared, zoomed and rotated around its centre, then translated.
    """
    turn = np.deg2rad(angle)
    cosine, sine = np.cos(turn), np.sin(turn)
    rotation = np.stack([np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)], -2)  # y points downwards
    one = np.ones_like(zoom)
    shear = np.stack([np.stack([one, shear_x], -1), np.stack([shear_y, one], -1)], -2)
    mirror = np.stack([np.stack([1 - 2 * mirrored, 0 * one], -1), np.stack([0 * one, one], -1)], -2)
    inverse = np.linalg.inv(rotation @ shear @ mirror * zoom[:, None, None])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    moved = centre + np.stack([x * width, y * height], -1)
    start = centre - np.einsum("mij,mj->mi", inverse, moved)
    return np.ascontiguousarray(np.concatenate([inverse, start[:, :, None]], 2))


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def move(work: Pixels, rows: Rows, maps: Floats, fill: int) -> None:  # pragma: no cover - compiled
    """Pictures through their maps ``(m, 2, 3)``; ``fill`` where a pixel comes from outside, the nearest pixel if it is negative."""
    _, channels, height, width = work.shape
    old = np.empty((channels, height * width), dtype=np.uint8)
    # Of each pixel of a row: the place of its upper left neighbour (-1: outside), the ways to the right and the lower one, weights.
    corner, right, down = np.empty(width, np.int32), np.empty(width, np.int32), np.empty(width, np.int32)
    across, along = np.empty(width, np.int32), np.empty(width, np.int32)
    for m in range(len(rows)):
        for channel in range(channels):
            old[channel] = work[rows[m], channel].ravel()
        for y in range(height):
            outside = _look_up(maps[m], y, height, width, fill, corner, right, down, across, along)
            for channel in range(channels):
                _interpolate(old[channel], corner, right, down, across, along, work[rows[m], channel, y])
                if outside:
                    for x in range(width):
                        if along[x] < 0:
                            work[rows[m], channel, y, x] = np.uint8(fill)


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _look_up(
    source: Floats, y: int, height: int, width: int, fill: int, corner: Ints, right: Ints, down: Ints, across: Ints, along: Ints
) -> bool:  # pragma: no cover - compiled
    """Where a row's pixels come from, into the last five arguments ``(width,)``; whether any comes from outside (``along`` -1)."""
    scale = float(1 << _FINE)
    mask, shift = (1 << _WEIGHT) - 1, _FINE - _WEIGHT
    step_u, step_v = np.int64(np.rint(source[0, 0] * scale)), np.int64(np.rint(source[1, 0] * scale))
    u = np.int64(np.rint((source[0, 1] * y + source[0, 2]) * scale))
    v = np.int64(np.rint((source[1, 1] * y + source[1, 2]) * scale))
    outside = False
    for x in range(width):
        left, top = int(u >> _FINE), int(v >> _FINE)
        a, b = int((u >> shift) & mask), int((v >> shift) & mask)
        u += step_u
        v += step_v
        if left >= 0 and top >= 0 and left + 1 < width and top + 1 < height:
            corner[x], right[x], down[x], across[x], along[x] = top * width + left, 1, width, a, b
            continue
        # Half a pixel around the outermost centres still belongs to the picture.
        near_x, near_y = left + (a >> (_WEIGHT - 1)), top + (b >> (_WEIGHT - 1))
        near_left, near_top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
        corner[x] = near_top * width + near_left
        right[x] = min(max(left + 1, 0), width - 1) - near_left
        down[x] = (min(max(top + 1, 0), height - 1) - near_top) * width
        across[x], along[x] = a, b
        if fill >= 0 and (near_x < 0 or near_x >= width or near_y < 0 or near_y >= height):
            along[x] = -1
            outside = True
    return outside


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _interpolate(
    plane: Pixels, corner: Ints, right: Ints, down: Ints, across: Ints, along: Ints, new: Pixels
) -> None:  # pragma: no cover - compiled
    """One row of one channel; ``plane (h * w,)``, the others ``(w,)``."""
    half = np.int32(1 << (2 * _WEIGHT - 1))
    for x in range(len(new)):
        place = corner[x]
        first, second = np.int32(plane[place]), np.int32(plane[place + right[x]])
        third, fourth = np.int32(plane[place + down[x]]), np.int32(plane[place + down[x] + right[x]])
        upper = (first << np.int32(_WEIGHT)) + across[x] * (second - first)
        lower = (third << np.int32(_WEIGHT)) + across[x] * (fourth - third)
        new[x] = np.uint8(((upper << np.int32(_WEIGHT)) + along[x] * (lower - upper) + half) >> np.int32(2 * _WEIGHT))
