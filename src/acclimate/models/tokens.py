"""How many tokens a text has for a model: what a budget in tokens is counted in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.models.reference import resolve

#: Texts tokenised together; bounds the memory for their tokens.
_BATCH = 1024


class TokenCounter:
    """Counts the tokens of a text with the tokenizer of a model, special tokens and cutting left aside.

    The tokenizer is looked for and loaded when the first text is counted; the weights never are.

    Args:
        model: ``asset:NAME``, a local folder or a hub name.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self._tokenizer: Any = None

    def __call__(self, text: str) -> int:
        """Tokens of one text.

        Raises:
            InputError: no such model, or its tokenizer is damaged.
            RunError: it could not be downloaded.
        """
        return int(self.many([text])[0])

    def many(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each text, ``(n,)``: several times faster than one by one."""
        counts = [len(tokens) for start in range(0, len(texts), _BATCH) for tokens in self._tokens(texts[start : start + _BATCH])]
        return np.array(counts, dtype=np.int64)

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        if self._tokenizer is None:
            from transformers import AutoTokenizer

            from acclimate.models.loading import load_pretrained

            self._tokenizer = load_pretrained(AutoTokenizer, resolve(self.model))
        encoded = self._tokenizer(
            list(texts), add_special_tokens=False, truncation=False, return_attention_mask=False, verbose=False
        )
        return list(encoded["input_ids"])


def token_counter(model: str) -> TokenCounter:
    """What counts tokens as ``model`` does: for ``count_tokens`` of :func:`acclimate.select`."""
    return TokenCounter(model)
