"""Answers of a causal language model on this machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from acclimate.models.chat.base import Answer, Request, Spent

if TYPE_CHECKING:
    from acclimate.models.causal import CausalModel
    from acclimate.models.manner import Manner


@dataclasses.dataclass
class LocalChat:
    """A model that runs here; an answer depends on the model, the request and its seed alone.

    Args:
        model: with a chat template.
        manner: how it writes.
    """

    model: CausalModel
    manner: Manner
    spent: Spent = dataclasses.field(default_factory=Spent)

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """See :class:`acclimate.models.chat.base.Chat`."""
        written = self.model.answered([r.turns for r in requests], [r.seed for r in requests], self.manner)
        answers = []
        for request, (text, tokens) in zip(requests, written, strict=True):
            asked = sum(self.model.count_tokens(content) for _, content in request.messages)
            answer = Answer(text, "stop" if tokens.finished else "length", asked, len(tokens.tokens))
            self.spent.add(answer)
            answers.append(answer)
        return answers
