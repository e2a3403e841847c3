"""How well a language model knows a domain: bits per byte, and the difference between two models on the same texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError
from acclimate.evaluate.intervals import Interval

if TYPE_CHECKING:
    from acclimate.models.causal import CausalModel


@dataclasses.dataclass(frozen=True, eq=False)
class TextLosses:
    """What each text costs a model: ``bits`` and ``bytes``, both ``(n,)``.

    Bits per byte do not depend on the tokenizer, so models of different ones can be compared by them.
    """

    bits: NDArray[np.float64]
    bytes: NDArray[np.int64]

    @property
    def per_byte(self) -> float:
        """All bits over all bytes.

        Raises:
            InputError: no text had anything to predict.
        """
        if not self.bytes.sum():
            raise InputError("No text with anything to predict", expected="texts of at least two tokens")
        return float(self.bits.sum() / self.bytes.sum())


def text_losses(model: CausalModel, texts: Sequence[str]) -> TextLosses:
    """What texts cost a model; of long ones the first ``model.windows`` stretches of ``model.max_length`` tokens."""
    nats, _ = model.losses(list(texts))
    return TextLosses(nats / np.log(2), model.scored_bytes(list(texts)))


def bits_difference(one: TextLosses, other: TextLosses, resamples: int = 2000, seed: int = 0) -> Interval:
    """Bits per byte of ``one`` minus those of ``other`` on the same texts, with the 95% percentile interval over texts.

    Texts are resampled in pairs (Efron & Tibshirani 1993, chapter 13); each resample takes the ratio of its sums, as the figure
    itself does.

    Raises:
        InputError: the two were measured on different texts.

    >>> low, high = (TextLosses(np.array(bits), np.array([4, 4, 4])) for bits in ([4.0, 5.0, 6.0], [5.0, 6.0, 7.0]))
    >>> bits_difference(low, high).mean
    -0.25
    """
    if one.bytes.tolist() != other.bytes.tolist():
        raise InputError("Two models were measured on different texts", expected="the same texts in the same order")
    counts = np.random.default_rng(seed).multinomial(len(one.bits), np.full(len(one.bits), 1 / len(one.bits)), size=resamples)
    shares = (counts @ (one.bits - other.bits)) / np.maximum(counts @ one.bytes, 1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return Interval(one.per_byte - other.per_byte, float(low), float(high))
