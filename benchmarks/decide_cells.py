"""The cells over which deciding is measured: pairs of domains of six data sets, as vectors that are computed once.

Every domain gives at most :data:`SOURCE` rows as a source. As a target it gives :data:`TEST` rows as the sealed test and what is
left, at most :data:`LEFT`, to learn from, with or without labels. Texts are read by a frozen encoder (MiniLM; e5-small for
Chinese), pictures by EfficientNet-Lite0, digits as grey values; long vectors of pictures are projected onto :data:`COMPONENTS`
principal components of what is not sealed, as whoever fits many probes on them would.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, concatenate, from_columns, from_images
from acclimate.data.hygiene import clean
from acclimate.data.images import decoded, encoded
from acclimate.data.load import load
from acclimate.data.make import make_target
from acclimate.data.packaged import icwsm4, newsgroups20, optdigits
from acclimate.data.split import stratified_draw
from acclimate.data.target import Target
from acclimate.features.base import Contents, Embed
from acclimate.features.embeddings import Embedder
from benchmarks.tradaboost import TASKS

SHARED = Path(__file__).parents[2] / "shared" / "data"
SOURCE, TEST, LEFT = 1_000, 1_000, 1_000
COMPONENTS = 128
#: Side of the pictures of digits, as grey values.
SIDE = 16
#: Of the twelve Chinese domains, four that differ; the other English and picture sets have as many.
ZH = ("hotel_htl", "takeaway_waimai", "书籍", "衣服")
#: Data set: its folder in the shared data; none where it is packaged.
NEEDS = {"icwsm4": "", "blitzer": "blitzer_amazon", "zh": "zh_sentiment", "digits": "digits", "pacs96": "pacs96", "newsgroups": ""}


@dataclasses.dataclass(frozen=True)
class Pair:
    """A source and a target of one data set."""

    data: str
    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.data} {self.source} > {self.target}"


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """A pair that was read: cleaned of what repeats the test, with the vectors of everything in it."""

    source: Domain
    target: Target
    embed: Embed


class Vectors:
    """Vectors that were computed before; implements :class:`acclimate.features.base.Embed`."""

    def __init__(self, rows: dict[Any, NDArray[np.float32]]) -> None:
        self._rows = rows
        self.dim = len(next(iter(rows.values())))

    def __call__(self, contents: Contents, /) -> NDArray[np.float32]:
        """``(n, d)``, in order."""
        return np.stack([self._rows[one] for one in contents]) if len(contents) else np.empty((0, self.dim), np.float32)


class Computing(Vectors):
    """The same, and what is new (generated examples) is computed and projected as the others were."""

    def __init__(self, rows: dict[Any, NDArray[np.float32]], make: Callable[[Contents], NDArray[np.float32]]) -> None:
        super().__init__(rows)
        self._make = make

    def __call__(self, contents: Contents, /) -> NDArray[np.float32]:
        new: list[Any] = [one for one in dict.fromkeys(contents) if one not in self._rows]
        if new:
            self._rows.update(zip(new, self._make(new), strict=True))
        return super().__call__(contents)


def grey(contents: Contents) -> NDArray[np.float32]:
    """Pictures as grey values of :data:`SIDE` × :data:`SIDE`, ``(n, SIDE²)``."""
    shades = [np.asarray(decoded(bytes(one)).convert("L").resize((SIDE, SIDE))) for one in contents]  # type: ignore[arg-type]
    return np.array(shades, dtype=np.float32).reshape(len(contents), SIDE * SIDE) / 255


@functools.cache
def encoder(data: str) -> Callable[[Contents], NDArray[np.float32]]:
    """What reads a data set."""
    if data == "digits":
        return grey
    if data == "pacs96":
        return Embedder("asset:efficientnet-lite0")
    return Embedder("asset:e5-small" if data == "zh" else "asset:minilm", max_length=128)


@functools.cache
def domains(data: str) -> dict[str, Domain]:
    """The domains of a data set, by name; of newsgroups both halves of each task."""
    if data == "icwsm4":
        return dict(icwsm4())
    if data == "newsgroups":
        whole = concatenate("newsgroups", [newsgroups20("train"), newsgroups20("test")])
        return {
            f"{task} {half}": _halved(whole, groups, half)
            for task, both in TASKS.items()
            for half, groups in zip("AB", both, strict=True)
        }
    if data == "digits":
        return {name: _digits(name) for name in ("mnist", "usps", "optdigits")}
    columns = {"image": "image"} if data == "pacs96" else {"text": "text"}
    whole = load(SHARED / NEEDS[data] / "data.parquet", label="label", domain="domain", **columns)  # type: ignore[arg-type]
    names = ZH if data == "zh" else tuple(sorted(set(whole.domains)))
    return {name: whole.take(np.flatnonzero(np.array(whole.domains) == name), name) for name in names}


def _halved(whole: Domain, groups: Sequence[str], half: str) -> Domain:
    rows = [row for row, label in enumerate(whole.labels) if label in groups]
    part = whole.take(rows, half)
    return from_columns(half, part.texts, [label.partition(".")[0] for label in part.labels], ids=part.ids)


def _digits(name: str) -> Domain:
    if name == "optdigits":
        return optdigits()
    found = np.load(SHARED / "digits" / f"{name}.npz")
    images, labels = found["x_train"], found["y_train"]
    rows = np.random.default_rng(0).permutation(len(images))[: SOURCE + TEST + LEFT]
    return from_images(name, [encoded(one) for one in images[rows]], [str(label) for label in labels[rows]])


def pairs() -> Iterator[Pair]:
    """All pairs whose data is here; newsgroups' tasks, which have a source and a target each, both ways."""
    for data, folder in NEEDS.items():
        if not (SHARED / folder).exists():
            sys.stdout.write(f"skipped {data}: its data is not in '{SHARED}'\n")
        elif data == "newsgroups":
            yield from (Pair(data, f"{task} {one}", f"{task} {other}") for task in TASKS for one, other in ("AB", "BA"))
        else:
            names = list(domains(data))
            yield from (Pair(data, one, other) for other in names for one in names if one != other)


@functools.lru_cache(maxsize=2)
def problem(pair: Pair) -> Problem:
    """A pair, read and embedded."""
    source, whole = domains(pair.data)[pair.source], domains(pair.data)[pair.target]
    known = sorted(set(source.labels) & set(whole.labels))
    source, whole = (one.take([row for row, label in enumerate(one.labels) if label in known]) for one in (source, whole))
    size = min(len(whole), TEST + LEFT)
    whole = whole.take(stratified_draw(whole, size, 0)[0], pair.target) if size < len(whole) else whole
    target = make_target(whole, test=min(TEST, size // 2))
    kept, cleaned = clean(source.take(stratified_draw(source, min(SOURCE, len(source)), 0)[0], pair.source), target)
    assert kept is not None
    return Problem(kept, cleaned, _embedded(encoder(pair.data), kept, cleaned))


def _embedded(make: Callable[[Contents], NDArray[np.float32]], source: Domain, target: Target) -> Embed:
    open_parts = [source.contents, target.labelled.contents]
    contents: list[Any] = [one for part in open_parts for one in part]
    sealed: list[Any] = list(target.test.inputs.contents)
    vectors = make(contents)
    if vectors.shape[1] <= COMPONENTS * 2 or not isinstance(contents[0], bytes):
        project = _unchanged
    else:
        middle = vectors.mean(axis=0)
        axes = np.linalg.svd(vectors - middle, full_matrices=False)[2][:COMPONENTS]
        project = functools.partial(_projected, middle=middle, axes=axes)
    found = np.concatenate([project(vectors), project(make(sealed))])
    return Computing(dict(zip([*contents, *sealed], found, strict=True)), lambda new: project(make(new)))


def _unchanged(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors


def _projected(vectors: NDArray[np.float32], *, middle: NDArray[np.float32], axes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((vectors - middle) @ axes.T, dtype=np.float32)
