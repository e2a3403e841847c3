"""EDA: what each operation does to a text, and what it leaves alone."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.augment.expand.eda import OPERATIONS, Eda
from acclimate.augment.expand.layout import join, parse
from acclimate.augment.expand.operations import delete, insert, replace, swap
from acclimate.augment.expand.protected import Protection, is_negation
from acclimate.augment.expand.thesaurus import Thesaurus
from acclimate.data.domain import from_columns

ENGLISH = {"good": ("fine", "not bad", "well made"), "film": ("movie",), "the": ("das",), "big": ("large",)}
CHINESE = {"电影": ("影片",), "精彩": ("出色", "不赖"), "演员": ("艺人",), "的": ("之",)}
THESAURUS = Thesaurus([ENGLISH, CHINESE])


def every(operation: str, text: str, rate: float = 0.1, seeds: int = 200) -> set[str | None]:
    layout = parse(text, THESAURUS, Protection(keep=()))
    return {OPERATIONS[operation](layout, rate, random.Random(seed).random) for seed in range(seeds)}


@given(st.text(), st.sampled_from(["", "电影 精彩"]))
def test_a_layout_joins_to_the_very_text(text: str, lexicon: str) -> None:
    layout = parse(text, Thesaurus([dict.fromkeys(lexicon.split(), ("x",))]))
    assert join(layout.words, layout.gaps) == text
    assert len(layout.gaps) == len(layout.words) + 1
    assert all(layout.words)


def test_chinese_is_cut_into_the_longest_known_words() -> None:
    assert parse("这电影很精彩。", THESAURUS).words == ["这", "电影", "很", "精彩"]
    assert parse("这电影").words == ["这", "电", "影"]


def test_korean_words_addresses_and_mentions_stay_whole() -> None:
    assert parse("한국어 문장 https://x.co/a?b=1 @tom #fun").words == ["한국어", "문장", "https://x.co/a?b=1", "@tom", "#fun"]
    assert parse("한국어 문장 https://x.co/a?b=1 @tom #fun").free == [0, 1]


def test_an_ideograph_keeps_its_variation_selector() -> None:
    assert parse("城葛\U000e0100市").words == ["城", "葛\U000e0100", "市"]


def test_replacement_keeps_case_and_layout_and_skips_function_words_and_negating_synonyms() -> None:
    assert every("replace", "The film,  GOOD!") == {"The movie,  GOOD!", "The film,  FINE!", "The film,  WELL MADE!"}
    assert every("replace", "Film: 精彩的电影") == {"Movie: 精彩的电影", "Film: 出色的电影", "Film: 精彩的影片"}


def test_the_rate_sets_how_many_words_are_replaced() -> None:
    text = " ".join(["big"] * 20)
    for new in every("replace", text, rate=0.25):
        assert Counter((new or "").split()) == {"big": 15, "large": 5}


def test_insertion_adds_synonyms_and_keeps_every_word_and_mark() -> None:
    assert every("insert", "A film, seen.") == {"A movie film, seen.", "A film movie, seen.", "A film, seen movie."}
    assert every("insert", "看电影。") == {"看影片电影。", "看电影影片。"}


def test_a_swap_keeps_the_words_and_the_punctuation() -> None:
    found = every("swap", "one, two; three!")
    assert found <= {"two, one; three!", "three, two; one!", "one, three; two!", None}
    assert len(found) >= 3
    assert every("swap", "same same") == {None}


def test_chinese_words_swap_with_neighbours_only() -> None:
    assert every("swap", "甲乙，丙丁") == {"乙甲，丙丁", "甲乙，丁丙"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one, two three.", {"two three.", "one, three.", "one, two."}),
        ("one (two) three", {"(two) three", "one () three", "one (two)"}),
        ("甲乙。", {"乙。", "甲。"}),
        ("one\ntwo three", {"two three", "one\nthree", "one\ntwo"}),
    ],
)
def test_deletion_leaves_clean_spaces(text: str, expected: set[str]) -> None:
    assert every("delete", text, rate=1e-9) == expected


def test_deletion_never_takes_the_last_word() -> None:
    assert every("delete", "one two", rate=0.99) == {"one", "two"}
    assert every("delete", "one", rate=0.99) == {None}


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
@pytest.mark.parametrize(
    "text",
    [
        "It is not good and a big film",
        "I don't like a big film",
        "I don\u2019t like big film",
        "a film without big",
        "这电影不精彩，演员好",
    ],
)
def test_a_negation_keeps_its_place_before_its_word(operation: str, text: str) -> None:
    layout = parse(text, THESAURUS)
    negation = next(position for position, word in enumerate(layout.words) if is_negation(word))
    kept = "".join(layout.words[negation]) + layout.gaps[negation + 1] + layout.words[negation + 1]
    for new in every(operation, text, rate=0.5):
        assert new is not None
        assert kept in new


def test_numbers_are_kept_unless_asked_otherwise() -> None:
    assert parse("room 12 mg or 3.5").free == [0, 3]
    assert parse("room 12 mg or 3.5", protection=Protection(keep=())).free == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("operation", [replace, insert, swap, delete])
@given(text=st.text(max_size=40), seed=st.integers(0, 9))
def test_any_text_gives_a_text_and_the_same_one_for_the_same_draws(
    operation: Callable[..., str | None], text: str, seed: int
) -> None:
    layout = parse(text, THESAURUS)
    first, second = (operation(layout, 0.3, random.Random(seed).random) for _ in range(2))
    assert first == second
    assert first is None or first
    assert join(layout.words, layout.gaps) == text


@pytest.mark.parametrize(("operation", "change"), [("swap", 0), ("delete", -1)])
def test_an_operation_alone_does_nothing_else(operation: str, change: int) -> None:
    parents = from_columns("p", ["alpha beta gamma delta"], ["x"])
    for text in Eda(operations=(operation,), synonyms="none").expand(parents, times=8, seed=0).texts:  # type: ignore[arg-type]
        assert len(text.split()) == 4 + change
        assert set(text.split()) <= {"alpha", "beta", "gamma", "delta"}


def test_copies_take_turns_over_the_operations() -> None:
    parents = from_columns("p", ["alpha beta gamma delta"], ["x"])
    lengths = [len(text.split()) for text in Eda(synonyms="none").expand(parents, times=8, seed=0).texts]
    # Replace leaves its turn to swap and insert to delete, so that every second copy has lost a word.
    assert [length < 4 for length in lengths] == [lengths[0] < 4, lengths[0] == 4] * 4


def test_texts_that_cannot_change_are_counted() -> None:
    grown = Eda(synonyms="none").expand(from_columns("p", ["word", "two words"], ["x", "y"]), times=2, seed=0)
    assert "new texts that equal their parent, as nothing in them could be changed: 2" in grown.notes


def test_copies_that_repeat_each_other_are_counted() -> None:
    grown = Eda(operations=("swap",), synonyms="none").expand(from_columns("p", ["red blue"], ["x"]), times=3, seed=0)
    assert grown.notes == ("new texts that repeat another copy of their parent: 2",)


@pytest.mark.assets
def test_packaged_synonyms_serve_english_and_chinese() -> None:
    parents = from_columns("p", ["A good film about a happy city.", "这部电影非常精彩。"], ["x", "y"])
    grown = Eda(operations=("replace",)).expand(parents, times=6, seed=0)
    assert not any("that equal their parent" in note or "no synonyms" in note for note in grown.notes)
    assert all(text.startswith("A ") and text.endswith(".") for text in grown.texts[:6])
    assert all(text.endswith("。") and text != parents.texts[1] for text in grown.texts[6:])


def test_synonyms_that_cannot_be_had_are_announced(tmp_path: Path) -> None:
    code = (
        "from acclimate.augment.run import augment\n"
        "from acclimate.data.domain import from_columns\n"
        "grown = augment(from_columns('p', ['some words to change']), times=2)\n"
        "print(len(grown), *grown.notes)"
    )
    environment = {**os.environ, "ACCLIMATE_HOME": str(tmp_path), "PIP_NO_INDEX": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("2 no synonyms from wordnet, so its words are never replaced: ")
