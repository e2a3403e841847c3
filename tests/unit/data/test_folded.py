"""The compiled folding of words says what the plain one says."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.folded import fold_texts
from acclimate.data.words import _IS_UNSPACED, folded_words, is_unspaced

TURNS = "aZ09'_- \t\n.Ｇ①ﬀßİﷺ好々〇ヶー\u0301\u200d👍\U00020000é\x00"
TEXTS = st.lists(st.one_of(st.text(max_size=30), st.text(TURNS, max_size=30), st.text("aB1', \n", max_size=40)), max_size=6)
M = 2**64


def mixed(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % M
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % M
    return z ^ (z >> 31)


def hashed(word: str) -> int:
    state = 0xCBF29CE484222325
    for byte in word.encode("utf-8", "surrogatepass"):
        state = (state ^ byte) * 0x100000001B3 % M
    return mixed(state)


def whole(words: list[str]) -> int:
    state = 0xCBF29CE484222325
    for word in words:
        state = mixed((state + hashed(word)) % M)
    return state


@settings(deadline=None)  # the first call compiles
@given(TEXTS)
def test_words_and_wholes_are_those_of_the_plain_rule(texts: list[str]) -> None:
    folded = fold_texts(texts)
    words = [folded_words(text) for text in texts]
    assert [folded.words[a:b].tolist() for a, b in itertools.pairwise(folded.starts)] == [[*map(hashed, one)] for one in words]
    assert folded.unspaced.tolist() == [is_unspaced(word) for one in words for word in one]
    assert folded.wholes.tolist() == [whole(one) for one in words]


def test_characters_without_spaces_are_those_of_the_plain_rule() -> None:
    letters = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]
    found = [letter for letter in letters if folded_words(letter) == [letter]]
    folded = fold_texts(found)
    assert folded.starts.tolist() == list(range(len(found) + 1))
    assert folded.unspaced.tolist() == [_IS_UNSPACED.match(letter) is not None for letter in found]


@pytest.mark.parametrize("texts", [[], [""], ["?!"], ["", "a", ""]])
def test_nothing_folds_to_nothing(texts: list[str]) -> None:
    folded = fold_texts(texts)
    assert len(folded) == len(texts)
    assert np.diff(folded.starts).tolist() == [len(folded_words(text)) for text in texts]
