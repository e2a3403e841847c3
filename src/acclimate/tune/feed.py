"""Examples as batches of tensors, in the order that was fixed before training."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from acclimate.models.objective import Batch
from acclimate.tune.examples import Content, Examples
from acclimate.tune.order import batch_order
from acclimate.tune.readers import Reader
from acclimate.tune.seeds import derive
from acclimate.tune.settings import TuneSettings

#: Prefix of the keys that hold the unlabelled batch beside the labelled one.
UNLABELLED = "unlabelled_"
#: Of the examples that companions of objectives are made from: as many as tell covariances and class shares well enough.
GLANCE = 1_024


class Draws(Dataset[tuple[int, int]]):
    """Every draw of a training: item ``p`` is (row of a labelled example, row of an unlabelled one or −1).

    Attributes:
        lengths: characters of the longest example of each step's batch; 1 of pictures.
    """

    def __init__(self, examples: Examples, settings: TuneSettings, seed: int, with_unlabelled: bool) -> None:
        size = (settings.batch_size, settings.steps)
        pictures = bool(len(examples)) and isinstance(examples.contents[0], bytes)
        lengths = _sizes(examples.contents) if settings.group_by_length and not pictures else None
        rng = np.random.default_rng(derive(seed, "order"))
        self._labelled: NDArray[np.int64] = batch_order(len(examples), *size, rng, lengths).ravel()
        self._unlabelled: NDArray[np.int64] = np.full(len(self._labelled), -1)
        if with_unlabelled:
            rng = np.random.default_rng(derive(seed, "unlabelled-order"))
            self._unlabelled = batch_order(len(examples.unlabelled), *size, rng).ravel()
        self._batch_size = settings.batch_size
        known = np.ones(len(examples), dtype=np.int64) if pictures else _sizes(examples.contents)
        self.lengths: list[int] = known[self._labelled].reshape(settings.steps, -1).max(1).tolist()

    def only(self, steps: Sequence[int]) -> Draws:
        """The batches of some steps, in the order in which these are named."""
        made = copy.copy(self)
        rows = (np.asarray(steps)[:, None] * self._batch_size + np.arange(self._batch_size)).ravel()
        made._labelled, made._unlabelled = self._labelled[rows], self._unlabelled[rows]
        made.lengths = [self.lengths[step] for step in steps]
        return made

    def __len__(self) -> int:
        return len(self._labelled)

    def __getitem__(self, position: int) -> tuple[int, int]:
        return int(self._labelled[position]), int(self._unlabelled[position])


class Collator:
    """Draws to tensors; every batch of texts is padded to its own longest one."""

    def __init__(self, examples: Examples, read: Reader) -> None:
        self._examples = examples
        self._read = read

    def __call__(self, draws: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        """``b`` draws to what the model reads, ``labels``, and ``weights`` and ``from_target`` ``(b,)``."""
        rows = np.asarray([row for row, _ in draws])
        batch = {"labels": torch.from_numpy(self._examples.labels[rows])}
        batch |= self._read([self._examples.contents[row] for row in rows])  # language models bring their own labels
        batch["weights"] = torch.from_numpy(self._examples.weights[rows].astype(np.float32))
        batch["from_target"] = torch.from_numpy(self._examples.from_target[rows])
        others = [self._examples.unlabelled[row] for _, row in draws if row >= 0]
        if others:
            read = self._read(others)
            batch |= {UNLABELLED + name: values for name, values in read.items() if name != "labels"}
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
    """Characters of each text or conversation, which stand in for tokens: what matters is which are alike in length."""
    return np.asarray([len(str(content)) for content in contents])
