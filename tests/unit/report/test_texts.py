import dataclasses

import outcomes
import pytest

from acclimate.report.sections.provenance import generated
from acclimate.report.texts import mark_changes, printable, trim
from acclimate.strategy.outcome import GeneratedExample


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        ("a good film", "a truly good film"),
        ("", "new"),
        ("same", "same"),
        ("这家餐厅很好。", "这家饭馆很好。"),
        ("tabs\tand  spaces", "tabs and spaces"),
    ],
)
def test_pieces_join_to_the_texts_and_only_differing_words_are_marked(parent, child):
    left, right = mark_changes(parent, child)
    assert "".join(piece for piece, _ in left) == parent
    assert "".join(piece for piece, _ in right) == child
    assert [piece for piece, changed in left if not changed] == [piece for piece, changed in right if not changed]


def test_chinese_is_compared_character_by_character():
    assert mark_changes("服务非常好", "服务十分好")[1] == [("服务", False), ("十分", True), ("好", False)]


def test_trim_keeps_whole_words_and_cuts_endless_ones():
    assert trim("one two three", 20) == "one two three"
    assert trim("one two three four", 15) == "one two three…"
    assert trim("w" * 100, 10) == "w" * 10 + "…"


def test_trim_puts_a_text_on_one_line_and_leaves_emoji_alone():
    assert trim("a\r\n\tb\u2028c 👩‍🚀 \x00\x07") == "a b c 👩‍🚀"


def test_printable_removes_what_html_forbids_and_nothing_else():
    assert printable("a\x00b\x1bc\n\u202e\ud800") == "abc\n\u202e"
    assert printable(3) == 3


def test_a_long_pair_is_compared_before_it_is_cut():
    parent = "one two " + "same " * 200
    example = GeneratedExample("arm", "eda", "a", parent, parent.removeprefix("one "))
    (shown,) = generated(dataclasses.replace(outcomes.bare(), generated=[example]))["arm"]
    assert [text for text, changed in shown.parent + shown.child if changed] == ["one "]
    assert [sum(len(text) for text, _ in side) for side in (shown.parent, shown.child)] == [358 + 1, 359 + 1]
