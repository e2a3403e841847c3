"""Both languages say the same things."""

import re
import string
from pathlib import Path

import pytest

import acclimate.report
from acclimate.report.wording import Words, load_messages, p_value, percent, points, significant, size

ENGLISH, CHINESE = load_messages("en"), load_messages("zh")


def placeholders(message: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(message) if name is not None)


def test_both_languages_have_the_same_messages():
    assert list(ENGLISH) == list(CHINESE)


@pytest.mark.parametrize("key", ENGLISH)
def test_a_message_has_the_same_placeholders_and_markup_in_both_languages(key):
    assert placeholders(ENGLISH[key]) == placeholders(CHINESE[key])
    assert re.findall(r"</?(?:strong|dfn)>", ENGLISH[key]) == re.findall(r"</?(?:strong|dfn)>", CHINESE[key])


@pytest.mark.parametrize("key", CHINESE)
def test_chinese_messages_are_chinese_and_english_ones_are_not(key):
    has_chinese = re.compile(r"[\u4e00-\u9fff]")
    assert not has_chinese.search(ENGLISH[key])
    prose = re.sub(r"{\w+}|<[^>]+>|&\w+;|zh-CN", "", CHINESE[key])
    assert has_chinese.search(prose) or not re.search(r"[A-Za-z]{2}", prose)


def test_values_are_escaped_and_messages_are_not():
    filled = Words("en")("verdict.test.hurt", arm="<b>", control="c", size="1", low="l", high="h", p="p")
    assert "<strong>hurt</strong>" in filled
    assert "&lt;b&gt;" in filled


def test_controls_have_words_and_arms_keep_their_names():
    words = Words("zh")
    assert words.arm("target-only") == "仅目标域"
    assert words.arm("random 20%") == "随机 20%"
    assert words.arm("dsir 5% + target") == "dsir 5% + target"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (points(0.0184), "+1.8"),
        (points(-0.004), "−0.4"),
        (points(-0.0001), "0.0"),
        (size(-0.0184), "1.8"),
        (percent(0.8143), "81.4%"),
        (p_value(0.0123), "=\u00a00.012"),
        (p_value(0.00001), "<\u00a00.001"),
        (p_value(1.0), "=\u00a01.00"),
        (significant(0.09312), "0.0931"),
        (significant(-4.2), "−4.20"),
        (significant(123.4), "123"),
        (significant(1300), "1,300"),
        (significant(-3.81e-6), "−3.8×10⁻⁶"),
        (significant(0.0), "0.00"),
        (str(Words("en").duration(0.7)), "0.7 s"),
        (str(Words("en").duration(300)), "5 min"),
        (str(Words("zh").duration(9000)), "2.5 小时"),
    ],
)
def test_numbers_read_well(found, expected):
    assert found == expected


def test_every_message_is_used():
    package = Path(acclimate.report.__file__).parent
    sources = "\n".join(path.read_text(encoding="utf-8") for kind in ("*.py", "*.j2") for path in sorted(package.rglob(kind)))
    # Keys put together from the name of a task, a verdict, a metric, ...
    families = (
        "task control fidelity pill gate how verdict.use verdict.test verdict.caution cost.stage arms hygiene reproduce quality "
        "harm.caption harm.name search.state"
    )
    made = tuple(f"{family}." for family in [*families.split(), "advise"])
    assert [key for key in ENGLISH if not key.startswith(made) and not re.search(f"[\"']{re.escape(key)}[\"']", sources)] == []
