"""Small pictures and the settings under which learned methods take a moment."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from acclimate.augment import METHODS
from acclimate.augment.run import augment
from acclimate.data.domain import Domain, from_images
from acclimate.data.images import encoded, pixels

NAMES = sorted(name for name, method in METHODS.items() if method.modality == ("image",))
#: Settings under which a method learns for a moment only.
QUICK: dict[str, dict[str, Any]] = {
    "gan": {"steps": 2, "side": 8, "width": 4, "batch": 4},
    "neural": {"steps": 2, "side": 8, "batch": 4},
}
#: Methods that learn from all examples they are given, and those that take the look of others.
LEARNED, STYLES = ("gan", "neural"), ("fourier", "mean-std", "histogram")
#: Height and width; the last two stand for every odd and degenerate shape.
SHAPES = ((24, 24), (17, 31), (40, 8), (24, 24), (1, 1), (1, 9))


def picture(row: int, height: int, width: int, *, grey: bool) -> bytes:
    """A smooth ramp with noise on it: every operation changes it."""
    rng = np.random.default_rng(row)
    ramp = np.add.outer(np.linspace(20, 120, height), np.linspace(0, 90, width))
    values = ramp[:, :, None] * [1.0, 0.7, 0.4] + rng.normal(0, 12, (height, width, 3)) + 15
    whole = np.clip(values, 0, 255).astype(np.uint8)
    return encoded(whole[:, :, 0] if grey else whole)


def make_parents(shapes: tuple[tuple[int, int], ...] = SHAPES, name: str = "p") -> Domain:
    images = [picture(row, *shape, grey=row % 3 == 1) for row, shape in enumerate(shapes)]
    labels = [("cat", "dog")[row % 2] for row in range(len(shapes))]
    return from_images(name, images, labels, domains=["ward"] * len(shapes)).with_column("page", pa.array(range(len(shapes))))


def make_style(count: int = 4) -> Domain:
    images = [encoded(np.random.default_rng(90 + row).integers(0, 200, (12, 15, 3), dtype=np.uint8)) for row in range(count)]
    return from_images("art", images, ["cat"] * count)


def grow(name: str, parents: Domain, *, training: Domain | None = None, **arguments: Any) -> Domain:
    """New pictures; what is learned from is ``training`` where given, so that it need not be what is expanded."""
    chosen = {"times": 3, "seed": 0, "workers": 1, **arguments}
    if training is None:
        return augment(parents, method=name, style=make_style(), guard="none", **chosen, **QUICK.get(name, {}))
    own = {"training": training} if name in LEARNED else {"style": make_style()} if name in STYLES else {}
    return METHODS[name](**QUICK.get(name, {}), **own).expand(parents, **chosen)


def digest(domain: Domain) -> str:
    rows = [domain.ids, [hashlib.sha256(image).hexdigest() for image in domain.images], domain.labels]
    return hashlib.sha256(orjson.dumps([*rows, domain.table.column("origin").to_pylist()])).hexdigest()


def is_grey(data: bytes) -> bool:
    values = pixels(data)
    return bool((values == values[:, :, :1]).all())
