"""What is asked of a language model, what it answers, and whoever can answer."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from acclimate.data.domain import Message
from acclimate.engine.storage import content_hash


@dataclasses.dataclass(frozen=True)
class Request:
    """One question.

    Attributes:
        messages: the turns so far.
        seed: of the answer, where the model can draw from a stream of its own.
    """

    messages: tuple[tuple[str, str], ...]
    seed: int

    @classmethod
    def of(cls, prompt: str, seed: int, system: str = "") -> Request:
        """A single turn of the user, perhaps behind one of the system."""
        first = (("system", system),) if system else ()
        return cls((*first, ("user", prompt)), seed)

    @property
    def turns(self) -> list[Message]:
        """The turns as chat templates and endpoints take them."""
        return [{"role": role, "content": content} for role, content in self.messages]

    def key(self, *settings: Any) -> str:
        """A name made from the question and from whatever else decides the answer."""
        return content_hash([list(turn) for turn in self.messages], self.seed, *settings)


_COUNTING = threading.Lock()

#: How an answer ended: whole; cut off at the limit of tokens; or it was nothing that could be read.
End = Literal["stop", "length", "malformed"]


@dataclasses.dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        text: without marks; empty where it was malformed.
        end: how it ended.
        tokens_in, tokens_out: what it cost.
    """

    text: str
    end: End
    tokens_in: int
    tokens_out: int


@dataclasses.dataclass
class Spent:
    """What answering has cost so far.

    Attributes:
        asked: answers that a model had to give.
        remembered: answers that a log already held.
        tokens_in, tokens_out: of the answers given.
    """

    asked: int = 0
    remembered: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def add(self, answer: Answer) -> None:
        """Count one answer that was given."""
        with _COUNTING:  # requests end in threads
            self.asked += 1
            self.tokens_in += answer.tokens_in
            self.tokens_out += answer.tokens_out

    def price(self, price_in: float, price_out: float) -> float:
        """The cost, at prices for a million tokens."""
        return (self.tokens_in * price_in + self.tokens_out * price_out) / 1e6


class Chat(Protocol):
    """Answers requests."""

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """An answer to each request, in order.

        Raises:
            InputError: the model, the address or the key is wrong.
            RunError: answers stopped coming; what was answered until then is kept where there is a log.
        """
        ...

    @property
    def spent(self) -> Spent:
        """What it has cost so far."""
        ...
