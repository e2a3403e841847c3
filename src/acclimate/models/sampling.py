"""Texts written by a model, each drawn from its own stream of random numbers.

A token is drawn by the Gumbel-max trick (Gumbel 1954; Yellott 1977): the argument of the maximum of ``log p + g``, with ``g`` from
the text's own stream, is a draw from ``p``. So the library's greedy search draws, and what it draws for a text depends on its
model, its prompt and its stream alone: every pass has a fixed number of rows, and a length that the prompt's own length decides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from acclimate.models.loading import quiet
from acclimate.models.manner import Manner

#: Rows of every pass, and the step of the length of prompts in tokens. Writing costs far more than reading, so prompts are padded
#: generously to fill passes; fewer rows waste less on a few texts, more serve many.
ROWS = 8
STEP = 64


@dataclasses.dataclass(frozen=True)
class Written:
    """What a model wrote behind a prompt.

    Attributes:
        tokens: without the mark of the end.
        finished: whether it came to an end by itself.
    """

    tokens: list[int]
    finished: bool


def write(
    model: Any,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    manner: Manner,
    *,
    pad: int,
    ends: Sequence[int],
    **settings: Any,
) -> Iterator[tuple[int, Written]]:
    """(position, what was written) for each prompt, each once, longest prompts first.

    Args:
        model: of transformers, one that generates: causal, or encoder and decoder.
        prompts: token numbers of ``n`` prompts.
        seeds: of ``n`` streams of random numbers.
        pad: the number of the padding token.
        ends: numbers of the tokens that end a text.
        settings: further ones of ``generate``, such as ``forced_bos_token_id``.
    """
    groups: dict[int, list[int]] = {}
    for row, prompt in enumerate(prompts):
        groups.setdefault(max(STEP, -(-len(prompt) // STEP) * STEP), []).append(row)
    for length, members in sorted(groups.items(), reverse=True):
        for start in range(0, len(members), ROWS):
            rows = members[start : start + ROWS]
            written = _pass(
                model, [prompts[row] for row in rows], [seeds[row] for row in rows], length, manner, pad, ends, settings
            )
            yield from zip(rows, written, strict=True)


def _pass(
    model: Any,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    length: int,
    manner: Manner,
    pad: int,
    ends: Sequence[int],
    settings: dict[str, Any],
) -> list[Written]:
    """Up to ``ROWS`` prompts in the fixed shape ``(ROWS, length)``; dummies are whole rows of padding with one token seen."""
    causal = not model.config.is_encoder_decoder
    ids = torch.full((ROWS, length), pad, dtype=torch.int64)
    seen = torch.zeros((ROWS, length), dtype=torch.int64)
    seen[:, -1 if causal else 0] = 1
    for row, prompt in enumerate(prompts):
        place = slice(length - len(prompt), length) if causal else slice(0, len(prompt))
        ids[row, place] = torch.tensor(list(prompt), dtype=torch.int64)
        seen[row, place] = 1
    processors = LogitsProcessorList([_Draw(seeds, manner)]) if manner.temperature > 0 else LogitsProcessorList()
    with torch.inference_mode(), quiet():
        out = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=seen.to(model.device),
            logits_processor=processors,
            stopping_criteria=StoppingCriteriaList([_NoDummies(len(prompts))]),
            max_new_tokens=manner.max_tokens,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=pad,
            eos_token_id=list(ends),
            **settings,
        )
    new = out[:, length:] if causal else out[:, 1:]
    return [_cut(new[row].tolist(), ends, manner.max_tokens) for row in range(len(prompts))]


def _cut(tokens: list[int], ends: Sequence[int], most: int) -> Written:
    for place, token in enumerate(tokens[:most]):
        if token in ends:
            return Written(tokens[:place], True)
    return Written(tokens[:most], False)


class _NoDummies(StoppingCriteria):  # type: ignore[misc]  # transformers is not followed
    """Takes dummies for finished, so that no pass goes on for their sake."""

    def __init__(self, real: int) -> None:
        self._real = real

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:  # noqa: ARG002 (the library's)
        return torch.arange(len(input_ids), device=input_ids.device) >= self._real


class _Draw(LogitsProcessor):  # type: ignore[misc]  # transformers is not followed
    """Adds to each row's log-probabilities Gumbel noise from its own stream, after temperature and nucleus."""

    def __init__(self, seeds: Sequence[int], manner: Manner) -> None:
        self._streams = [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]
        self._manner = manner

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 (the library's signature)
        logs = torch.log_softmax(scores.float() / self._manner.temperature, dim=-1)
        if self._manner.top_p < 1:
            logs = nucleus(logs, self._manner.top_p)
        noise = np.zeros(logs.shape, dtype=np.float32)
        for row, stream in enumerate(self._streams):
            noise[row] = stream.gumbel(size=logs.shape[1])
        return logs + torch.from_numpy(noise).to(logs.device)


def nucleus(logs: torch.Tensor, share: float) -> torch.Tensor:
    """Log-probabilities ``(n, v)`` with −∞ outside the fewest likeliest tokens that hold ``share`` (Holtzman 2020, eq. 2)."""
    ordered, order = logs.sort(dim=-1, descending=True, stable=True)
    before = ordered.exp().cumsum(dim=-1) - ordered.exp()
    return torch.full_like(logs, -torch.inf).scatter(-1, order, ordered.masked_fill(before >= share, -torch.inf))
