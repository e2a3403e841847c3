"""Examples as batches of tensors, in the order that was fixed before training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from acclimate.tune.examples import Content, Examples
from acclimate.tune.order import batch_order
from acclimate.tune.readers import Reader
from acclimate.tune.seeds import derive
from acclimate.tune.settings import TuneSettings

#: Prefix of the keys that hold the unlabelled batch beside the labelled one.
UNLABELLED = "unlabelled_"


class Draws(Dataset[tuple[int, int]]):
    """Every draw of a training: item ``p`` is (row of a labelled example, row of an unlabelled one or −1)."""

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


def _sizes(contents: Sequence[Content]) -> NDArray[np.int64]:
    """Characters of each text or conversation, which stand in for tokens: what matters is which are alike in length."""
    return np.asarray([len(str(content)) for content in contents])
