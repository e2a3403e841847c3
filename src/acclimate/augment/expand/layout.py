"""A text as words with everything between them, so that words can be edited and spaces, punctuation and case survive."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from acclimate.augment.expand.protected import ADDRESS, Protection, is_negation, is_number
from acclimate.features.tokenize import is_cjk, mark_class, word_pattern

#: A word of so few letters behind a figure is taken for its unit (mg, km, pm) and is kept with it.
_UNIT = 3
#: The longest Chinese word looked for; 99.9% of the thesaurus's words are no longer.
_LONGEST = 5
_HANGUL_FIRST, _HANGUL_LAST = "\uac00", "\ud7a3"


class Lexicon(Protocol):
    """What a text is read with: the words of a language that has no spaces, and the words that may stand for another."""

    @property
    def lexicon(self) -> Collection[str]:
        """Chinese words of several characters."""
        ...

    def synonyms(self, word: str) -> Sequence[str]:
        """What may stand for a word in any case; empty where nothing can."""
        ...


class NoWords:
    """No lexicon and no synonyms."""

    lexicon: Collection[str] = frozenset()

    def synonyms(self, word: str) -> Sequence[str]:  # noqa: ARG002 (it knows none)
        """None."""
        return ()


@dataclasses.dataclass(frozen=True)
class Layout:
    """``gaps[0] words[0] gaps[1] words[1] ... gaps[n]``.

    Attributes:
        words: ``n`` words as written.
        gaps: the ``n + 1`` pieces of text around them, possibly empty.
        free: positions of words that may be replaced, moved or deleted: not a negation, nor the word after one, nor an address,
            a mention or a hashtag, nor what a :class:`~acclimate.augment.expand.protected.Protection` keeps.
        slots: positions after which a word may be inserted: not a negation, whose scope it would enter.
        spaced: those of ``free`` whose words are of a script with spaces between words.
        rich: those of ``free`` whose words have synonyms.
        synonyms: of a word; empty where it has none.
    """

    words: list[str]
    gaps: list[str]
    free: list[int]
    slots: list[int]
    spaced: list[int]
    rich: list[int]
    synonyms: Callable[[str], Sequence[str]]


NO_WORDS = NoWords()
NUMBERS = Protection()


def parse(text: str, known: Lexicon = NO_WORDS, protection: Protection = NUMBERS) -> Layout:
    """The layout of a text; ``join(layout.words, layout.gaps)`` is the text again, byte for byte.

    Words follow :func:`acclimate.features.tokenize.words`, with four differences: a run of Hangul is one word (Korean marks
    words by spaces), Chinese is cut into the longest words of the lexicon from left to right (single characters where it has
    none), and an address, mention, hashtag or protected span is one word.
    """
    words: list[str] = []
    gaps = [""]
    kept: list[int] = []
    place = 0
    for start, stop in protection.spans(text):
        _append(text[place:start], known.lexicon, words, gaps)
        kept.append(len(words))
        words.append(text[start:stop])
        gaps.append("")
        place = stop
    _append(text[place:] if place else text, known.lexicon, words, gaps)
    return _with_positions(words, gaps, kept, known, protection.numbers)


def _append(text: str, lexicon: Collection[str], words: list[str], gaps: list[str]) -> None:
    """The words of a text, and the gaps around them, behind those that are there."""
    pieces = _pattern().split(text)
    gaps[-1] += pieces[0]
    for found, gap in zip(pieces[1::2], pieces[2::2], strict=True):
        if len(found) > 1 and "\u4e00" <= found[0] <= "\u9fff":
            for word in _cut(found, lexicon):
                words.append(word)
                gaps.append("")
            gaps[-1] = gap
        else:
            words.append(found)
            gaps.append(gap)


def _with_positions(words: list[str], gaps: list[str], kept: Collection[int], known: Lexicon, numbers: bool) -> Layout:
    free, slots, spaced, rich = [], [], [], []
    synonyms = known.synonyms
    after_negation = after_figure = False
    for position, word in enumerate(words):
        traits = _traits(word)
        if position in kept:
            traits |= _FIXED
        counted = numbers and (traits & _NUMBER or (after_figure and len(word) <= _UNIT))
        if not (counted or after_negation or traits & (_NEGATION | _FIXED)):
            free.append(position)
            if not traits & _SPACELESS:
                spaced.append(position)
            if synonyms(word):
                rich.append(position)
        after_negation, after_figure = bool(traits & _NEGATION), word[0].isdigit()
        if not after_negation:
            slots.append(position)
    return Layout(words, gaps, free, slots, spaced, rich, synonyms)


_NEGATION, _FIXED, _NUMBER, _SPACELESS = 1, 2, 4, 8


@functools.lru_cache(maxsize=1 << 16)
def _traits(word: str) -> int:
    """What the spelling of a word says about it, as a set of bits."""
    fixed = not word[0].isalnum() or "://" in word or word.startswith("www.")
    return (
        (_NEGATION if is_negation(word) else 0)
        | (_FIXED if fixed else 0)
        | (_NUMBER if is_number(word) else 0)
        | (_SPACELESS if spaceless(word) else 0)
    )


def join(words: list[str], gaps: list[str]) -> str:
    """The text of words and the gaps around them."""
    pieces = [""] * (len(words) + len(gaps))
    pieces[::2] = gaps
    pieces[1::2] = words
    return "".join(pieces)


def spaceless(word: str) -> bool:
    """Whether a word is of a script that does not put spaces between words (Han, kana)."""
    return is_cjk(word) and not _HANGUL_FIRST <= word[0] <= _HANGUL_LAST


@functools.cache
def _pattern() -> re.Pattern[str]:
    hangul = f"[{_HANGUL_FIRST}-{_HANGUL_LAST}]+"
    # A Han character with a mark of its own is left to the general rule, which keeps the two together.
    han = f"[\u4e00-\u9fff]+(?!{mark_class()})"
    return re.compile(f"({ADDRESS}|{hangul}|{han}|{word_pattern().pattern})")


def _cut(found: str, lexicon: Collection[str]) -> Iterator[str]:
    """A run of Chinese characters into words by forward maximum matching; anything else stays whole."""
    if len(found) == 1 or not "\u4e00" <= found[0] <= "\u9fff" or not "\u4e00" <= found[1] <= "\u9fff":
        yield found
        return
    start = 0
    while start < len(found):
        end = min(start + _LONGEST, len(found))
        while end > start + 1 and found[start:end] not in lexicon:
            end -= 1
        yield found[start:end]
        start = end
