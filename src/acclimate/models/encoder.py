"""Texts to vectors with any Hugging Face encoder, so that a text's vector depends on that text alone, to the last bit.

Floating-point sums depend on the order of their terms, and libraries choose that order by the *shape* of a batch. Every forward
pass here therefore has one of a few fixed shapes: exactly ``ROWS`` rows, and a length padded up to a multiple of ``STEP`` tokens
that the text's own length decides. A row's arithmetic is then the same whoever its batch mates are. The price: a request for a few
texts computes up to 15 dummy rows beside each length, so ask for many texts at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from acclimate.errors import InputError
from acclimate.models.device import pick_device, pick_dtype
from acclimate.models.loading import load_pretrained, quiet
from acclimate.models.pooling import mean_pool
from acclimate.models.reference import ModelReference, resolve

#: Rows of every forward pass, and the step of its length in tokens. Counted on 19,459 short texts: 1.17 times the tokens that no
#: padding at all would take, 1.8 times on 200 of them (32 rows and steps of 16: 1.35 and 2.5 times).
ROWS = 16
STEP = 8
#: Texts that are tokenised and grouped by length together; bounds memory, and keeps dummy rows under some 2% of the work.
WINDOW = 16_384


@dataclasses.dataclass
class Encoder:
    """A frozen encoder with mean pooling over real tokens.

    Attributes:
        reference: which model it is.
        model, tokenizer: of transformers, in evaluation mode on ``device``.
        device: where it runs.
        max_length: tokens of a text that are read, special tokens included; the rest is cut off.
        truncated: how many texts were cut off so far.
    """

    reference: ModelReference
    model: Any
    tokenizer: Any
    device: torch.device
    max_length: int
    truncated: int = 0

    @classmethod
    def load(cls, name: str, device: str | None = "auto", max_length: int = 256, dtype: str = "auto") -> Encoder:
        """Load ``asset:minilm``, a local folder or a hub name.

        Args:
            max_length: tokens read of each text; 256 is what MiniLM was made for. Lowered to what the model can read.
        Raises:
            InputError: no such model, not an encoder, a bad device or length.
            RunError: it could not be downloaded.
        """
        where = pick_device(device)
        precision = pick_dtype(dtype, where)
        if max_length < 1:
            raise InputError(f"max_length {max_length}", expected="at least 1 token")
        reference = resolve(name)
        if reference.reads != "text":
            raise _not_an_encoder(reference.name, reference.model_type)
        tokenizer = load_pretrained(AutoTokenizer, reference)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # a pooler that the files lack is drawn: unused, and yet it shall be the same every time
            model, information = load_pretrained(AutoModel, reference, dtype=precision, output_loading_info=True)
        _check_encoder(reference, model, information)
        limit = min(max_length, tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None) or max_length)
        return cls(reference, model.eval().to(where), tokenizer, where, int(limit))

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.model.config.hidden_size)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """``n`` texts to ``(n, d)``, in order."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for position, vector in self.stream(texts):
            vectors[position] = vector
        return vectors

    def stream(self, texts: Sequence[str]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """(position, vector ``(d,)``) of every text, each once, longest texts first: the slowest, and the hungriest, come first."""
        for start in range(0, len(texts), WINDOW):
            tokens = self._tokenise(texts[start : start + WINDOW])
            for length, positions in _by_padded_length(tokens, self.max_length):
                for first in range(0, len(positions), ROWS):
                    rows = positions[first : first + ROWS]
                    vectors = self._forward([tokens[row] for row in rows], length)
                    yield from ((start + row, vector) for row, vector in zip(rows, vectors, strict=True))

    def _tokenise(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Token numbers of each text, cut at ``max_length``; counts what was cut."""
        with quiet():
            tokens = self._token_lists(texts, self.max_length)
            full = [row for row, ids in enumerate(tokens) if len(ids) == self.max_length]
            longer = self._token_lists([texts[row] for row in full], self.max_length + 1)
        self.truncated += sum(len(ids) > self.max_length for ids in longer)
        return [np.asarray(ids, dtype=np.int32) for ids in tokens]

    def _token_lists(self, texts: Sequence[str], limit: int) -> list[list[int]]:
        if not texts:
            return []
        encoded = self.tokenizer(list(texts), truncation=True, max_length=limit, return_attention_mask=False)
        return list(encoded["input_ids"])

    @torch.inference_mode()
    def _forward(self, tokens: Sequence[NDArray[np.int32]], length: int) -> NDArray[np.float32]:
        """Up to ``ROWS`` token lists to their vectors, computed in the fixed shape ``(ROWS, length)``."""
        ids = np.full((ROWS, length), self.tokenizer.pad_token_id or 0, dtype=np.int64)
        mask = np.zeros((ROWS, length), dtype=np.int64)
        mask[:, 0] = 1  # dummy rows, and texts without any token, attend to one padding token: no division by zero
        for row, numbers in enumerate(tokens):
            ids[row, : len(numbers)] = numbers
            mask[row, : len(numbers)] = 1
        attention = torch.from_numpy(mask).to(self.device)
        hidden = self.model(input_ids=torch.from_numpy(ids).to(self.device), attention_mask=attention).last_hidden_state
        vectors: NDArray[np.float32] = mean_pool(hidden.float(), attention)[: len(tokens)].cpu().numpy()
        return vectors


def _by_padded_length(tokens: Sequence[NDArray[np.int32]], limit: int) -> list[tuple[int, list[int]]]:
    """Rows grouped by the length they are padded to, longest first; inside a group in order."""
    groups: dict[int, list[int]] = {}
    for row, numbers in enumerate(tokens):
        padded = max(STEP, -(-len(numbers) // STEP) * STEP)
        groups.setdefault(min(padded, limit), []).append(row)
    return sorted(groups.items(), reverse=True)


def _not_an_encoder(name: str, kind: str) -> InputError:
    return InputError(
        f"'{name}' is a {kind} model",
        expected="a text model that turns tokens into one vector each, such as BERT, RoBERTa, MiniLM or E5",
        fix="choose an encoder, for example asset:minilm",
    )


def _check_encoder(reference: ModelReference, model: Any, information: dict[str, Any]) -> None:
    """Refuse what would give vectors that mean nothing: a wrong kind of model, or weights that are not all in the files."""
    if model.config.is_encoder_decoder or getattr(model.config, "hidden_size", None) is None:
        raise _not_an_encoder(reference.name, model.config.model_type)
    absent = sorted(key for key in information["missing_keys"] if "pooler" not in key)  # the pooler is not used here
    if absent:
        raise InputError(
            f"The weights of '{reference.name}' lack {len(absent)} tensors of its architecture, such as {absent[0]}",
            expected="a whole model; missing weights would be random numbers",
            fix="download it again, or choose another model",
        )
