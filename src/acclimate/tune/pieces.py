"""Documents as what a language model reads at once: long ones in pieces, short ones packed into rows."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError
from acclimate.models.causal import Tokens
from acclimate.tune.examples import Examples


@dataclasses.dataclass(frozen=True, eq=False)
class Pack:
    """Documents, or pieces of them, that stand in one row; none sees another.

    Attributes:
        documents: at least one.
        weights: of each, at least 0.
    """

    documents: tuple[Tokens, ...]
    weights: tuple[float, ...]

    def __len__(self) -> int:
        return sum(len(document) for document in self.documents)


def split(tokens: Tokens, limit: int, overlap: int = 1) -> list[Tokens]:
    """A document in pieces of at most ``limit`` tokens; pieces in which nothing is asked for are left out.

    Every piece but the first begins with the last ``overlap`` tokens of the one before, which it reads and is not asked for: so
    every token is asked for once, and has at least ``overlap`` before it.

    Args:
        overlap: at least 1 for a causal model, which cannot be asked for what nothing precedes; less than ``limit``.
    """
    pieces = []
    for start in range(0, max(len(tokens) - overlap, 1), limit - overlap):
        pieces.append(tokens.between(start, start + limit))
        if start:
            pieces[-1].scored[:overlap] = False
    return [piece for piece in pieces if piece.scored.any()]


def cut(tokens: Tokens, limit: int) -> list[Tokens]:
    """The first ``limit`` tokens of a document; of a conversation whose answers begin later, the first piece that holds one.

    That piece begins so that half of it, at most, is what comes before the answer: cutting never leaves nothing to learn.
    """
    asked = np.flatnonzero(tokens.scored)
    if not len(asked):
        return []
    start = 0 if asked[0] < limit else int(asked[0]) - limit // 2
    return [tokens.between(start, start + limit)]


def best_fit(lengths: Sequence[int], limit: int) -> list[list[int]]:
    """Positions of items put together so that no sum exceeds ``limit``: best fit, longest first (Ding 2024).

    Each item joins the fullest row that still has room, or begins one; never more than 11/9 of the fewest rows, and one more
    (Johnson 1974).

    >>> best_fit([5, 4, 3, 2], 7)
    [[0, 3], [1, 2]]
    """
    rows: list[list[int]] = []
    spaces: list[tuple[int, int]] = []  # (room left, row), sorted
    for item in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        place = bisect.bisect_left(spaces, (lengths[item], -1))
        if place == len(spaces):
            rows.append([])
            room, row = limit, len(rows) - 1
        else:
            room, row = spaces.pop(place)
        rows[row].append(item)
        if room > lengths[item]:
            bisect.insort(spaces, (room - lengths[item], row))
    return rows


def in_pieces(examples: Examples, pieces: Callable[[object], Sequence[Tokens]]) -> tuple[Examples, Mapping[str, int]]:
    """Every document in the pieces that ``pieces`` makes of it, each with its document's weight; and counts of what became of them.

    Raises:
        InputError: nothing is left to learn from.
    """
    made = [list(pieces(content)) for content in examples.contents]
    counts = np.asarray([len(parts) for parts in made], dtype=np.int64)
    if not counts.sum():
        raise InputError(
            f"In {len(examples)} examples there is no token to learn from",
            expected="texts of at least two tokens, or conversations with an answer of the assistant",
            fix="check the column that was read",
        )
    contents = [piece for parts in made for piece in parts]
    told = {"documents": len(examples), "pieces": len(contents), "without a token to learn": int((counts == 0).sum())}
    return _repeated(examples, contents, np.repeat(np.arange(len(examples)), counts)), told


def in_packs(examples: Examples, limit: int) -> Examples:
    """Pieces packed into rows of at most ``limit`` tokens: the target's, the source's and replayed ones apart, in a fixed order."""
    replayed = np.zeros(len(examples), dtype=bool) if examples.replayed is None else examples.replayed
    kinds = examples.from_target * 2 + replayed
    packs, rows = [], []
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        for group in best_fit([len(examples.contents[member]) for member in members.tolist()], limit):
            chosen = members[group]
            documents = tuple(examples.contents[row] for row in chosen.tolist())
            packs.append(Pack(documents, tuple(examples.weights[chosen].tolist())))
            rows.append(int(chosen[0]))
    packed = _repeated(examples, packs, np.asarray(rows))
    return dataclasses.replace(packed, weights=np.ones(len(packs)))


def _repeated(examples: Examples, contents: Sequence[object], rows: NDArray[np.int64]) -> Examples:
    replayed = None if examples.replayed is None else examples.replayed[rows]
    return dataclasses.replace(
        examples,
        contents=contents,
        labels=examples.labels[rows],
        weights=examples.weights[rows],
        from_target=examples.from_target[rows],
        replayed=replayed,
    )
