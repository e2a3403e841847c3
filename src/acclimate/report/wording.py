"""Messages and numbers of the report in one language."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

import yaml
from markupsafe import Markup

from acclimate.errors import InputError
from acclimate.report.phrases import translate

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

_MINUTE, _HOUR = 60.0, 3600.0
#: Smaller figures are written with a power of ten.
_TINY = 1e-3
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@functools.cache
def load_messages(language: Language) -> dict[str, str]:
    """Every message by its dotted key, such as ``verdict.adapt``."""
    text = (resources.files("acclimate.report") / "words" / f"{language}.yaml").read_text(encoding="utf-8")
    return dict(_flat(yaml.safe_load(text), ""))


def _flat(tree: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in tree.items():
        pairs += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(f"{prefix}{key}", value)]
    return pairs


class Words:
    """The messages and number formats of one language; calling it fills a message's placeholders with escaped values."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._messages = load_messages(language)

    def __call__(self, key: str, **values: Any) -> Markup:
        return Markup(self._messages[key]).format(**values)

    def known(self, key: str, otherwise: str) -> Markup | str:
        """A message that may not exist, because methods and facts of other packages have no words here."""
        return Markup(self._messages[key]) if key in self._messages else otherwise

    def arm(self, name: str) -> Markup | str:
        """An arm's name as readers see it: controls have words of their own."""
        if name.startswith("random "):
            return self("control.random", budget=name.removeprefix("random "))
        return self.known(f"control.{name}", name)

    def sentence(self, text: str) -> str:
        """What another part of acclimate wrote in English, such as a note or a warning, in the page's language."""
        return translate(text) if self.language == "zh" else text

    def seeds(self, count: int) -> Markup:
        """How many seeds, in words."""
        return self("unit.seed" if count == 1 else "unit.seeds", count=count)

    def duration(self, seconds: float) -> Markup:
        """Seconds with the unit that reads best."""
        if seconds < 2 * _MINUTE:
            return self("unit.seconds", value=f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}")
        if seconds < 2 * _HOUR:
            return self("unit.minutes", value=f"{seconds / _MINUTE:.0f}")
        return self("unit.hours", value=f"{seconds / _HOUR:.1f}")


def words_in(language: str) -> Words:
    """The words of a language that a user named.

    Raises:
        InputError: there are none.
    """
    if language not in LANGUAGES:
        raise InputError(
            f"Unknown language '{language}'", expected=" or ".join(LANGUAGES), fix="choose en (English) or zh (Chinese)"
        )
    return Words(language)


def isolated(text: str) -> Markup:
    """Text in an element of its own, so that its writing direction cannot turn the sentence around it."""
    return Markup("<bdi>{}</bdi>").format(text)


def significant(value: float) -> str:
    """Three significant digits, large figures whole, tiny ones with a power of ten: ``0.0931``, ``1,300``, ``3.8×10⁻⁶``."""
    if 0 < abs(value) < _TINY:
        digits, power = f"{value:.1e}".split("e")
        return f"{minus(digits)}×10{str(int(power)).translate(_SUPERSCRIPTS)}"
    return minus(f"{value:#.3g}".rstrip(".") if abs(value) < 1000 else f"{value:,.0f}")


def points(difference: float) -> str:
    """A difference of accuracies as signed percentage points: ``+1.8``, ``−0.4``, ``0.0``."""
    text = f"{100 * difference:+.1f}"
    return "0.0" if float(text) == 0 else minus(text)


def size(difference: float) -> str:
    """The magnitude of a difference in percentage points: ``1.8``."""
    return f"{100 * abs(difference):.1f}"


def percent(value: float) -> str:
    """A share as a percentage with one decimal: ``81.4%``."""
    return f"{100 * value:.1f}%"


def share(value: float) -> str:
    """A share as a percentage, or a dash where it could not be had."""
    return "–" if math.isnan(value) else percent(value)


def p_value(p: float) -> str:
    """A p-value; below a thousandth the digits mean nothing: ``= 0.012``, ``< 0.001`` (no line breaks inside)."""
    return "<\u00a00.001" if p < 0.001 else f"=\u00a0{p:.3f}" if p < 0.1 else f"=\u00a0{p:.2f}"


def minus(text: str) -> str:
    """The text with a true minus sign in front of negative numbers."""
    return text.replace("-", "−", 1) if text.startswith("-") else text
