"""The index finds what an exhaustive comparison finds, sees through easy data augmentation, and leaves short texts alone."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.near_duplicates import SHARED_WORDS, THRESHOLD, TwinIndex
from acclimate.data.words import folded_words, is_unspaced, normalised

VOCABULARY = [f"w{index}" for index in range(400)]


def _documents(count: int, rng: np.random.Generator) -> list[list[str]]:
    return [[str(word) for word in rng.choice(VOCABULARY, rng.integers(8, 60))] for _ in range(count)]


def _augmented(document: list[str], operation: str, rng: np.random.Generator) -> list[str]:
    """What easy data augmentation (Wei and Zou 2019) does to a document, with alpha = 0.1."""
    changed, count = list(document), max(1, len(document) // 10)
    for place in rng.choice(len(document), count, replace=False):
        match operation:
            case "replace":
                changed[place] = str(rng.choice(VOCABULARY))
            case "insert":
                changed.insert(int(place), str(rng.choice(VOCABULARY)))
            case "swap":
                other = rng.integers(len(document))
                changed[place], changed[other] = changed[other], changed[place]
            case "delete":
                changed[place] = ""
    return [word for word in changed if word]


def _exhaustive(text: str, references: list[str]) -> float:
    """The largest similarity by the definition, over all references."""
    mine = Counter(folded_words(text))
    best = 0.0
    for reference in references:
        theirs = Counter(folded_words(reference))
        both = mine & theirs
        if sum(count * (1 if is_unspaced(word) else 2) for word, count in both.items()) >= 2 * SHARED_WORDS:
            best = max(best, both.total() / max(mine.total(), theirs.total()))
    return best


@pytest.mark.parametrize("operation", ["replace", "insert", "swap", "delete"])
def test_children_of_easy_data_augmentation_are_recognised(operation: str) -> None:
    rng = np.random.default_rng(5)
    documents = _documents(200, rng)
    children = [" ".join(_augmented(document, operation, rng)) for document in documents]
    twins, similarity = TwinIndex([" ".join(document) for document in documents]).find(children)
    assert (twins == np.arange(200)).mean() > 0.97
    assert similarity.min() == 0 or similarity.min() >= THRESHOLD


def test_the_index_agrees_with_an_exhaustive_comparison() -> None:
    rng = np.random.default_rng(6)
    documents = _documents(120, rng)
    references = [" ".join(document) for document in documents]
    texts = [" ".join(_augmented(_augmented(document, "replace", rng), "delete", rng)) for document in documents]
    texts += [" ".join(document) for document in _documents(120, rng)]
    _, similarity = TwinIndex(references).find(texts)
    expected = np.array([best if (best := _exhaustive(text, references)) >= THRESHOLD else 0.0 for text in texts])
    assert similarity.tolist() == expected.tolist()


words = st.sampled_from(["red", "blue", "green", "ox", "owl", "sun", "sea", "好", "天"])
documents = st.lists(words, max_size=16).map(" ".join)


@settings(max_examples=200, deadline=None)  # the first call compiles
@given(st.lists(documents, max_size=12), st.lists(documents, max_size=8))
def test_no_pair_is_missed_and_of_equals_the_first_is_given(texts: list[str], references: list[str]) -> None:
    twins, similarity = TwinIndex(references).find(texts)
    for row, text in enumerate(texts):
        alike = [_exhaustive(text, [reference]) for reference in references]
        best = max(alike, default=0.0)
        assert (twins[row], similarity[row]) == ((alike.index(best), best) if best >= THRESHOLD else (-1, 0.0))


def test_a_quoted_phrase_and_a_short_remark_are_no_duplicates() -> None:
    index = TwinIndex(["I love this film", "the sun rose over the hills and the river shone in the morning light of may"])
    twins, _ = index.find(["I love this song", "the sun rose over the hills", "", "?!"])
    assert twins.tolist() == [-1, -1, -1, -1]


def test_chinese_text_is_compared_by_characters_and_needs_more_of_them() -> None:
    index = TwinIndex(["这家酒店的位置非常好服务也很周到", "电影很好看"])
    twins, _ = index.find(["这家酒店的位置特别好，服务也很周到！", "电影不好看"])
    assert twins.tolist() == [0, -1]


def test_an_answer_does_not_depend_on_the_neighbours_of_a_text() -> None:
    rng = np.random.default_rng(7)
    documents = [" ".join(document) for document in _documents(60, rng)]
    index = TwinIndex(documents[:30])
    together, scores = index.find(documents)
    alone = [index.find([text]) for text in documents]
    assert together.tolist() == [int(twins[0]) for twins, _ in alone]
    assert scores.tolist() == [float(similarity[0]) for _, similarity in alone]


def test_an_answer_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "from acclimate.data.near_duplicates import TwinIndex, _band_keys, bags_of\n"
        "print(_band_keys(bags_of(['a b c d e f g', 'ä ö']))[:, :9].tolist())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_thousands_of_copies_of_one_text_do_not_fill_the_memory() -> None:
    text = "the same old story told once again to all of us"
    twins, _ = TwinIndex([text] * 1500).find([text] * 1500)
    assert set(twins.tolist()) == {0}


@pytest.mark.parametrize("other", ["hello world", "HELLO\n\tWORLD", "“hello” — world…", "ｈｅｌｌｏ　ｗｏｒｌｄ", "Hello,World"])
def test_normalising_folds_case_width_spacing_and_punctuation(other: str) -> None:
    assert normalised(other) == normalised("Hello, world!")


def test_normalising_keeps_words_emoji_and_bare_signs_apart() -> None:
    forms = [normalised(text) for text in ("good 👍", "good 👎", "good", "?", "!", "很好", "不好")]
    assert len(set(forms)) == len(forms)
