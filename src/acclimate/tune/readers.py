"""Contents as the tensors that a model reads: texts for classifiers, pictures, and texts or conversations for language models."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acclimate.data.conversations import as_text
from acclimate.engine.storage import write_json
from acclimate.models.causal import CausalModel, Tokens
from acclimate.models.loading import quiet
from acclimate.models.objective import IGNORED
from acclimate.models.preparation import Preparation
from acclimate.tune.examples import Content
from acclimate.tune.masking import hide, visit_generator
from acclimate.tune.pieces import Pack, cut, split


class Reader(Protocol):
    """Turns contents into a model's inputs; ``labels`` are among them where a model is asked for the contents themselves."""

    def __call__(self, contents: Sequence[Content], /) -> dict[str, Tensor]: ...

    def save(self, folder: Path) -> None:
        """Write what another program needs to read contents in the same way."""
        ...


@runtime_checkable
class Varying(Protocol):
    """A :class:`Reader` that reads the same content differently at each visit."""

    def visit(self, contents: Sequence[Content], visits: Sequence[int]) -> dict[str, Tensor]: ...


@runtime_checkable
class Splitting(Protocol):
    """A :class:`Reader` of documents, which may be longer than what a model reads at once."""

    @property
    def max_length(self) -> int: ...

    def pieces(self, content: Content) -> list[Tokens]: ...


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
    """Texts, conversations, pieces of them or packs to ``input_ids``, ``attention_mask`` and next-token ``labels``, ``(b, t)``.

    Of a text every token but the first is asked for, of a conversation the answers. Packs bring ``position_ids`` and ``weights``
    ``(b, t)`` as well.

    Attributes:
        max_length: tokens read at once.
        overlap: tokens of the piece before that a piece of a long document begins with; None cuts long documents instead.
    """

    source: CausalModel
    max_length: int
    overlap: int | None = None

    @property
    def tokenizer(self) -> Any:
        """The model's."""
        return self.source.tokenizer

    def pieces(self, content: Any) -> list[Tokens]:
        """A text or a conversation in pieces of at most ``max_length`` tokens in which something is asked for."""
        tokens = self.source.tokens(content)
        return cut(tokens, self.max_length) if self.overlap is None else split(tokens, self.max_length, self.overlap)

    def __call__(self, contents: Sequence[Any], /) -> dict[str, Tensor]:
        packs = [content if isinstance(content, Pack) else Pack((self._whole(content),), (1.0,)) for content in contents]
        longest = max(1, *(len(pack) for pack in packs))
        shape = (len(packs), longest)
        ids = np.full(shape, self.tokenizer.pad_token_id or 0, dtype=np.int64)
        arrays = {"input_ids": ids, "attention_mask": np.zeros(shape, np.int64), "labels": np.full(shape, IGNORED, np.int64)}
        arrays |= {"position_ids": np.zeros(shape, np.int64), "weights": np.zeros(shape, np.float32)}
        for row, pack in enumerate(packs):
            arrays["attention_mask"][row, : max(len(pack), 1)] = 1  # without any token: no division by zero
            self._fill({name: values[row] for name, values in arrays.items()}, pack)
        if not any(isinstance(content, Pack) for content in contents):
            del arrays["position_ids"], arrays["weights"]
        return {name: torch.from_numpy(values) for name, values in arrays.items()}

    def _whole(self, content: Any) -> Tokens:
        if isinstance(content, Tokens):
            return content
        tokens = self.source.tokens(content)
        return next(iter(cut(tokens, self.max_length)), tokens.between(0, self.max_length))

    def _fill(self, row: dict[str, NDArray[Any]], pack: Pack) -> None:
        """Put the documents of a pack into a row, one behind another; padding behind them is a document of its own."""
        start = 0
        for document, weight in zip(pack.documents, pack.weights, strict=True):
            stop = start + len(document)
            row["input_ids"][start:stop] = document.ids
            row["position_ids"][start:stop] = np.arange(len(document))
            row["weights"][start:stop] = weight
            row["labels"][start : max(stop - 1, start)] = np.where(document.scored[1:], document.ids[1:], IGNORED)
            start = stop
        row["position_ids"][start:] = np.arange(len(row["position_ids"]) - start)

    def save(self, folder: Path) -> None:
        self.tokenizer.save_pretrained(folder)


@dataclasses.dataclass(frozen=True, eq=False)
class MaskedReader:
    """Texts or pieces of them to ``input_ids`` and ``attention_mask`` ``(b, t)``, and to the places ``masked`` that are asked for
    and the ``labels`` there, ``(b, m)``; another draw of places at each visit.

    Attributes:
        seed: of the draws.
        overlap: as of :class:`LanguageReader`.
    """

    tokenizer: Any
    max_length: int
    seed: int = 0
    overlap: int | None = None

    def pieces(self, content: Any) -> list[Tokens]:
        """A text in pieces of at most ``max_length`` tokens, each between the marks that the tokenizer puts around a text."""
        splits = self.overlap is not None
        cutting = {"stride": self.overlap, "return_overflowing_tokens": True} if splits else {}
        with quiet():
            text = content if isinstance(content, str) else as_text(content)
            encoded = self.tokenizer(text, truncation=True, max_length=self.max_length, **cutting)
        listed = encoded["input_ids"] if splits else [encoded["input_ids"]]
        made = [np.asarray(ids, dtype=np.int64) for ids in listed]
        pieces = [Tokens(ids, ~np.isin(ids, self._marks), np.zeros(len(ids), np.int64)) for ids in made]
        return [piece for piece in pieces if piece.scored.any()]

    def __call__(self, contents: Sequence[Any], /) -> dict[str, Tensor]:
        return self.visit(contents, [0] * len(contents))

    def visit(self, contents: Sequence[Any], visits: Sequence[int]) -> dict[str, Tensor]:
        """As at the ``visits``-th time that each is read, ``(b,)``."""
        read = [content if isinstance(content, Tokens) else self._first(content) for content in contents]
        hidden = [self._hide(tokens, visit) for tokens, visit in zip(read, visits, strict=True)]
        longest = max(1, *(len(tokens) for tokens in read))
        most = max(1, *(len(places) for _, places in hidden))
        ids = np.full((len(read), longest), self.tokenizer.pad_token_id or 0, dtype=np.int64)
        mask = np.zeros((len(read), longest), dtype=np.int64)
        masked = np.zeros((len(read), most), dtype=np.int64)
        labels = np.full((len(read), most), IGNORED, dtype=np.int64)
        for row, (tokens, (seen, places)) in enumerate(zip(read, hidden, strict=True)):
            ids[row, : len(seen)] = seen
            mask[row, : max(len(seen), 1)] = 1
            masked[row, : len(places)] = places
            labels[row, : len(places)] = tokens.ids[places]
        arrays = {"input_ids": ids, "attention_mask": mask, "masked": masked, "labels": labels}
        return {name: torch.from_numpy(values) for name, values in arrays.items()}

    def save(self, folder: Path) -> None:
        self.tokenizer.save_pretrained(folder)

    def _first(self, content: Any) -> Tokens:
        empty = np.zeros(0, dtype=np.int64)
        return next(iter(self.pieces(content)), Tokens(empty, empty.astype(bool), empty))

    def _hide(self, tokens: Tokens, visit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rng = visit_generator(self.seed, tokens.ids, visit)
        return hide(tokens.ids, tokens.scored, mask=self.tokenizer.mask_token_id, choices=self._choices, rng=rng)

    @cached_property
    def _marks(self) -> NDArray[np.int64]:
        return np.asarray(sorted(self.tokenizer.all_special_ids), dtype=np.int64)

    @cached_property
    def _choices(self) -> NDArray[np.int64]:
        """Every token that is no mark."""
        return np.setdiff1d(np.arange(len(self.tokenizer)), self._marks)
