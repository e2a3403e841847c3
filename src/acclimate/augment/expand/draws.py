"""Random numbers that depend on (seed, example, copy) alone, drawn cheaply for many examples at once.

The numbers of one copy are computed apart from all others (:mod:`acclimate.engine.splitmix`). It costs 0.1 µs a number in blocks,
where seeding one ``random.Random`` for each copy costs 5 µs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.engine.splitmix import GAMMA, mix64, uniforms
from acclimate.engine.storage import content_hash

Draw = Callable[[], float]

#: Numbers computed at once for each copy: what an operation on some 20 words takes.
_BLOCK = 32


def stream_of(seed: int, name: str, content: str) -> int:
    """64 bits that stand for (seed, parent id, parent content).

    >>> stream_of(0, "a", "b") == stream_of(0, "a", "b") != stream_of(1, "a", "b")
    True
    """
    return int(content_hash(seed, name, content)[:16], 16)


def states_of(streams: Sequence[int], copies: Sequence[int]) -> NDArray[np.uint64]:
    """Where the numbers of each copy start, ``(n, c)``, for ``n`` streams and ``c`` copy numbers."""
    numbers = mix64(np.array(copies, dtype=np.uint64) * GAMMA)
    return mix64(np.array(streams, dtype=np.uint64)[:, None] ^ numbers[None, :])


def draws(states: NDArray[np.uint64]) -> Iterator[Draw]:
    """For each state of ``(n,)`` a function that gives its numbers one after another, without end."""
    for state, block in zip(states, uniforms(states, _BLOCK).tolist(), strict=True):
        yield itertools.chain(block, _further(state)).__next__


def draw_for(seed: int, name: str, content: str, copy: int) -> Draw:
    """The numbers of one copy of one example."""
    return next(draws(states_of([stream_of(seed, name, content)], [copy])[0]))


def _further(state: np.uint64) -> Iterator[float]:
    only = np.array([state], dtype=np.uint64)
    for first in itertools.count(_BLOCK, 8 * _BLOCK):
        yield from uniforms(only, 8 * _BLOCK, first)[0].tolist()
