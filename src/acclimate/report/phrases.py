"""Sentences that other parts of acclimate wrote in English (notes, warnings, reasons), said in the language of the page.

Methods announce things while they run, in one language, before anyone knows in which one the report will be read. A list of
English sentences with placeholders, each with its translation, turns them; a sentence that the list does not know stays as it is.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import string
from importlib import resources

import yaml

#: What a placeholder matches: as little as the rest of the sentence allows, or the figures that f-strings write, or no quotes.
_PATTERNS = {"number": r"[+\-]?[\d.,]+(?:e[+-]?\d+)?", "name": r"[^']+"}
_ANYTHING = r".+?"
#: Kinds of placeholders that hold several phrases: what stands between them in English.
_SEPARATORS = {"list": ", ", "lines": "; "}


@dataclasses.dataclass(frozen=True)
class Phrase:
    """A sentence with placeholders: its pattern, the kind of each placeholder, and its translation."""

    pattern: re.Pattern[str]
    kinds: dict[str, str]
    translation: str


def translate(sentence: str) -> str:
    """A sentence in Chinese where the list of phrases knows it, otherwise as it is.

    >>> translate("3 texts are longer than 256 tokens; the rest of them was not read")
    '有 3 条文本超过 256 个词元，超出部分未读取。'
    >>> translate("a sentence of a plug-in")
    'a sentence of a plug-in'
    """
    for phrase in _phrases():
        found = phrase.pattern.fullmatch(sentence)
        if found:
            values = {name: _value(text, phrase.kinds[name]) for name, text in found.groupdict().items()}
            return phrase.translation.format(**values)
    return sentence


def _value(text: str, kind: str) -> str:
    if kind == "phrase":
        return translate(text)
    if kind == "list":
        return "、".join(map(translate, text.split(_SEPARATORS[kind])))
    if kind == "lines":
        return "；".join(map(translate, text.split(_SEPARATORS[kind])))
    return text


@functools.cache
def _phrases() -> tuple[Phrase, ...]:
    """The list, in its order: the first sentence that matches as a whole is taken."""
    text = (resources.files("acclimate.report") / "words" / "phrases_zh.yaml").read_text(encoding="utf-8")
    return tuple(_compiled(english, chinese) for english, chinese in yaml.safe_load(text).items())


def _compiled(english: str, chinese: str) -> Phrase:
    pattern, kinds = "", {}
    for before, name, kind, _ in string.Formatter().parse(english):
        pattern += re.escape(before)
        if name is not None:
            kinds[name] = kind or ""
            pattern += f"(?P<{name}>{_PATTERNS.get(kind or '', _ANYTHING)})"
    return Phrase(re.compile(pattern, re.DOTALL), kinds, chinese)
