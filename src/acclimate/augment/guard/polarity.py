"""Refuses rewritings in which a word was replaced by one of opposite meaning, or by one that speaks for another class."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.augment.expand.protected import STOP_WORDS
from acclimate.augment.guard.base import Context, Graded, Judge, Judgement
from acclimate.augment.guard.wording import Change, comparable, words_of
from acclimate.data.domain import Domain, Modality, from_columns
from acclimate.data.opposites import are_opposite, base_forms, wordnet_poles
from acclimate.data.synonyms import wordnet_synonyms
from acclimate.data.valence import chinese_valence, english_valence
from acclimate.data.words import is_unspaced
from acclimate.errors import AcclimateError, InputError

#: Pairs of Chinese words of opposite meaning that praise and blame nothing by themselves; no packaged thesaurus lists antonyms.
_CHINESE_OPPOSITES = """
高/低 大/小 多/少 快/慢 新/旧 强/弱 长/短 远/近 厚/薄 轻/重 深/浅 早/晚 冷/热 冷/暖 真/假 对/错 胜/败 赢/输 哭/笑 喜/悲
香/臭 美/丑 优/劣 好/坏 好/差 增加/减少 上升/下降 提高/降低 上涨/下跌 开始/结束 复杂/简单 容易/困难 便宜/贵 支持/反对 同意/反对
接受/拒绝 允许/禁止 积极/消极 主动/被动
"""
#: Words of opposite valence are rated at least this much above and below 0 (of 4), which leaves out what raters doubted.
VALENCE = 1.0

Shift = Callable[[Sequence[str], Sequence[str], Sequence[str]], NDArray[np.float64]]


@functools.cache
def _chinese_pairs() -> frozenset[tuple[str, str]]:
    pairs = (pair.split("/") for pair in _CHINESE_OPPOSITES.split())
    return frozenset(both for first, second in pairs for both in ((first, second), (second, first)))


def opposite_swap(found: Change) -> str:
    """The two words of opposite meaning of which one went and the other came, as ``good → bad``; empty where there are none.

    Opposite are WordNet's antonyms, those of a word's synonyms (*happy* is *glad*, whose antonym is *sad*), and a word of praise
    and one of blame (*great*, *terrible*).

    >>> from acclimate.augment.guard.wording import change
    >>> opposite_swap(change("房间很干净", "房间很脏")), opposite_swap(change("房间很干净", "房间很清洁"))
    ('干净 → 脏', '')
    """
    return _english_swap(found) or _chinese_swap(found)


def _english_swap(found: Change) -> str:
    gone, come = (list(filter(_is_content, words)) for words in (found.gone, found.come))
    if not gone or not come:
        return ""
    pairs = ((old, new) for old in gone for new in come if _oppose(old, new))
    return " → ".join(next(pairs, ()) or _valence_swap(gone, come, english_valence()))


def _is_content(word: str) -> bool:
    return word.isascii() and word[0].isalpha() and word not in STOP_WORDS


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


def _valence_swap(gone: Sequence[str], come: Sequence[str], valence: Mapping[str, float]) -> tuple[str, ...]:
    """A word that went and one that came where praise became blame or the reverse."""
    old = {word: valence.get(word, 0.0) for word in gone}
    new = {word: valence.get(word, 0.0) for word in come}
    for sign in (1, -1):
        best = max(old, key=lambda word: sign * old[word], default="")
        worst = max(new, key=lambda word: -sign * new[word], default="")
        if best and worst and sign * old[best] >= VALENCE and -sign * new[worst] >= VALENCE:
            return best, worst
    return ()


def _chinese_swap(found: Change) -> str:
    """The same for Han characters, whose words are looked up in the running text, the longest first."""
    if not any(map(is_unspaced, (*found.gone, *found.come))):
        return ""
    before, after = _chinese_words(found.parent), _chinese_words(found.child)
    gone, come = list(before - after), list(after - before)
    single = [[word for word in words if is_unspaced(word)] for words in (found.gone, found.come)]  # inside longer words
    sides = ((gone, come), single)
    pairs = ((old, new) for olds, news in sides for old in olds for new in news if (old, new) in _chinese_pairs())
    return " → ".join(next(pairs, ()) or _valence_swap(gone, come, chinese_valence()))


def _chinese_words(words: tuple[str, ...]) -> Counter[str]:
    return Counter(_chinese_pattern().findall("".join(word if is_unspaced(word) else " " for word in words)))


@functools.cache
def _chinese_pattern() -> re.Pattern[str]:
    known = {*chinese_valence(), *(word for pair in _chinese_pairs() for word in pair)}
    return re.compile("|".join(sorted(known, key=lambda word: (-len(word), word))))


def terms_of(text: str) -> list[str]:
    """What the bag-of-words classifier reads: words, and pairs of Han characters.

    >>> terms_of("very 好看")
    ['very', '好', '看', '好看']
    """
    words = words_of(text)
    pairs = [a + b for a, b in itertools.pairwise(words) if is_unspaced(a) and is_unspaced(b)]
    return [*words, *pairs]


def class_shift(labelled: Domain, strength: float) -> Shift:
    """A bag-of-words classifier learned from labelled examples, as a function of parents, children and labels, ``n`` of each.

    It gives how far an exchange of words speaks against the label, ``(n,)``: the most, over the other classes ``c``, of
    ``min(Σ_gone D_w, −Σ_come D_w)`` with ``D_w = W[label, w] − W[c, w]`` and binary counts. It is positive where words that spoke
    for the label went *and* words that speak for another class came; a mere deletion or insertion scores 0 or less. ``W`` are
    the weights of multinomial logistic regression, so the unit is log-odds.
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

    def shift(parents: Sequence[str], children: Sequence[str], labels: Sequence[str]) -> NDArray[np.float64]:
        if not len(children):
            return np.zeros(0)
        moved = (bag.transform(children).astype(np.int8) - bag.transform(parents).astype(np.int8)).tocsr()
        gone, come = moved.minimum(0).multiply(-1) @ weights.T, moved.maximum(0) @ weights.T  # (n, c) each
        own = np.array([row[label] for label in labels])
        at = np.arange(len(labels))
        against = np.minimum(gone[at, own][:, None] - gone, come - come[at, own][:, None])
        against[at, own] = -np.inf
        return np.asarray(against.max(axis=1), dtype=np.float64)

    return shift


@dataclasses.dataclass(frozen=True)
class Polarity:
    """Looks at the words that went and came: opposites of one another (*good* → *bad*, 干净 → 脏), or a move to another class.

    Opposites come from WordNet (antonyms, the words near them and those of synonyms), from words of praise and blame (VADER's
    ratings, a short Chinese list), and from a list of Chinese antonyms. Where the labelled part has two classes or more, a
    bag-of-words classifier learned from it tells an exchange of words that spoke for the label for words that speak for another
    class. Texts that are no rewritings pass, and so does a text that only lost or only gained words.

    A teacher, where there is one, is asked the same about these words.

    Score: how far the exchange speaks against the label by the bag of words, in log-odds; opposites refuse whatever it is.

    Args:
        shift: refused from this score on.
        words: refused when the teacher takes the words that went for the label, and those that came for another class, with at
            least these log-odds.
        strength: inverse L2 penalty of the bag-of-words classifier.
    """

    paper: ClassVar[str] = "Miller 1995; Hutto & Gilbert 2014"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "chat")
    summary: ClassVar[str] = "a word was swapped for its opposite, or for one that speaks for another class"
    summary_zh: ClassVar[str] = "词语被换成反义词或偏向其他类别的词"

    shift: float = 0.7
    words: float = 1.5
    strength: float = 1.0

    def __post_init__(self) -> None:
        """Raises InputError: a setting that is not above 0."""
        if not all(0 < value < float("inf") for value in (self.shift, self.words, self.strength)):
            given = f"polarity with shift={self.shift}, words={self.words}, strength={self.strength}"
            raise InputError(given, expected="numbers above 0")

    def prepare(self, context: Context) -> Judge | str:
        """Learn the words of the classes."""
        absent = _absent_lists()
        if absent:
            return absent
        known = _labelled_rows(context.labelled)
        classes = known.classes
        shift = class_shift(known, self.strength) if len(classes) > 1 else None
        graded = context.teacher.fit(known, classes) if context.teacher is not None and len(classes) > 1 else None

        def judge(children: Domain, parents: Sequence[tuple[str, ...]]) -> Judgement:
            olds = [context.only_parent(of) for of in parents]
            found = [comparable(old, text) for old, text in zip(olds, children.texts, strict=True)]
            scores, asked = np.full(len(children), np.nan), np.full(len(children), -np.inf)
            rows = [row for row, one in enumerate(found) if one is not None and children.labels[row] in classes]
            labels = [str(children.labels[row]) for row in rows]
            if shift is not None and rows:
                scores[rows] = shift([str(olds[row]) for row in rows], [children.texts[row] for row in rows], labels)
            if graded is not None and rows:
                asked[rows] = word_shift(graded, classes, [one for row in rows if (one := found[row]) is not None], labels)
            details = [
                ("" if one is None else opposite_swap(one)) or self._moved(score, odds)
                for one, score, odds in zip(found, scores, asked, strict=True)
            ]
            return Judgement(np.array([bool(told) for told in details], dtype=np.bool_), scores, details)

        return judge

    def _moved(self, score: float, asked: float) -> str:
        if score >= self.shift:
            return f"class words moved by {score:.1f}"
        return f"the teacher sees the words move by {asked:.1f}" if asked >= self.words else ""


def word_shift(graded: Graded, classes: Sequence[str], changes: Sequence[Change], labels: Sequence[str]) -> NDArray[np.float64]:
    """The same question put to the teacher, which reads the words that went, and those that came, as two texts: ``(n,)``.

    ``min(logit P(label | gone), −logit P(label | come))``; ``-inf`` where nothing went or nothing came. A teacher that reads by
    meaning knows words that the labelled part never showed.
    """
    sides = [_in_order(one.parent, one.gone) for one in changes], [_in_order(one.child, one.come) for one in changes]
    own = np.array([classes.index(label) for label in labels], dtype=np.int64)
    odds = []
    for texts in sides:
        p = np.clip(graded.predict_proba(from_columns("words", texts))[np.arange(len(texts)), own], 1e-6, 1 - 1e-6)
        odds.append(np.log(p / (1 - p)))
    both = np.array([bool(gone and come) for gone, come in zip(*sides, strict=True)], dtype=np.bool_)
    return np.where(both, np.minimum(odds[0], -odds[1]), -np.inf)


def _in_order(words: Sequence[str], wanted: Mapping[str, int]) -> str:
    """Some of a text's words as a text."""
    han = any(map(is_unspaced, wanted))
    return ("" if han else " ").join(word for word in words if word in wanted)


@functools.cache
def _absent_lists() -> str:
    """Why a word list could not be had, else empty. Asked once a process: without a network each attempt takes long."""
    try:
        for words in (wordnet_poles, wordnet_synonyms, english_valence):
            words()
    except AcclimateError as error:
        return f"a word list could not be had: {error.found}"
    return ""


def _labelled_rows(domain: Domain) -> Domain:
    return domain.take([row for row, label in enumerate(domain.labels) if label is not None])
