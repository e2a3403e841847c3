"""Nothing trainable repeats what is measured; the test itself never changes; order does not matter."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.domain import Domain, from_columns
from acclimate.data.hygiene import CLIP, EXAMPLES, clean, without_repeats
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError

TEST = [
    "The committee met on Tuesday to discuss the new budget for public schools in the city",
    "Hello, World!",
    "She sells sea shells by the sea shore and he buys them every single morning",
    "Hello, World!",
]
FRESH = ["An entirely unrelated remark about volcanoes", "Yet another remark, this time about trains and stations"]


def _target(
    labelled: list[str],
    test: list[str],
    *,
    unlabelled: list[str] | None = None,
    validation: list[str] | None = None,
    origins: list[str] | None = None,
) -> Target:
    return Target(
        name="t",
        labelled=from_columns("labelled", labelled, ["x"] * len(labelled), origins=origins),
        unlabelled=from_columns("unlabelled", unlabelled or []),
        test=Sealed(from_columns("test", test, ["x"] * len(test)), "test"),
        classes=("x",),
        validation=Sealed(from_columns("validation", validation, ["x"] * len(validation)), "validation") if validation else None,
    )


def test_each_kind_of_repetition_is_removed_from_each_place_and_counted() -> None:
    near = TEST[0].replace("committee", "panel").replace("public ", "")
    source = from_columns("pool", [TEST[2], "hello world", near, *FRESH])
    target = _target([*FRESH, TEST[1]], TEST, unlabelled=[near, "ＨＥＬＬＯ　ＷＯＲＬＤ", *FRESH])
    cleaned, target = clean(source, target)
    assert cleaned is not None
    assert cleaned.texts == FRESH
    assert target.labelled.texts == FRESH
    assert target.unlabelled.texts == FRESH
    assert target.hygiene["removed"] == {
        "labelled": {"exact": 1, "normalised": 0, "descendant": 0, "near": 0, "passage": 0},
        "unlabelled": {"exact": 0, "normalised": 1, "descendant": 0, "near": 1, "passage": 0},
        "source": {"exact": 1, "normalised": 1, "descendant": 0, "near": 1, "passage": 0},
    }
    assert target.hygiene["total"] == 6
    assert target.hygiene["checked"] == {"labelled": 3, "unlabelled": 4, "source": 5, "test": 4}


def test_the_test_is_left_as_it_is_and_its_own_duplicates_are_counted() -> None:
    target = _target(FRESH, [*TEST, "hello world"])
    _, cleaned = clean(None, target)
    assert cleaned.test is target.test
    assert cleaned.hygiene["inside_test"] == {"exact": 1, "normalised": 1}


def test_validation_guards_the_trainable_rows_and_is_itself_guarded_from_the_test() -> None:
    target = _target([FRESH[0], FRESH[1]], TEST, validation=[FRESH[1].upper(), TEST[0], "something only validation has got here"])
    _, cleaned = clean(None, target)
    assert cleaned.labelled.texts == [FRESH[0]]
    assert cleaned.validation is not None
    assert cleaned.validation.inputs.texts == [FRESH[1].upper(), "something only validation has got here"]
    assert cleaned.hygiene["removed"]["validation"]["exact"] == 1
    assert cleaned.hygiene["examples"]["normalised"][0]["twin_place"] == "validation"


@pytest.mark.parametrize(
    ("labelled_parents", "test_parents"),
    [(["test:2"], []), ([], ["labelled:0"]), (["root"], ["root"])],
    ids=["child of a test row", "parent of a test row", "sibling of a test row"],
)
def test_relatives_of_test_rows_are_removed_however_unlike_they_look(labelled_parents: list[str], test_parents: list[str]) -> None:
    def origin(parents: list[str]) -> str | None:
        return orjson.dumps({"method": "paraphrase", "parents": parents}).decode() if parents else None

    target = _target(FRESH, TEST, origins=[origin(labelled_parents), None])  # type: ignore[list-item]
    test = from_columns("test", TEST, ["x"] * 4, origins=[None, None, origin(test_parents), None])  # type: ignore[list-item]
    _, cleaned = clean(None, dataclasses.replace(target, test=Sealed(test, "test")))
    assert cleaned.labelled.texts == [FRESH[1]]
    assert cleaned.hygiene["removed"]["labelled"]["descendant"] == 1
    assert cleaned.hygiene["examples"]["descendant"][0]["twin_id"] == "test:2"


def test_the_labels_of_the_test_play_no_part() -> None:
    target = _target([*FRESH, TEST[0]], TEST)
    corrupted = dataclasses.replace(target, test=Sealed(from_columns("test", TEST, ["y", "z", "y", "z"]), "test"))
    assert clean(None, target)[1].hygiene == clean(None, corrupted)[1].hygiene


def test_the_report_is_json_bounded_and_shows_what_met_what() -> None:
    long = "word " * 200
    target = _target([*FRESH, *([TEST[1]] * (EXAMPLES + 5)), long + "end"], [*TEST, long])
    _, cleaned = clean(None, target)
    report = json.loads(orjson.dumps(cleaned.hygiene))
    assert len(report["examples"]["exact"]) == EXAMPLES
    assert len(report["examples"]["near"][0]["twin_text"]) == CLIP
    assert report["examples"]["exact"][0] == {
        "place": "labelled",
        "id": "labelled:10",
        "text": "Hello, World!",
        "twin_place": "test",
        "twin_id": "test:1",
        "twin_text": "Hello, World!",
        "similarity": 1.0,
    }


def test_nothing_to_learn_from_is_an_error_that_says_why() -> None:
    with pytest.raises(InputError, match=r"All 1 labelled examples of 't' repeat .*before augmenting"):
        clean(None, _target([TEST[0]], TEST))


def test_cleaning_twice_changes_nothing_and_keeps_notes() -> None:
    source = dataclasses.replace(from_columns("pool", [TEST[0], *FRESH]), notes=("guessed",), skipped=2)
    once, target = clean(source, _target(FRESH, TEST))
    assert once is not None
    assert (once.notes, once.skipped) == (("guessed",), 2)
    twice, target = clean(once, target)
    assert twice is once
    assert target.hygiene["total"] == 0


def test_an_empty_test_removes_nothing() -> None:
    source = from_columns("pool", FRESH)
    assert clean(source, _target(FRESH, []))[0] is source


words = st.sampled_from(["red", "blue", "green", "ox", "owl", "sun", "sea"])
documents = st.lists(words, min_size=1, max_size=12).map(" ".join)


@settings(max_examples=30, deadline=None)
@given(pool=st.lists(documents, min_size=1, max_size=12), test=st.lists(documents, min_size=1, max_size=6), seed=st.integers(0, 9))
def test_what_is_removed_does_not_depend_on_the_order_of_rows(pool: list[str], test: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)

    def shuffled(domain: Domain) -> Domain:
        return domain.take(rng.permutation(len(domain)))

    source, target = from_columns("pool", pool), _target(["volcanoes and trains"], test)
    sealed = from_columns("test", test, ["x"] * len(test))
    reordered = dataclasses.replace(target, test=Sealed(shuffled(sealed), "test"))
    cleaned, first = clean(source, target)
    cleaned_other, second = clean(shuffled(source), reordered)
    assert cleaned is not None
    assert cleaned_other is not None
    assert sorted(cleaned.ids) == sorted(cleaned_other.ids)
    assert first.hygiene == second.hygiene
    assert set(cleaned.texts).isdisjoint(test)


def test_a_source_is_kept_apart_from_what_folds_hold_out() -> None:
    clinic = from_columns("clinic", ["the nurse was kind and quick today", "the ward was cold and loud at night"], ["good", "bad"])
    source = from_columns("pool", ["The nurse was KIND and quick today!", "a parcel that came late and broken"], ["good", "bad"])
    assert without_repeats(source, clinic).texts == ["a parcel that came late and broken"]
