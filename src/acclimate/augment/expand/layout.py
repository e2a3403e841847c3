"""A text as words with everything between them, so that words can be edited and spaces, punctuation and case survive."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Collection, Iterator

from acclimate.augment.expand.protected import is_negation
from acclimate.features.tokenize import is_cjk, mark_class, word_pattern

#: The longest Chinese word looked for; 99.9% of the thesaurus's words are no longer.
_LONGEST = 5
_HANGUL_FIRST, _HANGUL_LAST = "\uac00", "\ud7a3"


@dataclasses.dataclass(frozen=True)
class Layout:
    """``gaps[0] words[0] gaps[1] words[1] ... gaps[n]``.

    Attributes:
        words: ``n`` words as written.
        gaps: the ``n + 1`` pieces of text around them, possibly empty.
        free: positions of words that may be replaced, moved or deleted: not a negation, nor the word after one, nor an address,
            a mention or a hashtag, nor (where asked for) a number.
        slots: positions after which a word may be inserted: not a negation, whose scope it would enter.
    """

    words: list[str]
    gaps: list[str]
    free: list[int]
    slots: list[int]


def parse(text: str, lexicon: Collection[str] = frozenset(), *, keep_numbers: bool = True) -> Layout:
    """The layout of a text; ``join(layout.words, layout.gaps)`` is the text again, byte for byte.

    Words follow :func:`acclimate.features.tokenize.words`, with three differences: a run of Hangul is one word (Korean marks
    words by spaces), Chinese is cut into the longest words of ``lexicon`` from left to right (single characters where it has
    none), and an address, mention or hashtag is one word.
    """
    pieces = _pattern().split(text)
    words, gaps = [], [pieces[0]]
    for found, gap in zip(pieces[1::2], pieces[2::2], strict=True):
        for word in _cut(found, lexicon):
            words.append(word)
            gaps.append("")
        gaps[-1] = gap
    negated = [is_negation(word) for word in words]
    free = [
        position
        for position, word in enumerate(words)
        if not (negated[position] or (position and negated[position - 1]) or _is_fixed(word, keep_numbers))
    ]
    return Layout(words, gaps, free, [position for position, negation in enumerate(negated) if not negation])


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
    address = r"(?:https?://|www\.)\S+|[@#]\w+"
    hangul = f"[{_HANGUL_FIRST}-{_HANGUL_LAST}]+"
    # A Han character with a mark of its own is left to the general rule, which keeps the two together.
    han = f"[\u4e00-\u9fff]+(?!{mark_class()})"
    return re.compile(f"({address}|{hangul}|{han}|{word_pattern().pattern})")


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


def _is_fixed(word: str, keep_numbers: bool) -> bool:
    if keep_numbers and word[0].isdigit():
        return True
    return not word[0].isalnum() or "://" in word or word.startswith("www.")
