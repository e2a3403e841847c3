"""The one rule by which text becomes words."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.features.tokenize import is_cjk, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t—!?", []),
        ("The CAT, the Hat.", ["the", "cat", "the", "hat"]),
        ("don't can’t 'quoted' rock'n'roll", ["don't", "can't", "quoted", "rock'n'roll"]),
        ("in 2024: 3.14, 1,000,000 and v2.0.", ["in", "2024", "3.14", "1,000,000", "and", "v2.0"]),
        ("snake_case well-known", ["snake", "case", "well", "known"]),
        ("我爱NLP，很好", ["我", "爱", "nlp", "很", "好"]),
        ("カタカナ ひらがな", [*"カタカナ", *"ひらがな"]),
        ("한국어", ["한", "국", "어"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("می\u200cروم", ["می\u200cروم"]),
        ("❤️ love 👩‍🚀", ["love"]),
        ("STRASSE straße", ["strasse", "straße"]),
    ],
)
def test_the_rule_on_examples_of_many_scripts(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_mark_stays_with_the_ideograph_it_varies() -> None:
    assert words("葛\U000e0100城") == ["葛\U000e0100", "城"]


def test_composed_and_decomposed_spellings_are_one_word() -> None:
    assert words(unicodedata.normalize("NFD", "Crème brûlée 한글 が")) == words("crème brûlée 한글 が")


@given(st.text())
def test_words_of_the_joined_words_are_the_same_words(text: str) -> None:
    found = words(text)
    assert words(" ".join(found)) == found


@given(st.text())
def test_every_letter_and_digit_is_kept_in_order(text: str) -> None:
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    letters = [character for character in folded if character.isalnum()]
    assert [character for word in words(text) for character in word if character.isalnum()] == letters


@given(st.text())
def test_a_cjk_character_is_alone_in_its_word(text: str) -> None:
    for word in words(text):
        assert word
        assert sum(character.isalnum() and is_cjk(character) for character in word) <= 1


@given(st.text())
def test_no_mark_after_a_letter_is_lost(text: str) -> None:
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", "a" + text).lower())
    leading = folded[
        1 : 1 + next((i for i, c in enumerate(folded[1:]) if not unicodedata.category(c).startswith("M")), len(folded))
    ]
    assert words("a" + text)[0].startswith(folded[0] + leading)
