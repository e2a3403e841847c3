"""Pictures in and out: decoded once for all copies of a parent, changed by its plan, and encoded as PNG."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.base import check_times, descend, settings_of
from acclimate.augment.expand.image.draws import Keys, copy_keys
from acclimate.augment.expand.image.plans import Plan
from acclimate.data.domain import Domain
from acclimate.data.images import encoded, pixels
from acclimate.engine.local import map_ordered

Pixels = NDArray[np.uint8]
#: Parents handed to a worker at once.
CHUNK = 32


class Planner(Protocol):
    """An augmenter whose new pictures are operations on their parent."""

    method: ClassVar[str]

    def plan(self, keys: Keys, height: int, width: int) -> Plan:
        """What is done to each of ``n`` pictures of one size; row by row from its key alone."""
        ...


def planes(data: bytes) -> Pixels:
    """An encoded picture as channels, ``(3, h, w)``, or ``(1, h, w)`` where every pixel is grey.

    >>> planes(encoded(np.zeros((2, 5), dtype=np.uint8))).shape
    (1, 2, 5)
    """
    values = pixels(data).transpose(2, 0, 1)
    if (values[0] == values[1]).all() and (values[0] == values[2]).all():
        values = values[:1]
    return np.ascontiguousarray(values)


def coloured(values: Pixels) -> Pixels:
    """The same picture with three channels."""
    return values if len(values) == 3 else np.repeat(values, 3, axis=0)


def written(values: Pixels) -> bytes:
    """Channels ``(1, h, w)`` or ``(3, h, w)`` as a PNG."""
    return encoded(values[0] if len(values) == 1 else values.transpose(1, 2, 0))


def resized(values: Pixels, height: int, width: int) -> Pixels:
    """A picture in another size, bilinearly and without aliasing (Pillow)."""
    if values.shape[1:] == (height, width):
        return values
    from PIL import Image

    small = [Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR) for plane in values]
    return np.stack([np.asarray(plane, dtype=np.uint8) for plane in small])


def apply(planner: Planner, images: Pixels, keys: Keys) -> Pixels:
    """One new picture for each, ``(n, c, h, w)`` uint8, drawn from its own key ``(n,)``: for batches while training."""
    from acclimate.augment.expand.image.operations import carry_out

    return carry_out(images, planner.plan(keys, *images.shape[2:]))


def expand(planner: Planner, examples: Domain, times: int, seed: int, workers: int) -> Domain:
    """``times`` new pictures for each example; see :class:`acclimate.augment.base.Augmenter`.

    Raises:
        InputError: ``times`` or ``workers`` is less than 1, or the examples are no pictures.
    """
    check_times(times)
    rows = zip(examples.ids, examples.images, strict=True)
    chunks = iter(lambda: list(itertools.islice(rows, CHUNK)), [])
    work = partial(_expand_chunk, planner=planner, times=times, seed=seed)
    made = [one for chunk in map_ordered(work, chunks, workers) for one in chunk]
    same = sum(unchanged for _, _, unchanged in made)
    return descend(
        examples,
        [picture for picture, _, _ in made],
        method=planner.method,
        seed=seed,
        settings=settings_of(planner),
        drawn=[drawn for _, drawn, _ in made],
        notes=[f"{same} of {len(made)} new pictures equal their parent: nothing was drawn that changes them"] if same else (),
    )


def _expand_chunk(
    rows: Sequence[tuple[str, bytes]], *, planner: Planner, times: int, seed: int
) -> list[tuple[bytes, dict[str, Any], bool]]:
    """The new pictures of some parents, what was drawn for each, and whether it equals its parent."""
    from acclimate.augment.expand.image.operations import carry_out

    made = []
    for name, data in rows:
        parent = planes(data)
        plan = planner.plan(copy_keys(planner.method, seed, name, data, times), *parent.shape[1:])
        children = carry_out(np.repeat(parent[None], times, axis=0), plan)
        for copy, child in enumerate(children):
            made.append((written(child), plan.drawn(copy), bool((child == parent).all())))
    return made
