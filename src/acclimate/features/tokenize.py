"""Text to words, for any script, by one fixed rule.

The rule, a simplified UAX #29 (https://unicode.org/reports/tr29/):

1. Text is brought to NFC and lower-cased; the typographic apostrophe counts as the plain one.
2. A word is a run of letters and digits together with the combining marks that follow them. An apostrophe or a zero-width
   joiner between two such runs stays inside the word (``don't``), and so does ``.`` or ``,`` between two digits (``3.14``).
3. Each Han character, kana and Hangul syllable is a word of its own (with its marks), as in Lucene's CJK analysis: these
   scripts do not mark words by spaces, or not in a way that counting n-grams could use.
4. Everything else (spaces, punctuation, symbols, emoji, underscores, marks without a base) separates words.
"""

from __future__ import annotations

import functools
import re
import unicodedata

#: Han with its iteration marks and numerals, kana (also half-width), Hangul syllables; as ranges of a character class.
CJK = (
    "\u3005-\u3007\u3021-\u3029\u303b\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)

#: Planes that hold combining marks: basic, supplementary, and the variation selectors of plane 14.
_MARK_PLANES = ((0x0, 0x20000), (0xE0000, 0xE1000))


def words(text: str) -> list[str]:
    """The words of a text, lower-cased, in order.

    >>> words("Don't panic: it’s only 3.14!")
    ["don't", 'panic', "it's", 'only', '3.14']
    >>> words("今天 is Köln")
    ['今', '天', 'is', 'köln']
    """
    return word_pattern().findall(fold(text))


def fold(text: str) -> str:
    """NFC, lower case, plain apostrophes: what makes two spellings of a word one."""
    if text.isascii():
        return text.lower()
    composed = unicodedata.normalize("NFC", text).lower()
    return unicodedata.normalize("NFC", composed).replace("\u2019", "'")


@functools.cache
def word_pattern() -> re.Pattern[str]:
    """The compiled rule, one match per word; it neither lower-cases nor normalises, so layout can be kept around it."""
    letter = rf"[^\W_{CJK}]"
    mark = mark_class()
    run = f"{letter}+(?:{mark}+{letter}*)*"
    joint = r"(?:['\u2019\u200c\u200d]|(?<=\d)[.,](?=\d))"
    return re.compile(f"[{CJK}]{mark}*|{run}(?:{joint}{run})*")


@functools.cache
def plain_word_pattern() -> re.Pattern[str]:
    """:func:`word_pattern` for texts in ASCII, without the tables of all other scripts, which take a while to be made."""
    return re.compile(r"[^\W_]+(?:(?:'|(?<=\d)[.,](?=\d))[^\W_]+)*", re.ASCII)


def is_cjk(word: str) -> bool:
    """Whether a word is a single character of a script that :func:`words` splits by character."""
    return _cjk_pattern().match(word) is not None


@functools.cache
def _cjk_pattern() -> re.Pattern[str]:
    return re.compile(f"[{CJK}]")


@functools.cache
def mark_class() -> str:
    """Every combining mark of this Python's Unicode, as a character class (``re`` has no ``\\p{M}``)."""
    marks = [code for low, high in _MARK_PLANES for code in range(low, high) if unicodedata.category(chr(code)).startswith("M")]
    starts = [code for code, before in zip(marks, [-1, *marks], strict=False) if code != before + 1]
    ends = [code for code, after in zip(marks, [*marks[1:], -1], strict=False) if after != code + 1]
    ranges = "".join(f"{chr(low)}-{chr(high)}" for low, high in zip(starts, ends, strict=True))
    return f"[{ranges}]"
