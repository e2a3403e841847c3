"""A Chinese page says in Chinese what methods announced in English."""

import dataclasses
import re
import string
from importlib import resources
from pathlib import Path

import announced
import numpy as np
import outcomes
import pytest
import yaml

from acclimate.augment.expand.eda import Eda
from acclimate.data.domain import Domain, from_columns
from acclimate.data.load import load
from acclimate.data.make import open_target
from acclimate.engine.build import build
from acclimate.features.ngrams import hash_ngrams
from acclimate.gap.base import Sample
from acclimate.gap.coral import Coral
from acclimate.gap.label_shift import LabelShift
from acclimate.gap.measure import gap
from acclimate.gap.proxy_a import ProxyA
from acclimate.report import render_report
from acclimate.report.phrases import translate
from acclimate.select import METHODS as SELECTORS
from acclimate.select.base import Toolbox
from acclimate.select.budget import Budget
from acclimate.tune.learner import ProbeLearner

FILE = resources.files("acclimate.report") / "words" / "phrases_zh.yaml"
PHRASES: dict[str, str] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
CHINESE = re.compile("[\u201c\u4e00-\u9fff]")  # its letters and its quotation marks


def filled(template: str) -> str:
    """A template with a figure or a word for every placeholder."""
    values = {name: "7" if kind == "number" else "quux" for _, name, kind, _ in string.Formatter().parse(template) if name}
    return re.sub(r"{(\w+)[^}]*}", lambda found: values[found[1]], template)


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("english", PHRASES)
def test_a_phrase_keeps_its_values_and_hides_no_other_one(english):
    chinese = PHRASES[english]
    assert placeholders(chinese) <= placeholders(english)
    assert CHINESE.search(chinese)
    values = {name: "7" if f"{{{name}:number}}" in english else "quux" for name in placeholders(english)}
    assert translate(filled(english)) == chinese.format(**values)


def test_every_sentence_of_the_source_that_can_reach_a_report_has_a_translation():
    found = announced.sentences()
    assert len(found) >= 45
    assert {where: text for text, where in found.items() if not CHINESE.search(translate(text))} == {}


def test_what_reading_announces_is_translated(tmp_path: Path):
    file = tmp_path / "shop.csv"
    rows = ["good food;pos;a", ";pos;b", "bad;neg", "fine;pos;a", "poor;neg;d", " ;neg;e", " ;neg;f", " ;neg;g"]
    file.write_text("\n".join(["body;stars;uid", *rows]))
    found = [translate(note).replace(str(file), "shop.csv") for note in load(file, id="uid", on_bad_row="skip").notes]
    assert found == [
        "“shop.csv”：各列以“;”分隔。",
        "“shop.csv”：把“stars”列当作标签。",
        "“shop.csv”：把“body”列当作文本。",
        "跳过了 6 行无法使用的数据：“shop.csv”第 4 行：有 2 个字段，与表头不符；“shop.csv”第 3 行：文本为空（“body”列）；"
        "“shop.csv”第 5 行：编号“a”与“shop.csv”第 2 行重复；“shop.csv”第 7 行：文本为空（“body”列）；"
        "“shop.csv”第 8 行：文本为空（“body”列）（另有 1 行）。",
    ]


def vectors(domain: Domain, centre: float) -> Sample:
    noise = np.random.default_rng(len(domain)).normal(size=(len(domain), 12))
    return Sample(domain, (noise + centre).astype(np.float32))


def test_warnings_and_notes_of_the_gap_are_translated():
    here = from_columns("here", [f"word {n}" for n in range(8)], ["a", "b"] * 4)
    there = from_columns("there", [f"other {n}" for n in range(7)], ["a"] * 7)
    few = Coral().measure(vectors(here, 0), vectors(there, 0)).warning
    assert translate(few) == "样本数少于向量的 12 个维度，协方差估计以噪声为主。"
    assert translate(ProxyA().measure(vectors(here, -9), vectors(there, 9)).warning).startswith("已饱和（超过 ")
    confused = LabelShift().measure(vectors(here, 0), vectors(there, 0)).warning
    assert translate(confused) in ("其中一侧只有 7 条样本，数值不可靠。", "分类器分不清各个类别，无法估计类别比例。")
    report = gap(there, open_target(here), embed=lambda texts: np.random.default_rng(0).normal(size=(len(texts), 4)))
    assert [translate(note) for note in report.notes] == [
        "未能测量“there”的 label-shift：“there”各类别的有标签样本数为 a: 7，不足以估计。"
    ]


def test_budgets_and_augmenters_speak_chinese():
    scores, texts = np.array([2.0, 1.0]), ["one two three", "four"]
    notes = [Budget.parse(budget).take(scores, texts)[1] for budget in ("5", "50 tokens", "2 tokens")]
    assert [translate(note) for note in notes] == [
        "预算 5 条超过候选总数，2 条样本全部保留。",
        "预算 50 个词元超过候选总数 4 个，2 条样本全部保留。",
        "得分最高的一条样本就有 3 个词元，超过预算 2 个词元，仍予保留。",
    ]
    grown = Eda(synonyms="none").expand(from_columns("words", ["word", "another"]), times=2, seed=0)
    assert [translate(note) for note in grown.notes] == ["与原样本相同的新文本（其中没有可改动之处）：4 条。"]


def embed(contents):
    return hash_ngrams(contents, buckets=64, orders=(1,)).toarray().astype(np.float32)


@pytest.mark.parametrize("name", SELECTORS)
def test_the_reasons_of_every_selector_are_translated_but_for_the_words_they_quote(name):
    texts = ["good food and wine", "bad phone", "good editorial policy", "bad policy"]
    pool = from_columns("pool", texts, ["+", "-", "+", "-"], domains=["one", "one", "two", "two"])
    target = open_target(from_columns("there", ["the policy of the mayor", "an editorial on policy"] * 2, ["+", "-"] * 2))
    selector = build(SELECTORS, "selector", name, {}, Toolbox(embed, learner=ProbeLearner(embed)).provided).fit(pool, target)
    for reason in selector.reasons(pool):
        prose = re.sub(
            r"'[^']*'|there:\d|pool:\d|[a-z-]+(?= [+-]\d)|\b(one|two)\b|\b(" + "|".join(SELECTORS) + r")\b", "", translate(reason)
        )
        assert not re.search("[A-Za-z]", prose), reason


def test_unknown_sentences_stay_as_they_are():
    for text in ("", "a plug-in: says something", "'a', 'b'", "{braces} stay", outcomes.HOSTILE):
        assert translate(text) == text


def test_values_with_braces_and_markup_are_not_read_as_templates():
    note = "'{x}.csv': column '<b>{0}</b>' was taken for the text"
    assert translate(note) == "“{x}.csv”：把“<b>{0}</b>”列当作文本。"


def announcing() -> outcomes.Outcome:
    return dataclasses.replace(outcomes.full(), notes=["3 texts are longer than 256 tokens; the rest of them was not read"])


def test_the_chinese_page_shows_notes_warnings_reasons_and_facts_in_chinese():
    html = render_report(announcing(), "zh")
    for expected in (
        "有 3 条文本超过 256 个词元，超出部分未读取。",
        "已饱和（超过 1.9）：两个领域几乎不会被混淆；请改看 mmd 或 divergence。",
        "属于目标域的概率 0.98；&#39;editorial&#39; +1.31",
        "<dt>处理器数</dt>",
    ):
        assert expected in html
    assert "saturated" not in html


def test_the_english_page_keeps_them_as_they_are():
    html = render_report(announcing(), "en")
    assert "3 texts are longer than 256 tokens; the rest of them was not read" in html
    assert "p(target)=0.98" in html
