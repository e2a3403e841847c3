"""The one way in which methods ask for vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

#: Texts, or pictures as encoded bytes.
Contents = Sequence[str] | Sequence[bytes]


class Embed(Protocol):
    """Examples to vectors. Handed to every method that needs a model, so that all share one model and one cache.

    Methods call it with ``domain.contents``: texts, or pictures as encoded bytes.
    """

    def __call__(self, contents: Contents, /) -> NDArray[np.float32]:
        """``n`` texts or pictures to ``(n, d)``; the vector of one depends on that one alone, to the last bit."""
        ...
