"""The page: complete in both languages, self-contained, escaped, and honest in its first sentence."""

import dataclasses
import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import outcomes
import pytest

from acclimate.errors import InputError
from acclimate.report import LANGUAGES, render_report, write_report
from acclimate.report.wording import load_messages

VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})
SVG_LEAVES = frozenset({"line", "circle", "rect", "path"})


class Page(HTMLParser):
    """Collects tags, attributes and visible text, and checks that every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.style = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SVG_LEAVES
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        else:
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(outcome: outcomes.Outcome, language: str = "en") -> Page:
    return Page(render_report(outcome, language))


def words(text: str) -> str:
    return " ".join(text.split())


ALL = [outcomes.full, outcomes.keeping, outcomes.ranked, outcomes.harmed, outcomes.bare, outcomes.hostile]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("make", ALL)
def test_the_page_loads_nothing_and_runs_nothing(make, language):
    found = page(make(), language)
    assert found.named("script") == found.named("link") == found.named("img") == found.named("iframe") == []
    for _, attributes in found.tags:
        assert not {"src", "href", "xlink:href", "srcset", "action", "data", "poster"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
        assert "url(" not in (attributes.get("style") or "")
    assert "url(" not in found.style
    assert "@import" not in found.style
    assert "http" not in found.style


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("make", ALL)
def test_every_section_is_there_and_is_named(make, language):
    found = page(make(), language)
    headings = [attributes["id"] for attributes in found.named("h2")]
    asked = {outcomes.ranked: ["ranking"], outcomes.harmed: ["harm"]}.get(make, [])
    rest = ["cost", "gap", "selection", "generated", "hygiene", "reproduce", "notes", "how"]
    assert headings == ["verdict", "arms", *asked, *rest]
    assert [attributes["aria-labelledby"] for attributes in found.named("section")] == headings
    assert len(found.named("h1")) == 1
    assert len(found.named("caption")) == len(found.named("table"))
    assert all(s.get("aria-label") or s.get("aria-hidden") for s in found.named("svg"))
    assert "{" not in found.text
    assert "None" not in found.text


def test_users_texts_are_escaped_everywhere():
    html = render_report(outcomes.hostile(), "en")
    found = Page(html)
    assert "<script" not in html
    assert "\x00" not in html
    assert "<script>alert('x')</script>" in found.text
    names = Counter(tag for tag, _ in found.tags)
    assert set(names) - set(Counter(tag for tag, _ in page(outcomes.full()).tags)) == set()


@pytest.mark.parametrize("make", ALL)
def test_attributes_keep_their_quotes(make):
    known = {
        "aria-hidden", "aria-label", "aria-labelledby", "charset", "class", "colspan", "content", "cx", "cy", "d", "data-label",
        "dir", "height", "http-equiv", "id", "lang", "name", "open", "r", "role", "scope", "tabindex", "text-anchor", "title",
        "transform", "viewbox", "width", "x", "x1", "x2", "y", "y1", "y2",
    }  # fmt: skip
    assert {name for _, attributes in page(make()).tags for name in attributes} <= known


def test_the_verdict_says_what_to_do_how_much_how_sure_and_why():
    text = words(page(outcomes.full()).text)
    assert f"Adapt with {outcomes.BEST}." in text
    assert "1.7 points more accurate than the best control, all source + target" in text
    assert "(95% interval +0.3 to +3.1 points, corrected p = 0.013)" in text
    assert "Full fine-tuning (every weight of the model trained), 3 seeds, 879 test examples" in text
    assert "beat all source + target by 2.1 points" in text
    assert f"Hurt on the sealed test (negative transfer): {outcomes.EDA}, {outcomes.MIXUP}." in text
    assert "On the sealed test, of 5 arms on the probe 2 helped, 1 showed no evidence, 2 hurt." in text


def test_the_same_verdict_in_chinese():
    text = words(page(outcomes.full(), "zh").text)
    assert f"建议采用“{outcomes.BEST}”。" in text
    assert "准确率比最佳对照“全部源域 + 目标域”高 1.7 个百分点（95% 置信区间 +0.3 至 +3.1，校正后 p = 0.013）" in text


def test_do_not_adapt_is_said_plainly():
    text = words(page(outcomes.keeping()).text)
    assert "Do not adapt. Train on all source data plus the target labels, without selection or augmentation." in text
    assert "no evidence of a difference" in text
    assert "was not shown better than all source + target: +0.2 points" in text
    assert "Do not adapt. A random 20% of the source" in words(page(outcomes.keeping("random 20%")).text)
    assert "不建议做适应。只用目标域的有标签数据训练即可。" in words(page(outcomes.keeping("target-only"), "zh").text)


def disagreeing(verdict: str, difference: float) -> outcomes.Outcome:
    """The recommended arm with another verdict on the test after fine-tuning."""
    whole = outcomes.full()
    last = whole.results[-1]
    compared = dataclasses.replace(
        last.comparison, verdict=verdict, difference=difference, low=difference - 0.01, high=difference + 0.01
    )
    return dataclasses.replace(whole, results=[*whole.results[:-1], dataclasses.replace(last, comparison=compared)])


def test_a_test_that_contradicts_validation_is_not_glossed_over():
    hurt = words(page(disagreeing("hurt", -0.02)).text)
    assert "hurt: it is 2.0 points less accurate" in hurt
    assert "the sealed test contradicts it. Do not use it." in hurt
    assert "On the sealed test the probe says “helped” and full fine-tuning says “hurt”." in hurt
    unproven = words(page(disagreeing("no evidence", 0.001)).text)
    assert "Treat it as unproven." in unproven


def test_a_ranking_without_labels_is_an_offer_with_its_failures():
    text = words(page(outcomes.ranked()).text)
    assert (
        "chosen without labels by dev, which was worse than doing nothing in 7 of 66 measured cells (mean gain +1.2 points)" in text
    )
    assert "Ranked without labels" in text
    assert "which validation chose" not in text
    chinese = page(outcomes.ranked(), "zh").text
    assert "在 66 个实测单元中" in chinese
    assert "无标签排序" in chinese


def test_what_hurts_is_named_with_its_interval():
    found = page(outcomes.harmed())
    text = words(found.text)
    assert "Shown to hurt: tweets." in text
    assert "the domain 'nyt' cannot be left out" in text
    assert "−2.0 −3.5 to −0.5" in text
    labels = [attributes["aria-label"] for attributes in found.named("svg") if attributes.get("class", "").startswith("whisker")]
    assert any(label.startswith("tweets: difference −4.1") for label in labels)
    chinese = page(outcomes.harmed(), "zh").text
    assert "被证明有害：tweets。" in chinese.replace("\n", "")
    assert "子域“nyt”不能去掉" in chinese
    assert "What having each thing does" not in words(page(outcomes.full()).text)


def test_a_test_that_speaks_for_an_arm_the_gate_left_is_mentioned():
    kept = dataclasses.replace(
        outcomes.full(), recommended="everything", reason={**outcomes.full().reason, "key": "gate.not_shown"}
    )  # fmt: skip
    assert "although validation did not show it" in words(page(kept).text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_empty_sections_say_that_they_are_empty(language):
    text = page(outcomes.bare(), language).text
    expected = {
        "en": [
            "The gap was not measured.",
            "No arm selects source data.",
            "Nothing was generated.",
            "Nothing had to be removed",
            "Nothing to note.",
        ],
        "zh": ["未测量域间距离。", "没有方案对源域做数据选择。", "没有生成数据。", "无需移除", "无。"],
    }
    assert [sentence for sentence in expected[language] if sentence not in text] == []


def test_every_arm_has_its_figures_in_the_table():
    found = page(outcomes.full())
    labels = [attributes["aria-label"] for attributes in found.named("svg") if attributes.get("class", "").startswith("whisker")]
    assert len(labels) == 8 + 1 + 1  # probe arms but the reference, fine-tuned arm, verdict
    assert f"{outcomes.MIXUP}: difference −3.0 points, 95% interval −4.9 to −1.1" in labels
    text = words(found.text)
    assert "74.9% ± 0.9" in text
    pills = [attributes["class"] for attributes in found.named("span") if attributes.get("class", "").startswith("pill ")]
    assert Counter(pills) == {"pill helped": 3, "pill hurt": 3, "pill no_evidence": 3, "pill recommended": 2}


def test_warnings_notes_picks_and_removed_examples_reach_the_reader():
    text = words(page(outcomes.full()).text)
    for expected in (
        "proxy-a · tweets: saturated (above 1.9)",
        "label-shift of amazon was not measured",
        "column 'text' was guessed",
        "p(target)=0.98 'editorial' +1.31",
        "Near misses",
        "near duplicate · similarity 0.90 · nyt:12",
        "The test itself holds 2 repeated examples.",
        "acclimate compare recipe.yaml",
        "2.13.0",
    ):
        assert expected in text


def test_differing_words_are_marked_on_both_sides():
    html = render_report(outcomes.full(), "en")
    assert {"speech", "餐厅"} <= set(re.findall(r"<del>(.*?)</del>", html))
    assert {"address", "饭馆"} <= set(re.findall(r"<ins>(.*?)</ins>", html))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_quality_of_generated_examples_is_told_with_what_guards_refused(language):
    found = page(outcomes.full(), language)
    words = load_messages(language)
    for key in ("caption", "kept", "flips", "self_bleu", "coverage", "refused", "examples", "guard.negation", "guard.agreement"):
        assert words[f"quality.{key}"] in found.text
    assert words["quality.guard.leakage"] not in found.text  # refused nothing
    assert words["quality.gold"] not in found.text  # nobody labelled by hand
    assert "8.2% → 3.1%" in found.text
    assert ("negations: +1" in found.text) == (language == "en")


def test_the_map_draws_every_domain_and_rings_what_was_kept():
    found = page(outcomes.full())
    classes = [attributes.get("class") for attributes in found.named("path")]
    assert [name for name in classes if name and name.startswith("dots")][:4] == [f"dots domain-{k}" for k in (1, 2, 3, 0)]
    assert "ring" in classes


def test_writing_is_whole_deterministic_and_refuses_an_unknown_language(tmp_path: Path):
    write_report(outcomes.full(), tmp_path / "report.html", "zh")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render_report(outcomes.full(), "zh")
    with pytest.raises(InputError, match="en or zh"):
        write_report(outcomes.full(), tmp_path / "other.html", "zh-cn")  # type: ignore[arg-type]  # a user's slip
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_the_page_does_not_depend_on_the_hash_seed():
    code = (
        "import sys, outcomes; from acclimate.report import render_report; sys.stdout.write(ascii(render_report(outcomes.full())))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
    assert other == ascii(render_report(outcomes.full()))


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(scheme):
    style = page(outcomes.bare()).style
    blocks = re.findall(r":root \{(.*?)\}", style, re.S)
    colours = dict(
        re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[0] if scheme == "light" else next(b for b in blocks[1:] if "--paper" in b))
    )
    pairs = [("ink", "paper"), ("soft", "paper"), ("ink", "mark"), ("ink", "helped-wash"), ("soft", "none-wash")]
    pairs += [(name, f"{name}-wash") for name in ("helped", "hurt", "none")]
    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
