"""What methods of style share: which picture lends its look to which, and the loop over parents."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Protocol

import numpy as np

from acclimate.augment.base import check_times, descend, settings_of
from acclimate.augment.expand.image.draws import copy_keys
from acclimate.augment.expand.image.pictures import CHUNK, Pixels, coloured, planes, resized, written
from acclimate.data.domain import Domain
from acclimate.engine.local import map_ordered
from acclimate.engine.splitmix import uniforms
from acclimate.errors import InputError


class Restyler(Protocol):
    """An augmenter whose new pictures keep their parent's content and take another picture's look."""

    method: ClassVar[str]

    @property
    def style(self) -> Domain | None:
        """The pictures that lend their look."""
        ...

    def restyle(self, picture: Pixels, style: Pixels) -> Pixels:
        """One picture ``(c, h, w)`` uint8 in the look of another of the same shape."""
        ...


@dataclasses.dataclass(frozen=True)
class _Task:
    """A parent, and for each copy the id and the bytes of the picture that lends its look."""

    data: bytes
    lenders: tuple[tuple[str, bytes], ...]


def expand(restyler: Restyler, examples: Domain, times: int, seed: int, workers: int) -> Domain:
    """``times`` new pictures for each example; see :class:`acclimate.augment.base.Augmenter`.

    Parents of a new picture are the example, whose label it has, and the picture whose look it took.

    Raises:
        InputError: ``times`` or ``workers`` is less than 1, the examples are no pictures, or there is no picture to lend a look.
    """
    check_times(times)
    pictures = examples.images
    lenders = _lenders(restyler)
    tasks = [
        _Task(data, tuple(_drawn(lenders, restyler.method, seed, name, data, times)))
        for name, data in zip(examples.ids, pictures, strict=True)
    ]
    chunks = (tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK))
    made = [one for chunk in map_ordered(partial(_expand_chunk, restyler=_bare(restyler)), chunks, workers) for one in chunk]
    chosen = [name for task in tasks for name, _ in task.lenders]
    return descend(
        examples,
        made,
        method=restyler.method,
        seed=seed,
        settings=settings_of(restyler),
        drawn=[{"style": name} for name in chosen],
        others=[[name] for name in chosen],
    )


def _lenders(restyler: Restyler) -> list[tuple[str, bytes]]:
    """Ids and pictures in the order of ids, so that a draw does not depend on the order of rows."""
    style = restyler.style
    if style is None or not len(style):
        raise InputError(
            f"'{restyler.method}' has no pictures to take a style from",
            expected="pictures of another domain",
            fix="give them: augment(examples, method=..., style=other_domain), or --style FILE",
        )
    return sorted(zip(style.ids, style.images, strict=True))


def _drawn(
    lenders: Sequence[tuple[str, bytes]], method: str, seed: int, name: str, data: bytes, times: int
) -> Iterator[tuple[str, bytes]]:
    """For each copy a picture other than the parent itself, where there is one."""
    own = next((row for row, (other, _) in enumerate(lenders) if other == name), None) if len(lenders) > 1 else None
    free = len(lenders) - (own is not None)
    for draw in uniforms(copy_keys(method, seed, name, data, times), 1)[:, 0].tolist():
        row = int(draw * free)
        yield lenders[row + (own is not None and row >= own)]


def _bare(restyler: Restyler) -> Restyler:
    """Without the pictures: a worker is sent the few it needs."""
    return dataclasses.replace(restyler, style=None)  # type: ignore[type-var]


def _expand_chunk(tasks: Sequence[_Task], *, restyler: Restyler) -> list[bytes]:
    made = []
    for task in tasks:
        parent = planes(task.data)
        for _, data in task.lenders:
            picture, style = parent, planes(data)
            if len(picture) != len(style):
                picture, style = coloured(picture), coloured(style)
            made.append(written(restyler.restyle(picture, resized(style, *picture.shape[1:]))))
    return made


Histograms = np.ndarray[Any, np.dtype[np.int64]]
Levels = np.ndarray[Any, np.dtype[np.float64]]


def through_tables(match: Callable[[Histograms, Histograms], Levels], picture: Pixels, style: Pixels, strength: float) -> Pixels:
    """A picture ``(c, h, w)`` uint8 in the look of another, by a table of new values for each channel.

    Args:
        match: what each level becomes, ``(c, 256)``, from the histograms ``(c, 256)`` of both.
        strength: how much of the way is gone, 0 to 1.
    """
    from acclimate.augment.expand.image.points import apply_tables, histograms

    work, only = picture[None].copy(), np.zeros(1, dtype=np.int64)
    matched = match(histograms(work, only)[0], histograms(style[None], only)[0])
    mixed = (1 - strength) * np.arange(256) + strength * matched
    apply_tables(work, only, np.clip(np.rint(mixed), 0, 255).astype(np.uint8)[None])
    restyled: Pixels = work[0]
    return restyled
