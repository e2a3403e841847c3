"""Refuses rewritings in which a negation was inserted or removed."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from acclimate.augment.expand.protected import CHINESE_NEGATIONS, is_negation
from acclimate.augment.guard.base import Context, Judge, Judgement
from acclimate.augment.guard.wording import Change, comparable
from acclimate.data.domain import Domain, Modality

#: Expressions with a negation word that deny nothing.
_NOT_NEGATING_ENGLISH = """
not only|not just|not merely|not to mention|not least|whether or not|no doubt|no matter|no wonder|no problem|no less than
nothing but|nothing short of|nothing less than|none other|never mind|can't wait|cannot wait|could not agree more
couldn't agree more|why not
"""
_NOT_NEGATING_CHINESE = """
非常 非洲 是非 除非 莫非 特别 别人 别的 别墅 别致 别出心裁 分别 区别 级别 性别 类别 差别 个别 告别 识别 离别 鉴别 派别 国别
未来 无论 无数 无线 无意中 无比 不仅 不但 不只 不光 不单 不止 不管 不论 不过 不断 不少 不禁 不错 不同 不妨 不愧 不得不 不由得
不由自主 不知不觉 不可思议 不亦乐乎 不得了 不一会 不久 不然 不已 了不起 对不起 差不多 说不定 忍不住 不可或缺 不可缺少 必不可少
没关系 没问题 没事 否则 是否 能否 可否 莫名 毫不犹豫 毫无疑问 无疑 无与伦比 无微不至 独一无二
"""
_PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non", "non-", "mis")


class Cues(NamedTuple):
    """Negations that deny something, expressions that only look like one, and what is left of the text."""

    denials: int
    harmless: Counter[str]
    rest: str


@functools.lru_cache(maxsize=65_536)
def cues(words: tuple[str, ...]) -> Cues:
    """The negations of a text, given as words.

    >>> cues(("it", "is", "not", "only", "not", "bad")).denials, cues(tuple("这不是很不错")).denials
    (1, 1)
    """
    text = _joined(words)
    harmless = Counter(_harmless().findall(text))
    rest = _harmless().sub(" ", text)
    english = sum(is_negation(word) for word in rest.split() if word.isascii())
    return Cues(english + sum(letter in CHINESE_NEGATIONS for letter in rest), harmless, rest)


def negation_change(found: Change) -> int:
    """How many negations more the child has than its parent; an affix (*un-*, *-less*) and a broken expression count as one.

    >>> from acclimate.augment.guard.wording import change
    >>> [negation_change(change("a good film", child)) for child in ("a not good film", "a very good film")]
    [1, 0]
    >>> negation_change(change("酒店不错", "酒店错")), negation_change(change("a happy end", "an unhappy end"))
    (-1, 1)
    """
    before, after = cues(found.parent), cues(found.child)
    inserted = after.denials - before.denials
    return inserted or _affixed(found) or _broken(after, before, found.gone) - _broken(before, after, found.come)


def _affixed(found: Change) -> int:
    """1 where a word came that negates one that went, -1 the other way round."""
    for sign, bases, others in ((1, found.gone, found.come), (-1, found.come, found.gone)):
        for word in bases:
            if len(word) < 3:
                continue
            stem = word.removesuffix("ful")
            if any(prefix + word in others for prefix in _PREFIXES) or (stem != word and stem + "less" in others):
                return sign
    return 0


def _broken(had: Cues, has: Cues, come: Counter[str]) -> int:
    """How many harmless expressions of ``had`` only lost their negation word in ``has``: *no doubt* that became *doubt*.

    One whose negation word another word took the place of (未来, 将来) is a different expression.
    """
    count = 0
    for expression in had.harmless - has.harmless:
        cores, others = _without_negation(expression), [_joined(_renamed(expression, word)) for word in come]
        count += bool(cores) and has.rest.count(cores) > had.rest.count(cores) and not any(other in has.rest for other in others)
    return count


def _pieces(expression: str) -> list[str]:
    return expression.split() if expression.isascii() else list(expression)


def _denies(piece: str) -> bool:
    return is_negation(piece) if piece.isascii() else piece in CHINESE_NEGATIONS


def _without_negation(expression: str) -> str:
    return _joined([piece for piece in _pieces(expression) if not _denies(piece)])


def _renamed(expression: str, word: str) -> list[str]:
    return [word if _denies(piece) else piece for piece in _pieces(expression)]


def _joined(words: Sequence[str]) -> str:
    """English words between blanks, Han characters side by side."""
    return re.sub(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "", " ".join(words))


@functools.cache
def _harmless() -> re.Pattern[str]:
    english = [
        expression.strip() for line in _NOT_NEGATING_ENGLISH.split("\n") for expression in line.split("|") if expression.strip()
    ]
    chinese = sorted(_NOT_NEGATING_CHINESE.split(), key=len, reverse=True)
    return re.compile("|".join([rf"\b(?:{'|'.join(english)})\b", *chinese]))


@dataclasses.dataclass(frozen=True)
class Negation:
    """Compares how often a rewriting and its parent deny something, in English and Chinese.

    Counted are the words that :mod:`acclimate.augment.expand.protected` knows (*not*, *-n't*, *never*, *no*, *without*, *hardly*,
    不, 没, 无, 未, 别 ...), but for expressions that deny nothing (*not only*, *no doubt*, 不错, 非常, 特别).
    A change of parity is not asked for: two negations more are a change too. Texts that are no rewritings (see
    :data:`.wording.COMPARABLE`) pass.

    Score: how many negations more the new text has.
    """

    paper: ClassVar[str] = "Ribeiro et al. 2020"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "chat")
    summary: ClassVar[str] = "a negation was inserted or removed"
    summary_zh: ClassVar[str] = "增加或删除了否定词"

    def prepare(self, context: Context) -> Judge:
        """It needs nothing but the parents."""

        def judge(children: Domain, parents: Sequence[tuple[str, ...]]) -> Judgement:
            found = [comparable(context.only_parent(of), text) for of, text in zip(parents, children.texts, strict=True)]
            scores = np.array([np.nan if one is None else float(negation_change(one)) for one in found])
            refused = np.nan_to_num(scores) != 0
            details = ["" if not bad else f"negations: {score:+.0f}" for bad, score in zip(refused, scores, strict=True)]
            return Judgement(refused, scores, details)

        return judge
