"""What texts cost a language model, and the figures that are made of it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from acclimate.models.causal import CausalModel, Examples


def bits_per_byte(nats: float, size: float) -> float:
    """``nats / (bytes · ln 2)``: comparable between models whatever their tokenizers; NaN where there is no byte.

    >>> bits_per_byte(math.log(256), 1)
    8.0
    """
    return nats / size / math.log(2) if size else math.nan


def perplexity(nats: float, tokens: float) -> float:
    """``exp(nats / tokens)``: among how many tokens, on average, the model still hesitates; of one tokenizer only comparable."""
    return math.exp(min(nats / tokens, 700.0)) if tokens else math.nan


@dataclasses.dataclass(frozen=True, eq=False)
class Costs:
    """What each of ``n`` examples costs a model.

    Attributes:
        nats: summed over its scored tokens, ``(n,)``.
        tokens: how many these are, ``(n,)``.
        bytes: UTF-8 bytes that they stand for, ``(n,)``.
    """

    nats: NDArray[np.float64]
    tokens: NDArray[np.int64]
    bytes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.nats)

    @property
    def loss(self) -> float:
        """Mean nats of a token."""
        return float(self.nats.sum() / self.tokens.sum()) if self.tokens.sum() else math.nan

    @property
    def perplexity(self) -> float:
        """See :func:`perplexity`."""
        return perplexity(float(self.nats.sum()), float(self.tokens.sum()))

    @property
    def bits_per_byte(self) -> float:
        """See :func:`bits_per_byte`."""
        return bits_per_byte(float(self.nats.sum()), float(self.bytes.sum()))


def costs(model: CausalModel, examples: Examples) -> Costs:
    """What examples cost a model: of texts every token but the first, of conversations the answers."""
    nats, tokens = model.losses(examples)
    return Costs(nats, tokens, model.scored_bytes(examples))
