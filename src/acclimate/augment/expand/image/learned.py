"""What the learned generators share: the pictures they are trained on, and pictures as their numbers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.expand.image.pictures import Pixels, coloured, planes, resized
from acclimate.data.domain import Domain
from acclimate.engine.storage import content_hash
from acclimate.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Lesson:
    """Labelled pictures in the order of their ids, so that training does not depend on the order of rows.

    Attributes:
        ids: ``(n,)``.
        data: the encoded pictures.
        classes: the labels that occur, sorted.
        labels: positions in ``classes``, ``(n,)``.
        seed: made of what is learned from, the method, its settings and the user's seed.
    """

    ids: list[str]
    data: list[bytes]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    seed: int

    @classmethod
    def of(cls, examples: Domain, method: str, seed: int) -> Lesson:
        """Raises InputError: no pictures, or some without a label."""
        if not examples.is_labelled:
            raise InputError(
                f"'{method}' cannot learn from '{examples.name}': {examples.labels.count(None)} of {len(examples)} have no label",
                expected="labelled pictures",
                fix="label them, or leave those without a label out",
            )
        rows = sorted(zip(examples.ids, examples.images, examples.labels, strict=True))
        labels = np.array([examples.classes.index(str(label)) for _, _, label in rows])
        key = content_hash(method, seed, [(name, content_hash(data), label) for name, data, label in rows])
        return cls([row[0] for row in rows], [row[1] for row in rows], examples.classes, labels, int(key[:15], 16))

    def pictures(self, side: int) -> Tensor:
        """All of them as squares, ``(n, 3, side, side)``."""
        import torch

        return torch.cat([as_numbers(resized(coloured(planes(data)), side, side)) for data in self.data])

    def class_of(self, label: str | None, method: str) -> int:
        """The position of a label. Raises InputError: it did not occur."""
        if label not in self.classes:
            raise InputError(
                f"'{method}' was asked for a picture of the class {label!r}",
                expected=f"one that it learned from: {', '.join(self.classes)}",
                fix="give it labelled pictures of that class",
            )
        return self.classes.index(label)

    def others(self, *first: str) -> list[str]:
        """What a new picture descends from beside its parent, the first one given: the others given, then what was learned from."""
        return [*first[1:], *(name for name in self.ids if name not in first)]


def as_numbers(values: Pixels) -> Tensor:
    """``(3, h, w)`` bytes as ``(1, 3, h, w)`` from -1 to 1."""
    import torch

    return torch.from_numpy(values.astype(np.float32))[None] / 127.5 - 1


def as_pixels(picture: Tensor, grey: bool) -> Pixels:
    """``(1, 3, h, w)`` from -1 to 1 as bytes ``(c, h, w)``; one channel, their mean, if ``grey``."""
    values = (picture[0].numpy().astype(np.float64) + 1) * 127.5
    if grey:
        values = values.mean(0, keepdims=True)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
