"""An advice says the same in both languages, with every figure and bound, on a page that is whole and escaped."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import outcomes
import pytest
from test_report import Page

import acclimate.report
from acclimate.errors import InputError
from acclimate.report.advised import SHOWN, tell
from acclimate.report.render import render_advice, render_report, write_advice
from acclimate.report.wording import LANGUAGES, Language, Words, load_messages, words_in
from acclimate.strategy.advise.rules import LANGUAGE_RULES, RULES, Rule
from acclimate.strategy.advise.run import advise_on
from acclimate.strategy.advise.traits import Part, Traits

sys.path.insert(0, str(Path(__file__).parents[1] / "strategy"))

from advise_traits import traits

EVERY = {rule.name: rule for rule in (*RULES, *LANGUAGE_RULES)}
MESSAGES = load_messages("en")


def family(name: str) -> set[str]:
    prefix = f"advise.{name}."
    return {key.removeprefix(prefix) for key in MESSAGES if key.startswith(prefix)}


def some() -> Traits:
    parts = (Part("<b>near</b>", 1200, 0.3, 0.2, 0.4), Part("tiny", 4))
    return traits(accelerated=False, gap_spread=0.6, source_domains=2, label_shift=0.3, label_shift_p=0.01, parts=parts)


def test_there_are_words_for_every_rule_topic_relation_and_trait_and_for_no_other() -> None:
    assert family("rule") == set(EVERY)
    assert family("topic") == {rule.topic for rule in EVERY.values()}
    checks = [check for rule in EVERY.values() for check in rule.checks]
    assert family("relation") == {check.relation for check in checks}
    assert {check.trait for check in checks} | set(SHOWN) <= family("trait")
    fields = {field.name for field in dataclasses.fields(Traits)}
    assert family("trait") <= fields


def test_every_other_message_is_used() -> None:
    package = Path(acclimate.report.__file__).parents[1]
    files = [*package.glob("report/*.py"), *package.glob("report/templates/*.j2"), package / "cli" / "advice.py"]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in files)
    made = ("rule", "topic", "relation", "trait", "features", "basis")
    keys = [key.removeprefix("advise.") for key in MESSAGES if key.startswith("advise.")]
    unused = [
        key for key in keys if not key.startswith(made) and not re.search(rf"[\"'.]{re.escape(key.split('.')[-1])}[\"']", sources)
    ]
    assert unused == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_figure_stands_beside_the_bound_it_was_compared_with(language: Language) -> None:
    told = tell(advise_on(some(), prior=None), Words(language))
    shift = next(branch for branch in told.tree if "0.0100" in branch.compared)
    assert shift.holds
    assert "0.100" in shift.compared
    assert "0.300" in shift.compared
    assert "0.0500" in shift.compared
    assert not re.search(r"[{}]", " ".join((told.headline, told.basis, told.read, *(branch.rule for branch in told.tree))))


def test_chinese_is_chinese() -> None:
    told = tell(advise_on(some(), prior=None), Words("zh"))
    sentences = [told.headline, told.basis, told.read, *(branch.rule for branch in told.tree), *(why for _, why in told.excluded)]
    assert all(re.search(r"[\u4e00-\u9fff]", sentence) for sentence in sentences)


def test_reasons_are_numbers_of_rules_that_hold() -> None:
    advice = advise_on(some(), prior=None)
    told = tell(advice, Words("en"))
    holding = {branch.number for branch in told.tree if branch.holds}
    assert any(row.reasons for row in told.rows)
    assert all({*row.reasons, *row.risks} <= holding for row in told.rows)


def test_a_control_in_front_is_said_to_be_hard_to_beat() -> None:
    advice = advise_on(some(), prior=None)
    controls = tuple(suggestion for suggestion in advice.suggestions if suggestion.arm.is_control)
    told = tell(dataclasses.replace(advice, suggestions=controls), Words("en"))
    assert told.headline.startswith("No arm is expected to beat")


def test_of_a_language_model_no_size_of_a_gain_is_claimed() -> None:
    told = tell(advise_on(traits(task="causal-lm", word_gap=0.2), prior=None), Words("en"))
    assert {row.gain for row in told.rows} == {"–"}
    assert "order" in told.basis


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_and_escapes_names(language: Language, tmp_path: Path) -> None:
    advice = dataclasses.replace(advise_on(some(), prior=None), source=outcomes.HOSTILE)
    page = Page(render_advice(advice, language))
    assert page.named("html") == [{"lang": MESSAGES["page.lang"] if language == "en" else "zh-CN"}]
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<b>near</b>" in page.text
    assert all(branch.rule in page.text for branch in tell(advice, Words(language)).tree)
    write_advice(advice, tmp_path / "advice.html", language)
    assert (tmp_path / "advice.html").read_text(encoding="utf-8") == render_advice(advice, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_shows_the_strategy_where_there_was_an_advice(language: Language) -> None:
    heading = load_messages(language)["advise.tree"]
    outcome = outcomes.full()
    assert heading not in Page(render_report(outcome, language)).text
    assert heading in Page(render_report(dataclasses.replace(outcome, advice=advise_on(some(), prior=None)), language)).text


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(InputError, match="en or zh"):
        words_in("fr")


@pytest.mark.parametrize("page", ["advise.md", "advise.zh-CN.md"])
@pytest.mark.parametrize("rule", EVERY.values(), ids=EVERY)
def test_the_documentation_has_every_rule_with_its_bounds_and_amounts(page: str, rule: Rule) -> None:
    text = (Path(__file__).parents[3] / "docs" / page).read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{rule.name}` |"))
    assert all(f"{check.bound:g}" in row for check in rule.checks)
    assert all(f"{tag} {points:+g}" in row for tag, points in rule.effects.items())
    assert rule.origin in row
