"""How a language model writes, apart from the code that makes it: asking a server needs no torch."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Manner:
    """How tokens are drawn.

    Args:
        max_tokens: of an answer.
        temperature: 0 takes the likeliest token; 1 draws from the model's own distribution.
        top_p: draws from the likeliest tokens that hold this share of the probability (Holtzman 2020); 1 from all.
    """

    max_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
