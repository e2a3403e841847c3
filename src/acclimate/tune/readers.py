"""Contents as the tensors that a model reads: texts for classifiers, pictures, and texts or conversations for language models."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from acclimate.data.domain import Message
from acclimate.engine.storage import write_json
from acclimate.models.causal import CausalModel
from acclimate.models.objective import IGNORED
from acclimate.models.preparation import Preparation
from acclimate.tune.examples import Content


class Reader(Protocol):
    """Turns contents into a model's inputs; ``labels`` are among them where a model is asked for the contents themselves."""

    def __call__(self, contents: Sequence[Content], /) -> dict[str, Tensor]: ...

    def save(self, folder: Path) -> None:
        """Write what another program needs to read contents in the same way."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class TextReader:
    """Texts to ``input_ids`` and ``attention_mask`` ``(b, t)``, cut at ``max_length`` and padded to the longest."""

    tokenizer: Any
    max_length: int

    def __call__(self, contents: Sequence[str], /) -> dict[str, Tensor]:
        encoded = self.tokenizer(
            list(contents),
            truncation=True,
            max_length=self.max_length,
            padding=True,
            return_tensors="pt",
            return_token_type_ids=False,
        )
        return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}

    def save(self, folder: Path) -> None:
        self.tokenizer.save_pretrained(folder)


@dataclasses.dataclass(frozen=True, eq=False)
class ImageReader:
    """Encoded pictures to ``pixel_values`` ``(b, 3, h, w)`` between 0 and 1; their normalisation is the model's part."""

    preparation: Preparation

    def __call__(self, contents: Sequence[bytes], /) -> dict[str, Tensor]:
        plain = dataclasses.replace(self.preparation, scale=1 / 255, mean=(0.0,) * 3, std=(1.0,) * 3)
        return {"pixel_values": torch.from_numpy(np.stack([plain(content) for content in contents]))}

    def save(self, folder: Path) -> None:
        write_json(folder / "preprocessor_config.json", self.preparation.settings())


@dataclasses.dataclass(frozen=True, eq=False)
class LanguageReader:
    """Texts or conversations to ``input_ids``, ``attention_mask`` and next-token ``labels``, all ``(b, t)``.

    An example is cut at ``max_length`` tokens. Of a text every token but the first is asked for, of a conversation the answers.
    """

    source: CausalModel
    max_length: int

    @property
    def tokenizer(self) -> Any:
        """The model's."""
        return self.source.tokenizer

    def __call__(self, contents: Sequence[str | Sequence[Message]], /) -> dict[str, Tensor]:
        read = [self.source.tokens(content) for content in contents]
        longest = max(1, min(self.max_length, max(len(tokens) for tokens in read)))
        ids = np.full((len(read), longest), self.tokenizer.pad_token_id or 0, dtype=np.int64)
        mask = np.zeros((len(read), longest), dtype=np.int64)
        labels = np.full((len(read), longest), IGNORED, dtype=np.int64)
        for row, tokens in enumerate(read):
            count = min(len(tokens), longest)
            ids[row, :count] = tokens.ids[:count]
            mask[row, : max(count, 1)] = 1  # a text without any token attends to one of padding: no division by zero
            labels[row, : max(count - 1, 0)] = np.where(tokens.scored[1:count], tokens.ids[1:count], IGNORED)
        arrays = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        return {name: torch.from_numpy(values) for name, values in arrays.items()}

    def save(self, folder: Path) -> None:
        self.tokenizer.save_pretrained(folder)
