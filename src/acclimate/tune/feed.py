"""Examples as batches of tensors, in the order that was fixed before training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from acclimate.tune.examples import Examples
from acclimate.tune.order import batch_order
from acclimate.tune.seeds import derive
from acclimate.tune.settings import TuneSettings

#: Prefix of the keys that hold the unlabelled batch beside the labelled one.
UNLABELLED = "unlabelled_"


class Draws(Dataset[tuple[int, int]]):
    """Every draw of a training: item ``p`` is (row of a labelled example, row of an unlabelled one or −1)."""

    def __init__(self, examples: Examples, settings: TuneSettings, seed: int, with_unlabelled: bool) -> None:
        size = (settings.batch_size, settings.steps)
        # Characters stand in for tokens: what matters is which texts are alike in length.
        lengths = np.asarray([len(text) for text in examples.texts]) if settings.group_by_length else None
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
    """Draws to tensors; every batch is padded to its own longest text."""

    def __init__(self, examples: Examples, tokenizer: Any, max_length: int) -> None:
        self._examples = examples
        self._tokenizer = tokenizer
        self._max_length = max_length

    def __call__(self, draws: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        """``b`` draws to ``input_ids`` and ``attention_mask`` ``(b, t)``, ``labels``, ``weights`` and ``from_target`` ``(b,)``."""
        rows = np.asarray([row for row, _ in draws])
        batch = self._tokens([self._examples.texts[row] for row in rows])
        batch["labels"] = torch.from_numpy(self._examples.labels[rows])
        batch["weights"] = torch.from_numpy(self._examples.weights[rows].astype(np.float32))
        batch["from_target"] = torch.from_numpy(self._examples.from_target[rows])
        others = [self._examples.unlabelled[row] for _, row in draws if row >= 0]
        if others:
            batch |= {UNLABELLED + name: values for name, values in self._tokens(others).items()}
        return batch

    def _tokens(self, texts: list[str]) -> dict[str, Tensor]:
        encoded = self._tokenizer(
            texts, truncation=True, max_length=self._max_length, padding=True, return_tensors="pt", return_token_type_ids=False
        )
        return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}
