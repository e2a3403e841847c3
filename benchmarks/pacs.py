"""PACS at 96 × 96 pixels, where it is there: research data that is read by benchmarks, never copied."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from acclimate.data.domain import Domain, from_images

_DATA = Path(os.environ.get("ACCLIMATE_BENCHMARK_DATA") or Path(__file__).parents[2] / "shared" / "data")
#: Beside this repository, or where ACCLIMATE_BENCHMARK_DATA says.
FILE = _DATA / "pacs96" / "data.parquet"


def domain(name: str, classes: tuple[str, ...] | None = None) -> Domain | None:
    """One of ``photo``, ``art_painting``, ``cartoon``, ``sketch``, of some classes; None where the data is not there."""
    import pyarrow.parquet as pq

    if not FILE.exists():
        return None
    table = pq.read_table(FILE).to_pydict()
    rows = [
        row
        for row, (where, label) in enumerate(zip(table["domain"], table["label"], strict=True))
        if where == name and (classes is None or label in classes)
    ]
    images = [table["image"][row] for row in rows]
    return from_images(
        name, images, [table["label"][row] for row in rows], ids=[f"{name}:{table['filename'][row]}" for row in rows]
    )


def pictures(count: int, side: int) -> np.ndarray:
    """``(count, 3, side, side)`` uint8: photographs in that size, or smooth noise where there are none."""
    from acclimate.augment.expand.image.pictures import coloured, planes, resized

    photographs = domain("photo")
    if photographs is not None:
        step = len(photographs) // count
        return np.stack([resized(coloured(planes(data)), side, side) for data in photographs.images[::step][:count]])
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 3, 8, 8), dtype=np.uint8)
    return np.stack([resized(picture, side, side) for picture in coarse])
