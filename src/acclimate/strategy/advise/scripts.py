"""Which writing a text is in: enough to see that a source and a target cannot share words."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable

#: The first word of a letter's Unicode name, for the writings that go by another name.
_CALLED = {"cjk": "han", "ideographic": "han", "katakana-hiragana": "kana", "hiragana": "kana", "katakana": "kana"}
#: Letters of a text that are looked at.
_LETTERS = 200


def script(texts: Iterable[str]) -> str:
    """The writing that most letters are of: ``latin``, ``han``, ``cyrillic``, ...; empty where there are no letters.

    >>> script(["a good day", "今天"]), script(["今天很好"]), script(["12 !"])
    ('latin', 'han', '')
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_script(letter) for letter in text[:_LETTERS] if letter.isalpha())
    return min(counts, key=lambda name: (-counts[name], name), default="")


def _script(letter: str) -> str:
    if letter.isascii():
        return "latin"
    first = unicodedata.name(letter, "other").split(" ")[0].lower()
    return _CALLED.get(first, first)
