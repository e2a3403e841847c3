"""Balance: equal counts of classes by any expander."""

from __future__ import annotations

import functools
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.augment.expand.balance import copies_needed
from acclimate.augment.run import augment as guarded
from acclimate.augment.run import grow
from acclimate.data.domain import Domain, from_columns, from_images
from acclimate.data.images import encoded
from acclimate.errors import InputError

#: What methods make, before any guard.
augment = functools.partial(guarded, guard="none")

SIZES = {"many": 23, "some": 7, "one": 1}


def uneven() -> Domain:
    labels = [label for label, size in SIZES.items() for _ in range(size)]
    return from_columns("p", [f"the nurse number {row} was very good" for row in range(len(labels))], labels)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(1, 3), st.integers(0, 5))
def test_classes_come_out_even_and_copies_are_spread(labels: list[str], times: int, seed: int) -> None:
    copies = copies_needed([str(row) for row in range(len(labels))], labels, times, seed)
    largest = max(Counter(labels).values())
    for label in set(labels):
        mine = [count for count, own in zip(copies, labels, strict=True) if own == label]
        assert len(mine) + sum(mine) == times * largest
        assert max(mine) - min(mine) <= 1


@pytest.mark.parametrize("settings", [{"by": "eda", "settings": {"synonyms": "none"}}, {"by": "noise", "settings": {"alpha": 0.3}}])
def test_any_expander_balances(settings: dict[str, object]) -> None:
    parents = uneven()
    grown = augment(parents, method="balance", **settings)
    assert Counter([*parents.labels, *grown.labels]) == dict.fromkeys(SIZES, 23)
    origin = json.loads(grown.table.column("origin")[0].as_py())
    assert origin["method"] == "balance"
    assert origin["settings"]["by"] == settings["by"]
    assert set(origin["settings"]["settings"]) > {"alpha", "keep"}
    assert len(set(grown.ids)) == len(grown)
    assert all(name.split("~")[1] == "balance" for name in grown.ids)


def test_pictures_are_balanced_in_the_style_that_is_handed_on() -> None:
    rng = np.random.default_rng(0)
    cats, others = ([encoded(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)) for _ in range(5)] for _ in range(2))
    parents, style = from_images("p", cats, ["cat"] * 4 + ["dog"]), from_images("s", others)
    grown = augment(parents, method="balance", by="fourier", style=style)
    assert Counter([*parents.labels, *grown.labels]) == {"cat": 4, "dog": 4}
    origins = [json.loads(origin) for origin in grown.table.column("origin").to_pylist()]
    assert all(origin["parents"][0] == "p:4" and origin["parents"][1] in style.ids for origin in origins)
    assert all(origin["settings"].keys() == {"by", "settings"} for origin in origins)
    with pytest.raises(InputError, match="'eda' does not read"):
        augment(parents, method="balance")


def test_a_text_is_the_one_that_the_expander_makes_of_that_parent() -> None:
    parents = uneven()
    balanced = augment(parents, method="balance", seed=3, settings={"synonyms": "none"})
    plain = augment(parents, method="eda", seed=3, times=22, synonyms="none")
    text = dict(zip(plain.ids, plain.texts, strict=True))
    assert all(text[name.replace("~balance~", "~eda~")] == made for name, made in zip(balanced.ids, balanced.texts, strict=True))


def test_order_of_the_parents_does_not_matter() -> None:
    parents = uneven()
    backwards = parents.take(list(reversed(range(len(parents)))))
    one, other = (augment(d, method="balance", settings={"synonyms": "none"}) for d in (parents, backwards))
    assert dict(zip(one.ids, one.texts, strict=True)) == dict(zip(other.ids, other.texts, strict=True))


def test_even_classes_need_nothing() -> None:
    grown = augment(from_columns("p", ["a b", "c d"], ["x", "y"]), method="balance", settings={"synonyms": "none"})
    assert len(grown) == 0
    assert "origin" in grown.table.column_names
    assert len(augment(uneven().take([]), method="balance")) == 0


def test_others_come_in_place_of_those_that_guards_refuse() -> None:
    parents = from_columns("p", [f"open {word} gate at once" for word in ("big", "new", "old", "red") * 10], ["a"] * 36 + ["b"] * 4)
    found = grow(parents, method="balance", guard="repeated", settings={"operations": ["swap"], "alpha": 0.4, "synonyms": "none"})
    assert sum(found.counts.values()) > 0
    assert Counter([*parents.labels, *found.kept.labels]) == {"a": 36, "b": 36}
    assert len(set(found.kept.ids)) == len(found.kept)
    places = [parents.ids.index(name.split("~")[0]) for name in found.kept.ids]
    assert places == sorted(places)
    assert found.made == len(found.kept) + found.removed.num_rows


def test_what_cannot_be_evened_out_is_said() -> None:
    parents = from_columns("p", ["alone", "single", "lonely"], ["x", "x", "y"])
    found = grow(parents, method="balance", guard="unchanged", settings={"operations": ["swap"], "alpha": 0.4, "synonyms": "none"})
    assert any("still uneven" in note for note in found.notes)
