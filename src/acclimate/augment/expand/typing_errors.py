"""What fingers and scanners do to a word: pure functions of its letters and a stream of random numbers.

Each gives the word as mistyped or misread, or None where it cannot act on this word. A letter here is a character with the marks
that follow it, so that none is torn from its base.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

from acclimate.augment.expand.draws import Draw
from acclimate.features.tokenize import mark_class

Layout = Literal["qwerty", "azerty", "qwertz"]
Item = TypeVar("Item")

#: The rows of letter keys, and how far each row is shifted to the right, in keys (ISO/IEC 9995-2).
_SHIFTS = (0.0, 0.25, 0.75)
KEYBOARDS: Mapping[Layout, tuple[str, str, str]] = {
    "qwerty": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "azerty": ("azertyuiop", "qsdfghjklm", "wxcvbn"),
    "qwertz": ("qwertzuiopü", "asdfghjklöä", "yxcvbnm"),
}
#: What optical character recognition takes for each other, both ways: shapes that differ by a stroke.
_ALIKE = "0-o 0-O 1-l 1-I l-I i-l i-j 5-s 5-S 8-B 6-b 9-g 2-z 2-Z c-e a-o u-v h-b n-h f-t rn-m cl-d vv-w ri-n li-h ii-u nn-m iii-m"
OCR_PAIRS = tuple((one, other) for one, _, other in (pair.partition("-") for pair in _ALIKE.split()))


@functools.cache
def neighbours(layout: Layout) -> dict[str, str]:
    """Each letter of a keyboard to the letters whose keys touch its own.

    >>> neighbours("qwerty")["s"], neighbours("azerty")["q"]
    ('adewxz', 'aswz')
    """
    places = {
        letter: (column + shift, row)
        for row, (letters, shift) in enumerate(zip(KEYBOARDS[layout], _SHIFTS, strict=True))
        for column, letter in enumerate(letters)
    }
    return {
        letter: "".join(sorted(o for o, (u, v) in places.items() if o != letter and abs(x - u) < 1.01 and abs(y - v) <= 1))
        for letter, (x, y) in places.items()
    }


def mistype(word: str, near: Mapping[str, str], draw: Draw) -> str | None:
    """One letter becomes one of its neighbours on the keyboard, in its case ("keyboard typo" of Belinkov & Bisk 2018)."""
    letters = letters_of(word)
    places = [place for place, letter in enumerate(letters) if letter.lower() in near]
    if not places:
        return None
    place = _pick(places, draw)
    typed = _pick(near[letters[place].lower()], draw)
    letters[place] = typed.upper() if letters[place].isupper() else typed
    return "".join(letters)


def misread(word: str, draw: Draw) -> str | None:
    """One letter, or one group of letters, is taken for one that looks like it."""
    spots = [
        (match.start(), match.end(), other)
        for shape, others in _confusions().items()
        for match in re.finditer(re.escape(shape), word)
        for other in others
    ]
    if not spots:
        return None
    start, stop, other = _pick(spots, draw)
    return word[:start] + other + word[stop:]


def double(word: str, draw: Draw) -> str:
    """One letter is typed twice."""
    letters = letters_of(word)
    place = int(draw() * len(letters))
    return "".join([*letters[: place + 1], *letters[place:]])


def drop(word: str, draw: Draw) -> str | None:
    """One letter inside the word is left out; the first and the last, by which words are known, stay."""
    letters = letters_of(word)
    if len(letters) < 3:
        return None
    place = 1 + int(draw() * (len(letters) - 2))
    return "".join(letters[:place] + letters[place + 1 :])


def transpose(word: str, draw: Draw) -> str | None:
    """Two neighbouring letters inside the word change places (Belinkov & Bisk 2018, section 3.2, "swap": words of four or more)."""
    letters = letters_of(word)
    places = [place for place in range(1, len(letters) - 2) if letters[place] != letters[place + 1]]
    if not places:
        return None
    place = _pick(places, draw)
    letters[place], letters[place + 1] = letters[place + 1], letters[place]
    return "".join(letters)


def letters_of(word: str) -> list[str]:
    """A word's characters, each with the marks that follow it.

    >>> len(letters_of("e\\u0301te\\u0301"))
    3
    """
    return list(word) if word.isascii() else _clusters().findall(word)


@functools.cache
def _clusters() -> re.Pattern[str]:
    return re.compile(f"(?s:.){mark_class()}*")


@functools.cache
def _confusions() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for one, other in OCR_PAIRS:
        found.setdefault(one, []).append(other)
        found.setdefault(other, []).append(one)
    return {shape: tuple(dict.fromkeys(others)) for shape, others in sorted(found.items())}


def _pick(items: Sequence[Item], draw: Draw) -> Item:
    return items[int(draw() * len(items))]
