"""What every offline augmenter keeps to; a new one is tested by being listed in METHODS."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from acclimate.augment import METHODS
from acclimate.augment.run import augment
from acclimate.data.domain import Domain, from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError

#: Settings under which a method needs nothing from the network.
OFFLINE: dict[str, dict[str, Any]] = {"eda": {"synonyms": "none"}}
NAMES = sorted(METHODS)

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "这部电影的剧情非常精彩，演员的表演也很好。",
    "한국어 문장은 띄어쓰기를 합니다.",
    "Crème brûlée 😀 at 3.5 €,\n\tsaid  Zoë!",
    "word",
    "",
    " \u200b…",
    "لغة عربية جميلة جدا",
]


def make_parents(texts: list[str] = TEXTS) -> Domain:
    labels = [("a", "b")[row % 2] for row in range(len(texts))]
    parents = from_columns("p", texts, labels, domains=["ward"] * len(texts))
    return parents.with_column("page", pa.array(range(len(texts))))


def grow(name: str, parents: Domain, **arguments: Any) -> Domain:
    return augment(parents, method=name, **{"times": 3, "guard": "none", **OFFLINE.get(name, {}), **arguments})


def digest(domain: Domain) -> str:
    rows = [domain.ids, domain.texts, domain.labels, domain.table.column("origin").to_pylist()]
    return hashlib.sha256(orjson.dumps(rows)).hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_ids_labels_domains_and_other_columns_follow_the_parent(name: str) -> None:
    parents = make_parents()
    grown = grow(name, parents)
    assert grown.ids == [f"{parent}~{name}~{copy}" for parent in parents.ids for copy in (1, 2, 3)]
    assert grown.labels == [label for label in parents.labels for _ in range(3)]
    assert set(grown.domains) == {"ward"}
    assert grown.table.column("page").to_pylist() == [row for row in range(len(parents)) for _ in range(3)]


@pytest.mark.parametrize("name", NAMES)
def test_the_origin_says_how_an_example_was_made(name: str) -> None:
    grown = grow(name, make_parents(), seed=4)
    origin = orjson.loads(grown.table.column("origin")[4].as_py())
    assert sorted(origin) == ["copy", "method", "parents", "seed", "settings"]
    assert (origin["method"], origin["parents"], origin["seed"], origin["copy"]) == (name, ["p:1"], 4, 2)
    assert OFFLINE[name].items() <= origin["settings"].items()
    again = METHODS[name](**origin["settings"]).expand(make_parents(), times=2, seed=4)
    assert again.texts[3] == grown.texts[4]


@pytest.mark.parametrize("name", NAMES)
def test_a_text_with_several_words_changes_and_none_becomes_empty(name: str) -> None:
    grown = grow(name, make_parents(), times=8)
    for parent, text in zip([t for t in TEXTS for _ in range(8)], grown.texts, strict=True):
        assert bool(text) == bool(parent)
        if len(parent) > 10:
            assert text != parent


@pytest.mark.parametrize("name", NAMES)
def test_a_text_depends_on_seed_parent_and_copy_alone(name: str) -> None:
    parents = make_parents()
    whole = grow(name, parents)
    assert digest(grow(name, parents)) == digest(whole)
    assert grow(name, parents, seed=1).texts != whole.texts
    assert grow(name, parents.take([3])).texts == whole.texts[9:12]
    assert grow(name, parents, times=5).texts[:3] == whole.texts[:3]
    backwards = grow(name, parents.take(list(reversed(range(len(parents))))))
    assert backwards.texts[:3] == whole.texts[-3:]


@pytest.mark.parametrize("name", NAMES)
def test_workers_do_not_change_a_byte(name: str) -> None:
    parents = make_parents([f"{text} number {i}" for i in range(80) for text in TEXTS])
    assert digest(grow(name, parents, workers=2)) == digest(grow(name, parents))


def test_another_hash_seed_does_not_change_a_byte() -> None:
    code = (
        "from test_augmenter_contract import NAMES, digest, grow, make_parents\n"
        "print([digest(grow(name, make_parents())) for name in NAMES])"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONHASHSEED": "123", "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([digest(grow(name, make_parents())) for name in NAMES])


@pytest.mark.parametrize("name", NAMES)
def test_no_parents_give_no_children(name: str) -> None:
    grown = grow(name, make_parents().take([]))
    assert len(grown) == 0
    assert {"id", "text", "label", "origin"} <= set(grown.table.column_names)


@pytest.mark.parametrize("name", NAMES)
def test_of_a_target_only_the_labelled_part_is_used(name: str) -> None:
    parents = make_parents()

    def make_target(test_label: str) -> Target:
        test = from_columns("t", ["a sealed text here"], [test_label])
        return Target("p", parents, parents.without_labels(), Sealed(test, "test"), ("a", "b"), Sealed(test, "validation"))

    assert digest(grow(name, make_target("a"))) == digest(grow(name, make_target("b"))) == digest(grow(name, parents))


@pytest.mark.parametrize("name", NAMES)
def test_every_method_describes_itself(name: str) -> None:
    method = METHODS[name]
    assert method.method == name
    assert method.paper
    assert method.modality
    assert method.summary.isascii()
    assert not method.summary_zh.isascii()
    assert "Use when" in (method.__doc__ or "")
    assert "Avoid when" in (method.__doc__ or "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "ead"}, "did you mean 'eda'"),
        ({"method": "mixup"}, "makes no new examples"),
        ({"alhpa": 0.2}, "did you mean 'alpha'"),
        ({"alpha": 1.5}, "above 0 and below 1"),
        ({"operations": ["replace", "swop"]}, "'operations'"),
        ({"operations": ()}, "without operations"),
        ({"operations": ["replace"], "synonyms": "none"}, "use synonyms='auto'"),
        ({"times": 0}, "set times to 1 or more"),
        ({"workers": 0, "synonyms": "none"}, "workers"),
    ],
)
def test_a_wrong_name_or_value_is_explained(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        augment(make_parents(), **{"guard": "none", **arguments})
    assert message in str(error.value)
