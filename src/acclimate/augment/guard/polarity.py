"""Refuses rewritings in which a word was replaced by one of opposite meaning, or by one that speaks for another class."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from acclimate.augment.guard.base import Context, Judge, Judgement
from acclimate.augment.guard.wording import Change, comparable, words_of
from acclimate.data.domain import Domain, Modality
from acclimate.data.opposites import are_opposite, base_forms, wordnet_poles
from acclimate.data.synonyms import wordnet_synonyms
from acclimate.data.words import is_unspaced
from acclimate.errors import AcclimateError, InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

#: Pairs of Chinese words of opposite meaning that decide an opinion; no packaged thesaurus lists antonyms.
_CHINESE_OPPOSITES = """
好/坏 好/差 好/糟 好/烂 好/劣 优/劣 优/差 美/丑 高/低 大/小 多/少 快/慢 新/旧 强/弱 贵/便宜 干净/脏 安静/吵 热情/冷淡 舒服/难受 舒适/难受
喜欢/讨厌 喜爱/厌恶 爱/恨 满意/失望 满意/不满 高兴/难过 开心/伤心 快乐/痛苦 精彩/乏味 精彩/无聊 有趣/无聊 有趣/乏味 成功/失败 优点/缺点
优秀/差劲 推荐/劝退 值得/不值 方便/麻烦 简单/复杂 容易/困难 漂亮/难看 好看/难看 好吃/难吃 好听/难听 好用/难用 清楚/模糊 清晰/模糊
流畅/卡顿 稳定/死机 正品/假货 真/假 对/错 赞/骂 积极/消极 支持/反对 优质/劣质 便利/不便 宽敞/狭小 明亮/阴暗 新鲜/陈旧 丰富/贫乏 增加/减少
上升/下降 提高/降低 安全/危险 健康/生病 清洁/肮脏 整洁/脏乱 周到/敷衍 耐心/急躁 诚实/虚假 喜/悲 笑/哭 胜/败 赢/输 棒/烂 赞/差 香/臭
"""
Shift = Callable[[str, str, str], float]


@functools.cache
def _chinese_pairs() -> tuple[tuple[str, str], ...]:
    pairs = [tuple(pair.split("/")) for pair in _CHINESE_OPPOSITES.split()]
    return tuple(pair for first, second in pairs for pair in ((first, second), (second, first)))


def opposite_swap(found: Change) -> str:
    """The two words of opposite meaning of which one went and the other came, as ``good → bad``; empty where there are none.

    Beside WordNet's antonyms those of a word's synonyms count (*happy* is *glad*, whose antonym is *sad*).

    >>> from acclimate.augment.guard.wording import change
    >>> opposite_swap(change("房间很干净", "房间很脏")), opposite_swap(change("房间很干净", "房间很清洁"))
    ('干净 → 脏', '')
    """
    return _english_swap(found) or _chinese_swap(found)


def _english_swap(found: Change) -> str:
    gone, come = ([word for word in words if word.isascii() and word.isalpha()] for words in (found.gone, found.come))
    if not gone or not come:
        return ""
    pairs = ((old, new) for old in gone for new in come if _oppose(old, new))
    return " → ".join(next(pairs, ()))


@functools.lru_cache(maxsize=65_536)
def _oppose(word: str, other: str) -> bool:
    poles, synonyms = wordnet_poles(), wordnet_synonyms()
    if set(base_forms(word)) & set(base_forms(other)):
        return False
    if are_opposite(poles, word, other):
        return True
    known = [synonym for form in base_forms(word) for synonym in synonyms.get(form, ())]
    if not set(base_forms(other)).isdisjoint(known):
        return False  # a synonym in one sense
    return any(are_opposite(poles, synonym, other) for synonym in known)


def _chinese_swap(found: Change) -> str:
    """A pair whose one word went and whose other came, told by the counts in the running texts."""
    if not any(map(is_unspaced, (*found.gone, *found.come))):
        return ""
    old, new = "".join(found.parent), "".join(found.child)
    for first, second in _chinese_pairs():
        if old.count(first) > new.count(first) and new.count(second) > old.count(second):
            return f"{first} → {second}"
    return ""


def terms_of(text: str) -> list[str]:
    """What the bag-of-words classifier reads: words, and pairs of Han characters.

    >>> terms_of("very 好看")
    ['very', '好', '看', '好看']
    """
    words = words_of(text)
    pairs = [a + b for a, b in zip(words, words[1:], strict=False) if is_unspaced(a) and is_unspaced(b)]
    return [*words, *pairs]


def class_shift(labelled: Domain, strength: float) -> Shift:
    """A bag-of-words classifier learned from labelled examples, as a function of (parent, child, label).

    It gives how far the words that went and came move the text away from its label: the least, over the other classes ``c``, of
    ``Σ_w (W[label, w] − W[c, w]) (x_child[w] − x_parent[w])`` with binary ``x``; negative is away from the label. ``W`` are the
    weights of multinomial logistic regression, so the unit is log-odds.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    bag = CountVectorizer(analyzer=terms_of, binary=True)
    with threadpool_limits(1):
        counts = bag.fit_transform(labelled.texts)
        model = LogisticRegression(C=strength, max_iter=2_000, class_weight="balanced").fit(counts, labelled.labels)
    weights = np.vstack([-model.coef_, model.coef_]) / 2 if len(model.classes_) == 2 else model.coef_
    row = {name: number for number, name in enumerate(model.classes_)}

    def shift(parent: str, child: str, label: str) -> float:
        both: csr_matrix = bag.transform([parent, child])
        moved = weights @ (both[1] - both[0]).toarray()[0]
        return float(np.min(moved[row[label]] - np.delete(moved, row[label])))

    return shift


@dataclasses.dataclass(frozen=True)
class Polarity:
    """Looks at the words that went and came: opposites of one another (*good* → *bad*, 干净 → 脏), or a move to another class.

    Opposites come from WordNet (antonyms, the words near them and those of synonyms) and from a short Chinese list. Where the
    labelled part has two classes or more, a bag-of-words classifier learned from it says how far the exchanged words move the
    text away from its label. Texts that are no rewritings pass.

    Score: that move in log-odds (negative: away from the label); ``-inf`` never occurs, opposites alone refuse without it.

    Args:
        shift: refused when the exchanged words move the text this far away from its label.
        strength: inverse L2 penalty of the bag-of-words classifier.
    """

    modality: ClassVar[tuple[Modality, ...]] = ("text", "chat")
    summary: ClassVar[str] = "a word was swapped for its opposite, or for one that speaks for another class"
    summary_zh: ClassVar[str] = "词语被换成反义词或偏向其他类别的词"

    shift: float = 1.0
    strength: float = 1.0

    def __post_init__(self) -> None:
        """Raises InputError: a setting that is not above 0."""
        if not 0 < self.shift < float("inf") or not 0 < self.strength < float("inf"):
            raise InputError(f"polarity with shift={self.shift}, strength={self.strength}", expected="numbers above 0")

    def prepare(self, context: Context) -> Judge | str:
        """Learn the words of the classes."""
        try:
            wordnet_poles()
            wordnet_synonyms()
        except AcclimateError as error:
            return f"WordNet could not be had: {error.found}"
        known = _labelled_rows(context.labelled)
        shift = class_shift(known, self.strength) if len(known.classes) > 1 else None

        def judge(children: Domain, parents: Sequence[tuple[str, ...]]) -> Judgement:
            scores, details = np.full(len(children), np.nan), []
            for row, (of, text, label) in enumerate(zip(parents, children.texts, children.labels, strict=True)):
                old = context.only_parent(of)
                found = comparable(old, text)
                if found is None or old is None:
                    details.append("")
                    continue
                if shift is not None and label in known.classes:
                    scores[row] = shift(old, text, label)
                swap = opposite_swap(found)
                away = f"words moved {-scores[row]:.1f} away from the label" if scores[row] <= -self.shift else ""
                details.append(swap or away)
            return Judgement(np.array([bool(told) for told in details], dtype=np.bool_), scores, details)

        return judge


def _labelled_rows(domain: Domain) -> Domain:
    return domain.take([row for row, label in enumerate(domain.labels) if label is not None])
