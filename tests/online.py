"""Tiny models of all three kinds, and batches for them: what the tests of online objectives share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from acclimate.data.images import encoded
from acclimate.models.objective import Batch, Objective, SeesViews
from acclimate.tune.bases import Base, load_base
from acclimate.tune.examples import Examples, gather
from acclimate.tune.feed import Collator, Draw, as_batch
from acclimate.tune.settings import TuneSettings
from tests.shift import pool, sentences

CLASSES = ("bad", "good")
TASKS = {"text": "text-classification", "image": "image-classification", "causal-lm": "causal-lm"}


def picture(label: int, rng: np.random.Generator, *, size: int = 16) -> bytes:
    """A grey picture with a bright bar, upright for class 1 and lying for class 0."""
    values = rng.integers(0, 80, (size, size), dtype=np.uint8)
    place = int(rng.integers(3, size - 4))
    bar = (slice(None), slice(place, place + 3)) if label else (slice(place, place + 3), slice(None))
    values[bar] = 220
    return encoded(values)


def pictures(count: int, seed: int) -> tuple[list[bytes], list[str]]:
    """``count`` pictures and their class names; classes alternate."""
    rng = np.random.default_rng(seed)
    return [picture(row % 2, rng) for row in range(count)], [CLASSES[row % 2] for row in range(count)]


def examples(modality: str) -> Examples:
    """Source and target examples for one kind of model, with unlabelled ones where it classifies."""
    if modality == "image":
        images, names = pictures(60, 1)
        labels = np.asarray([CLASSES.index(name) for name in names])
        return Examples(images, labels, np.ones(60), np.arange(60) >= 30, pictures(30, 2)[0])
    parts: Mapping[str, Any] = {"source": pool(40), "target": sentences("clinic", 30, seed=3)}
    if modality == "causal-lm":
        return gather(None, **parts)
    return gather(CLASSES, **parts, unlabelled=sentences("clinic", 30, seed=9).texts)


def base(modality: str, folders: Mapping[str, Path], *, dropout: float = 0.1, seed: int = 0) -> Base:
    """A tiny model: BERT, convolutions, or Llama."""
    name = str(folders.get(modality, "small-cnn"))
    classes = () if modality == "causal-lm" else CLASSES
    return load_base(name, TASKS[modality], classes, seed, TuneSettings(dropout=dropout))


def batch_of(
    given: Examples,
    reader: Any,
    rows: Sequence[int],
    *,
    seed: int = 0,
    unlabelled: bool = True,
    objectives: Sequence[Objective] = (),
) -> Batch:
    """The batch that training would make of these rows, with the views that an objective sees."""
    known = len(given.unlabelled) if unlabelled else 0
    draws = [Draw(row, (row % known,) if known else ()) for row in rows]
    viewers = [objective for objective in objectives if isinstance(objective, SeesViews)]
    views = partial(viewers[0].view, seed=seed) if viewers else None
    return as_batch(Collator(given, reader, views)(draws), torch.Generator().manual_seed(seed))


def redrawn(batch: Batch, seed: int = 0) -> Batch:
    """The same batch with a fresh generator."""
    return dataclasses.replace(batch, generator=torch.Generator().manual_seed(seed))


def gradients(loss: Tensor, model: torch.nn.Module) -> dict[str, Tensor]:
    """The gradient of every parameter that has one, by name."""
    model.zero_grad()
    loss.backward()
    found = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
    model.zero_grad()
    return found


def assert_same_gradients(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], **tolerances: float) -> None:
    """Equal where either has one; one that is absent is zero."""
    for name in sorted({*found, *expected}):
        mine, other = found.get(name), expected.get(name)
        zero = torch.zeros_like(mine if other is None else other)
        torch.testing.assert_close(zero if mine is None else mine, zero if other is None else other, **tolerances)
