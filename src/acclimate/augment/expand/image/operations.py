"""Plans carried out: pictures that drew the same operation are changed together, each by its own numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.expand.image import filters, points, warps
from acclimate.augment.expand.image.draws import Keys
from acclimate.augment.expand.image.plans import NAMES, Plan
from acclimate.engine.splitmix import mix64

Pixels = NDArray[np.uint8]
Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
#: Changes pictures at ``rows (m,)`` in place: ``(work, rows, numbers (m, WIDTH), keys (m,), fill)``.
Operation = Callable[[Pixels, Rows, Floats, Keys, int], None]


def _plain(change: Callable[[Pixels, Rows], None]) -> Operation:
    return lambda work, rows, numbers, keys, fill: change(work, rows)  # noqa: ARG005 - one signature for all


def _first(change: Callable[[Pixels, Rows, Floats], None]) -> Operation:
    return lambda work, rows, numbers, keys, fill: change(work, rows, numbers[:, 0])  # noqa: ARG005


def _both(change: Callable[[Pixels, Rows, Floats, Floats], None]) -> Operation:
    return lambda work, rows, numbers, keys, fill: change(work, rows, numbers[:, 0], numbers[:, 1])  # noqa: ARG005


def _moving(change: Callable[[Pixels, Rows, Floats, int], None]) -> Operation:
    return lambda work, rows, numbers, keys, fill: change(work, rows, numbers[:, 0], fill)  # noqa: ARG005


def _erase(work: Pixels, rows: Rows, numbers: Floats, keys: Keys, fill: int) -> None:
    height, width = work.shape[2:]
    boxes = np.rint(numbers[:, :4] * [width, height, width, height]).astype(np.int64)
    boxes[:, 2] = np.minimum(boxes[:, 2], width - boxes[:, 0])
    boxes[:, 3] = np.minimum(boxes[:, 3], height - boxes[:, 1])
    filters.erase(work, rows, boxes, fill, keys)


OPERATIONS: dict[str, Operation] = {
    "identity": _plain(lambda work, rows: None),  # noqa: ARG005
    "auto-contrast": _plain(points.auto_contrast),
    "equalize": _plain(points.equalize),
    "invert": _plain(points.invert),
    "solarize": _first(points.solarize),
    "posterize": _first(points.posterize),
    "brightness": _first(points.brightness),
    "contrast": _first(points.contrast),
    "saturation": _first(points.saturation),
    "hue": _first(points.hue),
    "sharpness": _first(filters.sharpness),
    "rotate": _moving(warps.rotate),
    "shear-x": _moving(warps.shear_x),
    "shear-y": _moving(warps.shear_y),
    "translate-x": _moving(warps.translate_x),
    "translate-y": _moving(warps.translate_y),
    "geometric": lambda work, rows, numbers, keys, fill: warps.geometric(work, rows, numbers, fill),  # noqa: ARG005
    "gaussian": _first(filters.gaussian),
    "motion": _both(filters.motion),
    "unsharp": _both(filters.unsharp),
    "patch-shuffle": lambda work, rows, numbers, keys, fill: filters.patch_shuffle(work, rows, numbers[:, 0], keys),  # noqa: ARG005
    "erase": _erase,
}


def carry_out(images: Pixels, plan: Plan) -> Pixels:
    """New pictures ``(n, c, h, w)`` uint8, of 1 or 3 channels; a picture depends on itself and its own row of the plan alone."""
    work = np.array(images, dtype=np.uint8, order="C")
    for step in range(plan.codes.shape[1]):
        codes = plan.codes[:, step]
        for code in np.unique(codes).tolist():
            rows = np.flatnonzero(codes == code)
            keys = mix64(plan.keys[rows] + np.uint64(step + 1))
            OPERATIONS[NAMES[code]](work, rows, plan.numbers[rows, step], keys, plan.fill)
    return work
