"""Noise: each kind of error does what its name says, and no letter loses its marks."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.augment.expand.layout import parse
from acclimate.augment.expand.noise import ERRORS, Error, Noise, misspell
from acclimate.augment.expand.typing_errors import (
    KEYBOARDS,
    OCR_PAIRS,
    double,
    drop,
    letters_of,
    misread,
    mistype,
    neighbours,
    transpose,
)
from acclimate.data.domain import from_columns
from acclimate.data.homophones import homophones


def every(text: str, kind: Error, sounds: Mapping[str, str] | None = None, rate: float = 0.01) -> set[str]:
    layout = parse(text)
    return {misspell(layout, rate, [kind], "qwerty", sounds or {}, random.Random(seed).random) for seed in range(300)}


@pytest.mark.parametrize("layout", sorted(KEYBOARDS))
def test_neighbouring_keys_neighbour_each_other(layout: str) -> None:
    near = neighbours(layout)  # type: ignore[arg-type]
    assert all(letter in near[other] for letter, others in near.items() for other in others)
    assert all(2 <= len(others) <= 6 and letter not in others for letter, others in near.items())
    expected = {"qwerty": ("a", "qswz"), "azerty": ("a", "qz"), "qwertz": ("y", "asx")}[layout]
    assert set(near[expected[0]]) == set(expected[1])


def test_a_mistyped_letter_keeps_its_case() -> None:
    assert {mistype("A", {"a": "qs"}, random.Random(seed).random) for seed in range(50)} == {"Q", "S"}
    assert mistype("你", {"a": "qs"}, random.Random(0).random) is None


def test_misreadings_go_both_ways() -> None:
    assert {misread("corn", random.Random(seed).random) for seed in range(300)} >= {"com", "eorn", "carn"}
    assert misread("xyx", random.Random(0).random) is None
    assert all(one != other for one, other in OCR_PAIRS)


def test_doubling_dropping_and_transposing_leave_the_ends_of_a_word() -> None:
    assert {double("abc", random.Random(seed).random) for seed in range(100)} == {"aabc", "abbc", "abcc"}
    assert {drop("abcd", random.Random(seed).random) for seed in range(100)} == {"acd", "abd"}
    assert {transpose("abcde", random.Random(seed).random) for seed in range(100)} == {"acbde", "abdce"}
    assert drop("ab", random.Random(0).random) is None
    assert transpose("abc", random.Random(0).random) is None


@given(st.text(alphabet="abé\u0301\u0300नमस्ते", min_size=1, max_size=12), st.integers(0, 20))
def test_no_mark_is_torn_from_its_letter(word: str, seed: int) -> None:
    word = "a" + word  # a word begins with a letter
    letters = set(letters_of(word))
    for change in (double, drop, transpose):
        new = change(word, random.Random(seed).random)
        assert new is None or set(letters_of(new)) <= letters


def test_chinese_errors_work_character_by_character() -> None:
    assert every("甲乙", "insert") == {"甲甲乙", "甲乙乙"}
    assert every("甲乙", "delete") == {"甲", "乙"}
    assert every("甲", "delete") == {"甲"}
    assert every("甲乙，丙", "swap") == {"乙甲，丙"}
    assert every("甲乙", "homophone", {"甲": "假贾"}) == {"假乙", "贾乙"}
    assert every("甲乙", "keyboard") == {"甲乙"}


@pytest.mark.parametrize("kind", ERRORS)
def test_the_rate_sets_how_many_words_are_misspelt(kind: Error) -> None:
    words = ["corners"] * 20
    sounds = {"corners": "x"}
    for text in every(" ".join(words), kind, sounds, rate=0.25):
        assert sum(one != other for one, other in zip(text.split(), words, strict=True)) == (0 if kind == "homophone" else 5)


def test_an_error_that_cannot_act_leaves_its_turn_to_another() -> None:
    grown = Noise(errors=("homophone", "keyboard")).expand(from_columns("p", ["good"], ["x"]), times=10, seed=0)
    assert "good" not in grown.texts


@pytest.mark.assets
def test_homophones_sound_alike_and_are_common() -> None:
    sounds = homophones()
    assert "在" in sounds["再"]
    assert "再" in sounds["在"]
    assert all(len(own) == 1 and own not in others for own, others in sounds.items())
    assert len(sounds) > 3000
