"""Chinese characters of the same sound, from packaged readings."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

import orjson

from acclimate.data.assets import fetch

#: Bytes of the first level of GB 2312-80: its 3,755 most common characters.
_LEVEL_ONE = [(high, low) for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF)]
_TONES = ("\u0300", "\u0301", "\u0304", "\u030c")


@functools.cache
def homophones() -> Mapping[str, str]:
    """Each common character to the other common characters whose first reading is the same but for the tone.

    Common are the 3,755 characters of the first level of GB 2312; readings come from the table of pypinyin (MIT), which is fetched
    once.

    Raises:
        RunError: the table has to be fetched and that failed.
    """
    readings = orjson.loads((fetch("pinyin") / "pinyin_dict.json").read_bytes())
    by_sound: dict[str, list[str]] = {}
    for character in _common():
        reading = readings.get(str(ord(character)))
        if reading:
            by_sound.setdefault(without_tone(reading.split(",")[0]), []).append(character)
    groups = by_sound.values()
    return MappingProxyType({own: "".join(o for o in group if o != own) for group in groups if len(group) > 1 for own in group})


def without_tone(reading: str) -> str:
    """
    >>> without_tone("lǜ"), without_tone("zhōng")
    ('lü', 'zhong')
    """
    letters = unicodedata.normalize("NFD", reading)
    return unicodedata.normalize("NFC", "".join(letter for letter in letters if letter not in _TONES))


def _common() -> list[str]:
    return [character for pair in _LEVEL_ONE if (character := bytes(pair).decode("gb2312", "ignore"))]
