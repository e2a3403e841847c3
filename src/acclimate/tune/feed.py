"""Examples as batches of tensors, in the order that was fixed before training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from acclimate.models.causal import Tokens
from acclimate.models.objective import Batch
from acclimate.tune.examples import Content, Examples
from acclimate.tune.order import batch_order, visits
from acclimate.tune.pieces import Pack
from acclimate.tune.readers import Reader, Varying
from acclimate.tune.seeds import derive
from acclimate.tune.settings import TuneSettings

#: Prefix of the keys that hold the unlabelled batch beside the labelled one.
UNLABELLED = "unlabelled_"
#: Of the examples that companions of objectives are made from: as many as tell covariances and class shares well enough.
GLANCE = 1_024


class Draw(NamedTuple):
    """The row of an example, the row of an unlabelled one or −1, and how often the first was drawn before."""

    row: int
    other: int = -1
    visit: int = 0


class Draws(Dataset[Draw]):
    """Every draw of a training, in order; where there are examples to replay they fill their share of every batch."""

    def __init__(self, examples: Examples, settings: TuneSettings, seed: int, with_unlabelled: bool) -> None:
        size = (settings.batch_size, settings.steps)
        pictures = bool(len(examples)) and isinstance(examples.contents[0], bytes)
        lengths = _sizes(examples.contents) if settings.group_by_length and not pictures else None
        rng = np.random.default_rng(derive(seed, "order"))
        replayed = examples.replayed if examples.replays else None
        order = batch_order(len(examples), *size, rng, lengths, replayed, settings.replay)
        self._labelled: NDArray[np.int64] = order.ravel()
        self._visits = visits(self._labelled)
        self._unlabelled: NDArray[np.int64] = np.full(len(self._labelled), -1)
        if with_unlabelled:
            rng = np.random.default_rng(derive(seed, "unlabelled-order"))
            self._unlabelled = batch_order(len(examples.unlabelled), *size, rng).ravel()

    def __len__(self) -> int:
        return len(self._labelled)

    def __getitem__(self, position: int) -> Draw:
        return Draw(int(self._labelled[position]), int(self._unlabelled[position]), int(self._visits[position]))


class Collator:
    """Draws to tensors; every batch of texts is padded to its own longest one."""

    def __init__(self, examples: Examples, read: Reader) -> None:
        self._examples = examples
        self._read = read

    def __call__(self, draws: Sequence[tuple[int, int] | Draw]) -> dict[str, Tensor]:
        """``b`` draws to what the model reads, ``labels``, and ``weights`` and ``from_target`` ``(b,)``."""
        drawn = [Draw(*draw) for draw in draws]
        rows = np.asarray([draw.row for draw in drawn])
        batch = {
            "labels": torch.from_numpy(self._examples.labels[rows]),
            "weights": torch.from_numpy(self._examples.weights[rows].astype(np.float32)),
            "from_target": torch.from_numpy(self._examples.from_target[rows]),
        }
        contents = [self._examples.contents[row] for row in rows]
        # Language models bring their own labels, and where a row holds several documents the weight of each token.
        batch |= self._read.visit(contents, [d.visit for d in drawn]) if isinstance(self._read, Varying) else self._read(contents)
        others = [self._examples.unlabelled[draw.other] for draw in drawn if draw.other >= 0]
        if others:
            read = self._read(others)
            batch |= {UNLABELLED + name: values for name, values in read.items() if name not in ("labels", "weights")}
        return batch


def as_batch(inputs: Mapping[str, Tensor], generator: torch.Generator, step: int = 0, steps: int = 1) -> Batch:
    """What :class:`Collator` gives, as objectives read it."""
    own = {name: values for name, values in inputs.items() if not name.startswith(UNLABELLED)}
    others = {name.removeprefix(UNLABELLED): values for name, values in inputs.items() if name.startswith(UNLABELLED)}
    labels, weights, from_target = (own.pop(name) for name in ("labels", "weights", "from_target"))
    return Batch(own, labels, weights, from_target, generator, step, others or None, steps)


def labelled_batches(collate: Collator, count: int, size: int = 32) -> Iterator[Batch]:
    """The labelled examples in batches; of more than :data:`GLANCE` that many, evenly spread."""
    rows = np.unique(np.linspace(0, count - 1, min(count, GLANCE)).astype(int)).tolist()
    for start in range(0, len(rows), size):
        yield as_batch(collate([(row, -1) for row in rows[start : start + size]]), torch.Generator().manual_seed(0))


def _sizes(contents: Sequence[Content]) -> NDArray[np.int64]:
    """Tokens of each piece; of texts their characters, which stand in for tokens: what matters is which are alike in length."""
    return np.asarray([len(content) if isinstance(content, (Pack, Tokens)) else len(str(content)) for content in contents])
