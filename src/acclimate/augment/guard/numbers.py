"""Refuses rewritings in which a number, or its unit, changed."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from acclimate.augment.guard.base import Context, Judge, Judgement
from acclimate.augment.guard.wording import Change, comparable
from acclimate.data.domain import Domain, Modality

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SPELT = {
    **{word: value for value, word in enumerate(_ONES.split())},
    **{word: 10 * value for value, word in enumerate(_TENS.split(), start=2)},
    **{"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "dozen": 12, "half": 0.5, "twice": 2},
}
_CHINESE = {letter: value for value, letter in enumerate("零一二三四五六七八九十")} | {
    **{"两": 2, "百": 100, "千": 1_000, "万": 10_000, "亿": 10**8, "半": 0.5}
}
#: A lone Chinese numeral is a number only before one of these, or behind 第: 十分 is "very", 一直 "always".
_MEASURES = frozenset("个本天年月日次元块岁星米人位部条张间家件台倍折度斤升层楼页集套份双只小")
_NO_NUMBERS = frozenset(("千万", "万一", "一一", "万千", "万万", "千百", "百千"))
#: Words that say what a number counts, by kind: within a kind another word is another quantity.
_UNITS = """
mg milligram milligrams|g gram grams|kg kilo kilos kilogram kilograms|oz ounce ounces|lb lbs pound pounds|ton tons tonne tonnes
mm millimetre millimeter|cm centimetre centimeter|m metre metres meter meters|km kilometre kilometres kilometer kilometers
inch inches|ft foot feet|yard yards|mile miles|ml|l litre litres liter liters|gallon gallons|second seconds sec
minute minutes min|hour hours hr hrs|day days|week weeks|month months|year years|decade decades|century centuries|% percent
$ dollar dollars usd|€ euro euros eur|£ gbp|¥ yuan yen rmb|cent cents|kb|mb|gb|tb|hz|khz|mhz|ghz|watt watts|volt volts
degree degrees °|star stars|克|毫克|公斤 千克|斤|吨|毫米|厘米|米|公里 千米|毫升|升|秒|分钟|小时 钟头|天 日|周 星期|月|年|岁
元 块 圆|角 毛|美元|欧元|度|折|星|寸|兆
"""
_NUMERAL = re.compile(r"\d+(?:[.,:/]\d+)*")


class Quantity(NamedTuple):
    """A number, how it was written, and the kind of unit behind or before it (empty for none)."""

    value: float | str
    written: str
    unit: str


@functools.lru_cache(maxsize=65_536)
def quantities(words: tuple[str, ...]) -> tuple[Quantity, ...]:
    """The numbers of a text, given as words, in order: digits, English and Chinese numerals.

    >>> [(q.value, q.unit) for q in quantities(("take", "twenty", "five", "mg", "for", "3", "days"))]
    [(25.0, 'mg'), (3.0, 'day')]
    """
    return tuple(_quantities(words))


def _quantities(words: tuple[str, ...]) -> Iterator[Quantity]:
    at = 0
    while at < len(words):
        value, taken = _number(words, at)
        if value is None:
            at += max(taken, 1)
            continue
        end = at + taken
        before = _unit(words, at - 1) if at and words[at - 1] in "$€£¥" else ""
        yield Quantity(value, "digits" if _NUMERAL.match(words[at]) else "spelt", before or _unit(words, end))
        at = end


def _number(words: tuple[str, ...], at: int) -> tuple[float | str | None, int]:
    """The number that starts at a word, and how many words it takes; None where none does."""
    word = words[at]
    if _NUMERAL.match(word):
        plain = word.replace(",", "") if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", word) else word
        return (float(plain) if re.fullmatch(r"\d+(?:\.\d+)?", plain) else plain), 1
    if word in _CHINESE:
        end = at
        while end < len(words) and words[end] in _CHINESE:
            end += 1
        counted = (end < len(words) and words[end] in _MEASURES) or (at > 0 and words[at - 1] == "第")
        is_number = counted if end - at == 1 else "".join(words[at:end]) not in _NO_NUMBERS
        return (_sum([_CHINESE[letter] for letter in words[at:end]]) if is_number else None), end - at
    parts = [part for part in word.split("-") if part in _SPELT]
    if not parts or len(parts) != len(word.split("-")):
        return None, 0
    values, end = [_SPELT[part] for part in parts], at + 1
    while end < len(words) and words[end] in _SPELT:
        values.append(_SPELT[words[end]])
        end += 1
    return _sum(values), end - at


def _sum(values: Sequence[float]) -> float:
    """``20 5`` is 25, ``3 100 2`` is 302, ``2 10_000`` is 20,000."""
    total = group = 0.0
    for value in values:
        if value >= 1_000:
            total += max(group, 1.0) * value
            group = 0.0
        elif value in (10, 100):
            group = (group or 1.0) * value if group < value else group + value
        else:
            group += value
    return total + group


def _unit(words: tuple[str, ...], at: int) -> str:
    """The kind of unit that stands at a place; of Chinese, up to two characters."""
    if not 0 <= at < len(words):
        return ""
    pair = "".join(words[at : at + 2])
    return _units().get(pair, "") or _units().get(words[at], "")


@functools.cache
def _units() -> dict[str, str]:
    groups = [group.split() for line in _UNITS.strip().split("\n") for group in line.split("|")]
    named = {word: group[0] for group in groups for word in group}
    return {**named, "day": "day", "days": "day", "天": "天"}


def number_change(found: Change) -> str:
    """What happened to the numbers of a rewriting, in words; empty where nothing did.

    A number went and another came; one in digits was dropped or added; or one got another unit. A numeral in words that was only
    dropped or added says nothing: *one* and 一 are rarely numbers.

    >>> from acclimate.augment.guard.wording import change
    >>> number_change(change("take 5 mg twice", "take 50 mg twice")), number_change(change("take 5 mg", "take 5 g"))
    ('5 became 50', '5 mg became 5 g')
    >>> number_change(change("two good films", "2 good films"))
    ''
    """
    before, after = quantities(found.parent), quantities(found.child)
    gone = Counter(q.value for q in before) - Counter(q.value for q in after)
    come = Counter(q.value for q in after) - Counter(q.value for q in before)
    if gone and come:
        return f"{_shown(min(gone, key=str))} became {_shown(min(come, key=str))}"
    digits = {q.value for q in (*before, *after) if q.written == "digits"}
    for sign, values in (("dropped", gone), ("added", come)):
        lone = [value for value in values if value in digits]
        if lone:
            return f"{_shown(lone[0])} was {sign}"
    return _unit_change(before, after)


def _unit_change(before: Sequence[Quantity], after: Sequence[Quantity]) -> str:
    old = Counter((q.value, q.unit) for q in before if q.unit)
    new = Counter((q.value, q.unit) for q in after if q.unit)
    for value, unit in old - new:
        other = next((u for v, u in new - old if v == value), "")
        if other:
            return f"{_shown(value)} {unit} became {_shown(value)} {other}"
    return ""


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.12g}"


@dataclasses.dataclass(frozen=True)
class Numbers:
    """Compares the numbers of a rewriting with its parent's: in digits, in English or Chinese words, and with their units.

    ``1,000`` is *a thousand*, *twenty-five* is 25, 两万 is 20,000; *5 mg* is not *5 g*. Texts that are no rewritings pass.

    Score: 1 where something changed, else 0.
    """

    paper: ClassVar[str] = "Ribeiro et al. 2020"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "chat")
    summary: ClassVar[str] = "a number or its unit changed"
    summary_zh: ClassVar[str] = "数字或其单位被改动"

    def prepare(self, context: Context) -> Judge:
        """It needs nothing but the parents."""

        def judge(children: Domain, parents: Sequence[tuple[str, ...]]) -> Judgement:
            found = [comparable(context.only_parent(of), text) for of, text in zip(parents, children.texts, strict=True)]
            details = ["" if one is None else number_change(one) for one in found]
            scores = np.array([np.nan if one is None else float(bool(told)) for one, told in zip(found, details, strict=True)])
            return Judgement(np.nan_to_num(scores) > 0, scores, details)

        return judge
