"""Masked language models: what a model expects where words are hidden, so that a text's answer depends on that text alone."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError

#: Rows of every forward pass, and the step of its length in tokens; see :mod:`acclimate.models.encoder`.
ROWS = 16
STEP = 8


@dataclasses.dataclass(frozen=True, eq=False)
class MaskedModel:
    """A masked language model with its head.

    Attributes:
        name: as the user wrote it.
        model, tokenizer: of transformers, in evaluation mode.
        max_length: tokens read of a text, special tokens included.
    """

    name: str
    model: Any
    tokenizer: Any
    max_length: int

    @property
    def mask(self) -> str:
        """What stands for a hidden word."""
        return str(self.tokenizer.mask_token)

    def expected(self, texts: Sequence[str]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """(position, logits ``(m, v)`` of its ``m`` masks that are read) of every text, each once, longest first."""
        import torch

        from acclimate.models.loading import quiet

        with quiet():
            encoded = self.tokenizer(list(texts), truncation=True, max_length=self.max_length, return_attention_mask=False)
        groups: dict[int, list[int]] = {}
        for row, ids in enumerate(encoded["input_ids"]):
            groups.setdefault(min(-(-len(ids) // STEP) * STEP, self.max_length), []).append(row)
        for length, members in sorted(groups.items(), reverse=True):
            for start in range(0, len(members), ROWS):
                rows = members[start : start + ROWS]
                ids = torch.full((ROWS, length), self.tokenizer.pad_token_id or 0)
                seen = torch.zeros((ROWS, length), dtype=torch.int64)
                seen[:, 0] = 1
                for place, row in enumerate(rows):
                    tokens = encoded["input_ids"][row]
                    ids[place, : len(tokens)] = torch.tensor(tokens)
                    seen[place, : len(tokens)] = 1
                with torch.inference_mode():
                    logits = self.model(input_ids=ids.to(self.model.device), attention_mask=seen.to(self.model.device)).logits
                for place, row in enumerate(rows):
                    hidden = ids[place] == self.tokenizer.mask_token_id
                    yield row, logits[place, hidden.to(logits.device)].float().cpu().numpy()


@functools.lru_cache(maxsize=2)
def load_masked(name: str, device: str = "auto", max_length: int = 256) -> MaskedModel:
    """Load a masked language model by name; remembered, so that chunk after chunk of texts shares it.

    Raises:
        InputError: no such model, or one without the head that predicts hidden words.
        RunError: it could not be downloaded.
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    from acclimate.models.device import pick_device
    from acclimate.models.loading import load_pretrained
    from acclimate.models.reference import resolve

    reference = resolve(name)
    tokenizer = load_pretrained(AutoTokenizer, reference)
    model, information = load_pretrained(AutoModelForMaskedLM, reference, output_loading_info=True)
    absent = sorted(key for key in information["missing_keys"] if "pooler" not in key)
    if absent or tokenizer.mask_token is None:
        raise InputError(
            f"'{name}' cannot say which words it expects: "
            + (f"its files lack the head of a masked language model ({absent[0]})" if absent else "its tokenizer has no mask"),
            expected="a masked language model with its head, such as distilbert-base-uncased, roberta-base or bert-base-chinese; "
            "sentence encoders such as asset:minilm were published without theirs",
            fix="name one that is on the hub or in a local folder (none is packaged), or use 'embedding-neighbour' or 'eda'",
        )
    limit = min(max_length, tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None) or max_length)
    return MaskedModel(name, model.eval().to(pick_device(device)), tokenizer, int(limit))
