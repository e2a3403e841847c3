"""A text reduced to what duplicates share: its words, whatever their case, width, spacing and punctuation."""

from __future__ import annotations

import re
import unicodedata

#: Scripts written without spaces: each Han character and kana counts as a word of its own.
_UNSPACED = "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_EMOJI = "\u2600-\u27bf\U0001f000-\U0001faff"
_WORD = re.compile(f"[{_UNSPACED}{_EMOJI}]|(?:(?![{_UNSPACED}])[^\\W_])+")
_ASCII_WORD = re.compile("[a-z0-9]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")


def folded_words(text: str) -> list[str]:
    """The words of a text after NFKC and case folding, in order; punctuation and spacing are gone, emoji stay.

    >>> folded_words("Ｇｏｏｄ,  day — 很好 👍")
    ['good', 'day', '很', '好', '👍']
    """
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    return _WORD.findall(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))


def normalised(text: str) -> str:
    """Equal for texts that differ only in case, character width, spacing and punctuation.

    A text without any word (``"?!"``) keeps its signs.

    >>> normalised("Hello,   WORLD!") == normalised("hello world")
    True
    """
    return " ".join(folded_words(text)) or "".join(unicodedata.normalize("NFKC", text).casefold().split())


def is_unspaced(word: str) -> bool:
    """Whether a word of :func:`folded_words` is a single character of an unspaced script."""
    return len(word) == 1 and _IS_UNSPACED.match(word) is not None
