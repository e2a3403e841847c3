"""What every augmenter of pictures keeps to; a new one is tested by being listed in METHODS."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from acclimate.augment import METHODS
from acclimate.augment.run import augment as guarded
from acclimate.data.domain import from_columns, from_images
from acclimate.data.images import encoded, pixels
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from tests.unit.augment.image.image_parents import (
    LEARNED,
    NAMES,
    QUICK,
    STYLES,
    digest,
    grow,
    is_grey,
    make_parents,
    make_style,
)

#: What methods make, before any guard.
augment = functools.partial(guarded, guard="none")

PARENTS = make_parents()
#: Policies may draw nothing that changes a picture, and a filter may be too weak for a small one.
MAY_KEEP = ("randaugment", "trivialaugment", "autoaugment", "kernel-filter")


@pytest.mark.parametrize("name", NAMES)
def test_ids_labels_domains_and_other_columns_follow_the_parent(name: str) -> None:
    grown = grow(name, PARENTS)
    assert grown.ids == [f"{parent}~{name}~{copy}" for parent in PARENTS.ids for copy in (1, 2, 3)]
    assert grown.labels == [label for label in PARENTS.labels for _ in range(3)]
    assert set(grown.domains) == {"ward"}
    assert grown.table.column("page").to_pylist() == [row for row in range(len(PARENTS)) for _ in range(3)]


@pytest.mark.parametrize("name", NAMES)
def test_size_stays_and_what_is_grey_stays_grey(name: str) -> None:
    grown = grow(name, PARENTS)
    for row, image in enumerate(grown.images):
        parent = PARENTS.images[row // 3]
        assert pixels(image).shape == pixels(parent).shape
        if name not in (*STYLES, "neural"):  # a style or a partner brings its colours
            assert is_grey(image) or not is_grey(parent)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_change_and_copies_differ(name: str) -> None:
    """Of the pictures that have room for a change."""
    grown = grow(name, PARENTS.take([0, 1, 2, 3]), times=8, training=PARENTS)
    parents = [parent for parent in PARENTS.images[:4] for _ in range(8)]
    changed = [(pixels(new) != pixels(old)).any() for new, old in zip(grown.images, parents, strict=True)]
    assert all(changed) if name not in MAY_KEEP else sum(changed) > 20
    assert len(set(grown.images[:8])) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_the_origin_is_complete_and_leads_back_to_the_picture(name: str) -> None:
    grown = grow(name, PARENTS, seed=4)
    origin = orjson.loads(grown.table.column("origin")[4].as_py())
    assert {"copy", "method", "parents", "seed", "settings"} <= set(origin)
    assert (origin["method"], origin["parents"][0], origin["seed"], origin["copy"]) == (name, "p:1", 4, 2)
    assert QUICK.get(name, {}).items() <= origin["settings"].items()
    if name in LEARNED:
        assert sorted(origin["parents"]) == sorted(PARENTS.ids)
    elif name in STYLES:
        assert origin["parents"][1:] == [origin["drawn"]["style"]]
    else:
        assert origin["parents"] == ["p:1"]
        assert origin["drawn"]["steps"]
    own: dict[str, Any] = {"style": make_style()} if name in STYLES else {}
    again = METHODS[name](**origin["settings"], **own).expand(PARENTS, times=2, seed=4)
    assert again.images[3] == grown.images[4]


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_depends_on_seed_parent_copy_and_what_was_learned_alone(name: str) -> None:
    whole = grow(name, PARENTS, training=PARENTS)
    assert digest(grow(name, PARENTS, training=PARENTS)) == digest(whole)
    assert grow(name, PARENTS, training=PARENTS, seed=1).images != whole.images
    assert grow(name, PARENTS.take([3]), training=PARENTS).images == whole.images[9:12]
    assert grow(name, PARENTS, training=PARENTS, times=5).images[:3] == whole.images[:3]
    order = list(reversed(range(len(PARENTS))))
    backwards = grow(name, PARENTS.take(order), training=PARENTS.take(order))
    assert backwards.images[:3] == whole.images[-3:]
    assert backwards.images[-3:] == whole.images[:3]


@pytest.mark.parametrize("name", NAMES)
def test_workers_do_not_change_a_byte(name: str) -> None:
    parents = make_parents(((6, 7),) * 70)
    assert digest(grow(name, parents, times=1, workers=2)) == digest(grow(name, parents, times=1))


def test_another_hash_seed_does_not_change_a_byte() -> None:
    code = (
        "from tests.unit.augment.image.image_parents import NAMES, digest, grow, make_parents\n"
        "print([digest(grow(name, make_parents())) for name in NAMES])"
    )
    root = Path(__file__).parents[4]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONHASHSEED": "123", "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([digest(grow(name, make_parents())) for name in NAMES])


@pytest.mark.parametrize("name", NAMES)
def test_no_parents_give_no_children_and_one_gives_its_own(name: str) -> None:
    grown = grow(name, PARENTS.take([]))
    assert len(grown) == 0
    assert {"id", "image", "label", "origin"} <= set(grown.table.column_names)
    assert len(grow(name, PARENTS.take([0]), times=2)) == 2


@pytest.mark.parametrize("name", NAMES)
def test_of_a_target_only_the_labelled_part_is_used(name: str) -> None:
    def make_target(test_label: str) -> Target:
        test = make_parents(((9, 9),), name=f"t{test_label}").take([0])
        return Target("p", PARENTS, PARENTS.without_labels(), Sealed(test, "test"), ("cat", "dog"), Sealed(test, "validation"))

    arguments = {"method": name, "times": 2, "style": make_style(), **QUICK.get(name, {})}
    first, second = (augment(make_target(label), **arguments) for label in "ab")
    assert digest(first) == digest(second) == digest(grow(name, PARENTS, times=2))


@pytest.mark.parametrize("name", STYLES)
def test_labels_of_style_pictures_are_not_looked_at(name: str) -> None:
    style = make_style()
    with_labels = METHODS[name](style=style).expand(PARENTS, 2, 0)
    assert digest(METHODS[name](style=style.without_labels()).expand(PARENTS, 2, 0)) == digest(with_labels)


@pytest.mark.parametrize("name", NAMES)
def test_every_method_describes_itself(name: str) -> None:
    method = METHODS[name]
    assert method.method == name
    assert method.paper
    assert method.modality == ("image",)
    assert method.summary.isascii()
    assert not method.summary_zh.isascii()
    assert "Use when" in (method.__doc__ or "")
    assert "Avoid when" in (method.__doc__ or "")


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="does not read the examples"):
        grow(name, from_columns("notes", ["The patient sleeps", "and wakes"], ["ill", "well"]))


@pytest.mark.parametrize("name", NAMES)
def test_fewer_than_one_copy_or_worker_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="set times to 1 or more"):
        grow(name, PARENTS, times=0)
    with pytest.raises(InputError, match="workers"):
        grow(name, PARENTS, workers=0)


@pytest.mark.parametrize("name", STYLES)
def test_a_method_of_style_asks_for_pictures(name: str) -> None:
    with pytest.raises(InputError, match="style="):
        augment(PARENTS, method=name)


@pytest.mark.parametrize("name", STYLES)
def test_a_picture_does_not_take_its_own_style_while_there_are_others(name: str) -> None:
    grown = METHODS[name](style=PARENTS).expand(PARENTS, 12, 0)
    chosen = [orjson.loads(origin)["parents"] for origin in grown.table.column("origin").to_pylist()]
    assert all(parent != style for parent, style in chosen)
    assert len({style for _, style in chosen}) == len(PARENTS)


@pytest.mark.parametrize("name", LEARNED)
def test_what_is_learned_from_needs_labels_and_the_class_asked_for(name: str) -> None:
    with pytest.raises(InputError, match="have no label"):
        grow(name, PARENTS.without_labels())
    stranger = from_images("s", [PARENTS.images[0]], ["fish"])
    with pytest.raises(InputError, match="'fish'"):
        grow(name, stranger, training=PARENTS)


def test_a_picture_alone_in_its_class_is_its_own_partner() -> None:
    grown = grow("neural", PARENTS.take([0]))
    assert [orjson.loads(origin)["drawn"]["partner"] for origin in grown.table.column("origin").to_pylist()] == ["p:0"] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "randaugment", "magnitude": 31}, "from 0 to 30"),
        ({"method": "randaugment", "magnitud": 3}, "did you mean 'magnitude'"),
        ({"method": "randaugment", "fill": 256}, "grey value"),
        ({"method": "geometric", "angle": 181}, "from 0 to 180"),
        ({"method": "kernel-filter", "filters": ()}, "without filters"),
        ({"method": "kernel-filter", "filters": ["blur"]}, "'filters'"),
        ({"method": "erasing", "area": (0.5, 0.4)}, "from 0 to 0.4"),
        ({"method": "autoaugment", "policy": "svhn"}, "'policy'"),
        ({"method": "trivialaugment", "fill": -1}, "grey value"),
        ({"method": "fourier", "beta": 0.5}, "from 0 to 0.499"),
        ({"method": "mean-std", "strength": 2}, "from 0 to 1"),
        ({"method": "gan", "side": 33}, "8, 16, 32 or 64"),
        ({"method": "neural", "side": 50}, "multiple of 8"),
        ({"method": "fourier", "style": None, "training": None}, "no setting 'training'"),
    ],
)
def test_a_wrong_name_or_value_is_explained(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        augment(PARENTS, **arguments)
    assert message in str(error.value)


def test_unchanged_pictures_are_counted() -> None:
    flat = from_images("f", [encoded(pixels(PARENTS.images[0]) * 0)], ["cat"])
    note, _ = augment(flat, method="kernel-filter", times=4).notes
    assert note.startswith("4 of 4")
