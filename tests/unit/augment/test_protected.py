"""What no method may change, and what has to come through a rewording."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.augment.expand.layout import join, parse
from acclimate.augment.expand.protected import Protection, is_number

NAMES = Protection(("entities",))


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("Yesterday we met Ann Lee-Smith in Paris.", ["Ann Lee-Smith", "Paris"]),
        ("The iPhone and the B2B shop", ["iPhone", "B2B"]),
        ("He came. She left. It was He", ["He"]),
        ("I think I am fine", []),
        ("THIS IS SHOUTED", []),
        ("我看了《红楼梦》这本书", ["《红楼梦》"]),
        ("we saw Ärzte today", ["Ärzte"]),
    ],
)
def test_names_are_told_by_their_spelling(text: str, spans: list[str]) -> None:
    assert [text[start:stop] for start, stop in NAMES.spans(text)] == spans


@given(st.text(max_size=60), st.sampled_from(["a", "[a-c]+", "b.", r"\d+", "的"]))
def test_a_protected_span_is_one_word_that_nothing_may_touch(text: str, pattern: str) -> None:
    protection = Protection(("numbers", "entities"), (pattern,))
    layout = parse(text, protection=protection)
    assert join(layout.words, layout.gaps) == text
    spans = {text[start:stop] for start, stop in protection.spans(text)}
    assert spans <= set(layout.words)
    assert not spans & {layout.words[position] for position in layout.free} or any(layout.words.count(span) > 1 for span in spans)


@pytest.mark.parametrize(
    ("word", "number"), [("7", True), ("7up", True), ("Hundred", True), ("三百", True), ("一样", False), ("one", False)]
)
def test_numbers_in_figures_and_words(word: str, number: bool) -> None:
    assert is_number(word) is number


@pytest.mark.parametrize(
    ("parent", "text", "survives"),
    [
        ("take 20 mg", "20 mg are to be taken", True),
        ("take 20 mg", "take 200 mg", False),
        ("take 20 mg or 20 ml", "take 20 mg", False),
        ("see www.x.org now", "now see www.x.org", True),
        ("see @ann", "see ann", False),
        ("吃三片药", "药要吃三片", True),
        ("three pills", "3 pills", False),
        ("we met Bob", "Bob was met", True),
        ("we met Bob", "Bobby was met", False),
        ("not good", "bad", True),
    ],
)
def test_what_has_to_come_through_a_rewording(parent: str, text: str, survives: bool) -> None:
    assert Protection(("numbers", "entities")).survives(parent, text) is survives
