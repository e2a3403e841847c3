"""Tokens hidden for a masked language model to find again; what is hidden follows from the seed, the text and the visit alone."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

#: Share of the tokens that are asked for, and of these: replaced by the mask, by a random token; the rest stay as they are
#: (Devlin 2019, section 3.1 and appendix A.1).
SHARE, MASKED, RANDOM = 0.15, 0.8, 0.1


def hide(
    ids: NDArray[np.int64],
    maskable: NDArray[np.bool_],
    *,
    mask: int,
    choices: NDArray[np.int64],
    rng: np.random.Generator,
    share: float = SHARE,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What the model reads ``(t,)``, and the places that it is asked for ``(m,)``, in order.

    Of ``n`` maskable tokens exactly ``max(1, round(share n))`` are asked for, drawn without replacement: none where ``n`` is 0.

    Args:
        ids: token numbers ``(t,)``.
        maskable: which of them are no marks, ``(t,)``.
        mask: number of the token that stands for a hidden one.
        choices: numbers of the tokens that a random one is drawn from.

    >>> seen, places = hide(np.arange(20), np.arange(20) > 0, mask=99, choices=np.array([7]), rng=np.random.default_rng(0))
    >>> len(places), bool((seen[places] == 99).sum() >= 1)
    (3, True)
    """
    free = np.flatnonzero(maskable)
    count = max(1, round(share * len(free))) if len(free) else 0
    places = np.sort(rng.permutation(free)[:count])
    fate = rng.random(count)
    drawn = choices[rng.integers(0, len(choices), count)]
    seen = ids.copy()
    seen[places] = np.where(fate < MASKED, mask, np.where(fate < MASKED + RANDOM, drawn, ids[places]))
    return seen, places


def visit_generator(seed: int, ids: NDArray[np.int64], visit: int) -> np.random.Generator:
    """The random numbers of one visit to one text: another draw at each visit (Liu 2019, RoBERTa, section 4.1: dynamic masking),
    the same whoever its batch mates are."""
    words = np.frombuffer(hashlib.blake2b(ids.astype(np.int64).tobytes(), digest_size=16).digest(), dtype=np.uint32)
    return np.random.default_rng([seed, visit, *words.tolist()])
