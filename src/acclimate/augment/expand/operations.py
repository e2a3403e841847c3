"""The four operations of EDA (Wei & Zou 2019, §2), each a pure function of a layout and a stream of random numbers.

Each gives the new text, or None where it cannot change this text. ``draw`` gives numbers uniform in [0, 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from acclimate.augment.expand.draws import Draw
from acclimate.augment.expand.layout import Layout, join, spaceless

Item = TypeVar("Item")
#: ``(layout, rate, draw)`` to the new text, or None.
Edit = Callable[[Layout, float, Draw], str | None]

#: What does not open a text once its first word is gone, and does not end one once its last word is.
_OPENING_WASTE = " \t\n,.;:!?…，。、；：！？"
_CLOSING_WASTE = " \t\n,;:，、；："


def replace(layout: Layout, rate: float, draw: Draw) -> str | None:
    """Replace ``max(1, rate * n)`` random words that have synonyms by one of them each, in the case of the word replaced."""
    if not layout.rich:
        return None
    places, synonyms = list(layout.rich), layout.synonyms
    words = list(layout.words)
    for _ in range(min(_count(rate, words), len(places))):
        position = places.pop(_below(len(places), draw))
        words[position] = in_case_of(words[position], _choice(synonyms(words[position]), draw))
    return join(words, layout.gaps)


def insert(layout: Layout, rate: float, draw: Draw) -> str | None:
    """Insert ``max(1, rate * n)`` synonyms of random words at random places."""
    if not layout.rich or not layout.slots:
        return None
    synonyms = layout.synonyms
    chosen = sorted(
        ((_choice(layout.slots, draw), _choice(synonyms(layout.words[_choice(layout.rich, draw)]), draw)))
        for _ in range(_count(rate, layout.words))
    )
    words, gaps = list(layout.words), list(layout.gaps)
    for slot, synonym in reversed(chosen):
        words.insert(slot + 1, synonym)
        gaps.insert(slot + 1, "" if spaceless(synonym) else " ")
    return join(words, gaps)


def swap(layout: Layout, rate: float, draw: Draw) -> str | None:
    """Swap two random words ``max(1, rate * n)`` times; Chinese and Japanese words only with a neighbour, to stay readable."""
    if len(layout.free) < 2:
        return None
    words = list(layout.words)
    first = second = 0
    for _ in range(_count(rate, words)):
        first = _choice(layout.free, draw)
        second = _partner(layout, words, first, draw)
        words[first], words[second] = words[second], words[first]
    if words == layout.words:  # the last swap undid those before it
        words[first], words[second] = words[second], words[first]
    return join(words, layout.gaps) if words != layout.words else None


def delete(layout: Layout, rate: float, draw: Draw) -> str | None:
    """Delete each word with probability ``rate``, but at least one and never all."""
    if len(layout.words) < 2 or not layout.free:
        return None
    gone = [position for position in layout.free if draw() < rate] or [_choice(layout.free, draw)]
    if len(gone) == len(layout.words):
        gone.pop(_below(len(gone), draw))
    words, gaps = list(layout.words), list(layout.gaps)
    for position in reversed(gone):
        del words[position]
        gaps[position : position + 2] = [_merged(gaps, position)]
    return join(words, gaps)


def _merged(gaps: list[str], position: int) -> str:
    """What stands where a word was: one of two blank gaps, and the punctuation, save what would open or close the text oddly."""
    before, after = gaps[position], gaps[position + 1]
    if position == 0:
        return before + after.lstrip(_OPENING_WASTE)
    if position + 2 == len(gaps):
        return before.rstrip(_CLOSING_WASTE) + after
    if before.strip():
        return before + after.lstrip() if after.strip() else before
    return after if after.strip() or "\n" in after else before or after


def _partner(layout: Layout, words: list[str], first: int, draw: Draw) -> int:
    """A free word to swap with; ``first`` itself where there is none."""
    if spaceless(words[first]):
        near = [p for p in (first - 1, first + 1) if p in layout.free and not layout.gaps[max(p, first)] and spaceless(words[p])]
        return _choice(near, draw) if near else first
    spaced = layout.spaced
    if len(spaced) < 2:
        return first
    own = spaced.index(first)  # words swap only with words of their kind, so positions keep theirs
    return spaced[(own + 1 + _below(len(spaced) - 1, draw)) % len(spaced)]


def in_case_of(word: str, synonym: str) -> str:
    """A synonym written as the word is: in capitals, with a first capital, or as it stands."""
    if len(word) > 1 and word.isupper():
        return synonym.upper()
    return synonym[0].upper() + synonym[1:] if word[0].isupper() else synonym


def _count(rate: float, words: Sequence[str]) -> int:
    return max(1, int(rate * len(words)))


def _below(count: int, draw: Draw) -> int:
    return int(draw() * count)


def _choice(items: Sequence[Item], draw: Draw) -> Item:
    return items[int(draw() * len(items))]
