"""The one way in which methods ask for vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Embed(Protocol):
    """Texts to vectors. Handed to every method that needs a model, so that all share one model and one cache."""

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """``n`` texts to ``(n, d)``; a text's vector depends on that text alone, to the last bit."""
        ...
