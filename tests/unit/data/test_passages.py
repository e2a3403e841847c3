"""Passages are found as a comparison word by word finds them; short, common and repetitive ones say nothing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from acclimate.data.domain import from_columns
from acclimate.data.hygiene import cleaning
from acclimate.data.passages import COMMON, RUN, SHARE, PassageIndex
from acclimate.data.target import Sealed, Target
from acclimate.data.words import folded_words
from acclimate.errors import InputError

VERSE = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
    "it was the epoch of belief"
)


def _found(references: list[str], *texts: str) -> list[int]:
    return PassageIndex(references).find(texts)[0].tolist()


def _share_word_by_word(reference: str, text: str) -> float:
    """How much of a long reference stands in a text, by comparing every run with every other."""
    sealed, mine = folded_words(reference), folded_words(text)
    covered = set()
    for here in range(len(sealed) - RUN + 1):
        if any(mine[there : there + RUN] == sealed[here : here + RUN] for there in range(len(mine) - RUN + 1)):
            covered |= set(range(here, here + RUN))
    return len(covered) / len(sealed)


def test_the_index_agrees_with_a_comparison_word_by_word() -> None:
    rng = np.random.default_rng(0)
    references = [" ".join(rng.choice([f"w{k}" for k in range(300)], rng.integers(RUN, 80))) for _ in range(40)]
    texts = []
    for reference in references:
        words = reference.split()
        cut = int(rng.integers(0, len(words)))
        noise = rng.choice([f"w{k}" for k in range(300)], 20).tolist()
        texts.append(" ".join([*noise, *words[cut:], *noise[::-1], *words[: cut // 2]]))
    twins, shares = PassageIndex(references).find(texts)
    expected = np.array([[_share_word_by_word(reference, text) for reference in references] for text in texts])
    best = expected.max(axis=1)
    assert 5 < (best >= SHARE).sum() < 40  # both kinds occur
    assert shares.tolist() == np.where(best >= SHARE, best, 0.0).tolist()
    assert twins.tolist() == np.where(best >= SHARE, expected.argmax(axis=1), -1).tolist()


@pytest.mark.parametrize(
    "text",
    [
        f"As he writes: «{VERSE.upper()}» — so far Dickens.",
        "\n".join(f"> {line}" for line in VERSE.split(", ")) + "\nI agree.",
        VERSE[: len(VERSE) // 2 + 20],
    ],
    ids=["within a text", "quoted line by line", "more than half of it"],
)
def test_a_text_that_holds_half_of_a_sealed_one_is_found(text: str) -> None:
    assert _found([VERSE], text) == [0]


@pytest.mark.parametrize(
    "text",
    [
        "it was the best of times it was the worst of times it",
        " ".join(sorted(VERSE.split())),
        "It was the best of times, we had, it was the worst of times, they had, it was the age of wisdom. " * 2,
        "",
    ],
    ids=["less than half", "the same words in another order", "runs that are too short", "nothing"],
)
def test_a_text_that_holds_less_is_not(text: str) -> None:
    assert _found([VERSE], text) == [-1]


def test_a_short_sealed_text_must_be_there_as_a_whole_and_a_shorter_one_is_left_alone() -> None:
    nine, seven = "One of the best films of that bad year", "A fine film for the whole family"
    assert _found([nine], f"Well: {nine}!", nine[:-5], f"{nine[:20]} and {nine[20:]}") == [0, -1, -1]
    assert _found([seven], f"Well: {seven}!") == [-1]


def test_two_chinese_characters_count_as_a_word() -> None:
    review = "这家酒店的位置非常好离地铁站只有五分钟前台的服务态度也很热情下次还会再来住"
    assert _found([review], f"朋友推荐的。{review}！", review[:27] + "可惜房间小了一点", review[:15] + "可惜房间小了一点") == [
        0,
        0,
        -1,
    ]
    assert _found(["速度快服务态度好给好评"], "物流速度快，服务态度好，给好评！") == [-1]
    assert _found(["性价比相当高配置均衡屏幕清晰待机长"], "总之性价比相当高，配置均衡，屏幕清晰，待机长。") == [0]


def test_boilerplate_and_laughter_say_nothing_but_copies_of_one_sealed_text_do() -> None:
    notice = "this message may contain confidential information and is intended only for the person to whom it is addressed"
    sealed = [f"note number {name} about {name} {notice}" for name in "abcdefghijklm"[: COMMON + 1]]
    assert _found(sealed, f"buy now {notice}") == [-1]
    assert _found(sealed[:COMMON], f"buy now {notice}") == [0]
    assert _found([VERSE] * (COMMON + 5), f"quoted: {VERSE}") == [0]
    assert _found(["ha " * 30], "ha " * 40) == [-1]


def test_an_answer_does_not_depend_on_neighbours_or_on_the_hash_seed() -> None:
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(["red", "blue", "green", "ox", "owl", "sun"], 60)) for _ in range(30)]
    index = PassageIndex([text[:120] for text in texts[:20]])
    together, _ = index.find(texts)
    assert (together >= 0).sum() == 20
    assert together.tolist() == [int(index.find([text])[0][0]) for text in texts]
    code = f"from acclimate.data.passages import PassageIndex\nprint(PassageIndex([{VERSE!r}])._hashes.tolist())"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def _target(labelled: list[str], test: list[str]) -> Target:
    sealed = from_columns("test", test, ["x"] * len(test))
    known = from_columns("labelled", labelled, ["x"] * len(labelled))
    return Target("t", known, from_columns("unlabelled", []), Sealed(sealed, "test"), ("x",))


def test_rows_that_hold_a_passage_of_the_test_or_of_a_further_test_are_removed_and_listed_in_full() -> None:
    benchmark = "Natalia sold clips to forty eight of her friends in April and then she sold half as many clips in May"
    long = " and so on" * 40
    source = from_columns("pool", [f"He began: {VERSE}{long}", f"Solve this. {benchmark} How many in all? {long}", "A quiet day."])
    target = _target(["A fine day at the sea"], [VERSE])
    done = cleaning(source, target, {"gsm8k": from_columns("gsm8k", [benchmark], ["answer"])})
    assert done.source is not None
    assert done.source.texts == ["A quiet day."]
    report = done.target.hygiene
    assert report["removed"]["source"] == {"exact": 0, "normalised": 0, "descendant": 0, "near": 0, "passage": 2}
    assert report["checked"] == {"labelled": 1, "unlabelled": 0, "source": 3, "test": 1, "gsm8k": 1}
    assert [(one["twin_place"], one["similarity"]) for one in report["examples"]["passage"]] == [("test", 1.0), ("gsm8k", 1.0)]
    table = done.to_table()
    assert table.column("text").to_pylist() == source.texts[:2]  # not cut, as the examples of the report are
    assert table.column("twin_id").to_pylist() == ["test:0", "gsm8k:0"]
    assert table.column("kind").to_pylist() == ["passage", "passage"]


def test_a_clean_source_gives_an_empty_table_and_a_further_test_needs_a_name_of_its_own() -> None:
    target = _target(["A fine day at the sea"], [VERSE])
    assert cleaning(from_columns("pool", ["A quiet day."]), target).to_table().num_rows == 0
    with pytest.raises(InputError, match="called 'source'"):
        cleaning(None, target, {"source": from_columns("x", ["y"])})
