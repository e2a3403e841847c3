"""What every offline augmenter of texts keeps to; a new one is tested by being listed in METHODS."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
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
from tests.answering import answering, obliging
from tests.causal import make_causal
from tests.shift import make_encoder
from tests.small_models import make_masked, make_translator

#: Methods that edit a text, and those that have a language model write; both are listed so that a new one is not forgotten.
EDITORS = ("eda", "noise", "wordnet", "cilin", "embedding-neighbour", "masked-lm", "causal-infill", "back-translation")
WRITERS = ("paraphrase", "generate", "from-corpus", "evolve", "error-driven")
#: Those that need synonyms from the package index, and those that change every text of several words, whatever its script.
ASSETS = ("wordnet", "cilin")
SURE = ("eda", "noise", "masked-lm")


def listed(names: tuple[str, ...]) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.assets if name in ASSETS else ()) for name in names]


every_editor = pytest.mark.parametrize("name", listed(EDITORS))
every_writer = pytest.mark.parametrize("name", listed(WRITERS))
every_method = pytest.mark.parametrize("name", listed((*EDITORS, *WRITERS)))

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "这部电影的剧情非常精彩，演员的表演也很好。",
    "한국어 문장은 띄어쓰기를 합니다.",
    "Crème brûlée 😀 at 3.5 €,\n\tsaid  Zoë!",
    "word",
    "",
    " \u200b…",
    "لغة عربية جميلة جدا",
    "the nurse was very good and the pill 12 quite bad",
]

Grow = Callable[..., Domain]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """Of each method, settings under which it needs nothing from the network but what is marked."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("encoder", "masked", "causal", "there", "back")}
    encoder, masked, causal = make_encoder(folders["encoder"]), make_masked(folders["masked"]), make_causal(folders["causal"])
    pair = {"there": str(make_translator(folders["there"], 0)), "back": str(make_translator(folders["back"], 1))}
    with answering(obliging) as server:
        yield {
            "eda": {"synonyms": "none"},
            "noise": {"errors": ["keyboard", "ocr", "insert", "delete", "swap"]},
            "wordnet": {},
            "cilin": {},
            "embedding-neighbour": {"model": str(encoder), "similarity": -1.0},
            "masked-lm": {"model": str(masked)},
            "causal-infill": {"model": str(causal), "fills": 2},
            "back-translation": pair,
            **{name: {"llm": server.llm()} for name in WRITERS},
        }


def never_right(examples: Domain) -> list[str]:
    return ["z"] * len(examples)


@pytest.fixture
def grow(settings: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grow:
    def grow(name: str, parents: Domain, **arguments: Any) -> Domain:
        if name in WRITERS:  # answers are kept in a cache of the test's own; synonyms are read from the user's
            monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path / "home"))
        predict = {"predict": never_right} if name == "error-driven" else {}
        return augment(parents, method=name, **{"times": 3, "guard": "none", **settings[name], **predict, **arguments})

    return grow


def make_parents(texts: list[str] = TEXTS) -> Domain:
    labels = [("a", "b")[row % 2] for row in range(len(texts))]
    parents = from_columns("p", texts, labels, domains=["ward"] * len(texts))
    return parents.with_column("page", pa.array(range(len(texts))))


def digest(domain: Domain) -> str:
    rows = [domain.ids, domain.texts, domain.labels, domain.table.column("origin").to_pylist()]
    return hashlib.sha256(orjson.dumps(rows)).hexdigest()


def origins(grown: Domain) -> list[dict[str, Any]]:
    return [orjson.loads(origin) for origin in grown.table.column("origin").to_pylist()]


def test_every_method_for_texts_is_under_this_contract() -> None:
    assert {*EDITORS, *WRITERS, "balance"} == {name for name, method in METHODS.items() if "text" in method.modality}


@every_editor
def test_ids_labels_domains_and_other_columns_follow_the_parent(name: str, grow: Grow) -> None:
    parents = make_parents()
    grown = grow(name, parents)
    assert grown.ids == [f"{parent}~{name}~{copy}" for parent in parents.ids for copy in (1, 2, 3)]
    assert grown.labels == [label for label in parents.labels for _ in range(3)]
    assert set(grown.domains) == {"ward"}
    assert grown.table.column("page").to_pylist() == [row for row in range(len(parents)) for _ in range(3)]


@every_writer
def test_of_what_is_written_as_well(name: str, grow: Grow) -> None:
    parents = make_parents()
    grown = grow(name, parents)
    assert len(grown) >= 9
    row = {parent: number for number, parent in enumerate(parents.ids)}
    places = [(origin["parents"][0], origin["copy"]) for origin in origins(grown)]
    assert places == sorted(set(places), key=lambda place: (row[place[0]], place[1]))
    assert grown.ids == [f"{parent}~{name}~{copy}" for parent, copy in places]
    assert grown.labels == [parents.labels[row[parent]] for parent, _ in places]
    assert grown.table.column("page").to_pylist() == [row[parent] for parent, _ in places]


@every_method
def test_the_origin_says_how_an_example_was_made(name: str, grow: Grow, settings: dict[str, dict[str, Any]]) -> None:
    grown = grow(name, make_parents(), seed=4)
    for origin in origins(grown):
        assert {"copy", "method", "parents", "seed", "settings"} <= set(origin)
        assert (origin["method"], origin["seed"]) == (name, 4)
    made = origins(grown)[-1]
    for key, value in settings[name].items():
        assert made["settings"][key] == value or value.items() <= made["settings"][key].items()
    handed = {"predict": never_right} if name == "error-driven" else {}
    again = METHODS[name](**made["settings"], **handed).expand(make_parents(), times=3, seed=4)
    assert digest(again) == digest(grown)


@pytest.mark.parametrize("name", SURE)
def test_a_text_with_several_words_changes_and_none_becomes_empty(name: str, grow: Grow) -> None:
    grown = grow(name, make_parents(), times=8)
    for parent, text in zip([t for t in TEXTS for _ in range(8)], grown.texts, strict=True):
        assert bool(text) == bool(parent)
        if len(parent) > 10:
            assert text != parent


@every_method
def test_a_text_depends_on_seed_parent_and_copy_alone(name: str, grow: Grow) -> None:
    parents = make_parents()
    whole = grow(name, parents)
    text = dict(zip(whole.ids, whole.texts, strict=True))
    alone = grow(name, parents.take([0]))
    assert len(alone)
    backwards = grow(name, parents.take(list(reversed(range(len(parents))))))
    more = grow(name, parents, times=5)
    for other in (grow(name, parents), alone, backwards):
        assert all(text[key] == made for key, made in zip(other.ids, other.texts, strict=True))
    assert text.items() <= dict(zip(more.ids, more.texts, strict=True)).items()
    if name not in ("cilin", "back-translation"):  # few words to change, or few that come back
        assert grow(name, parents, seed=1).texts != whole.texts


@pytest.mark.parametrize("name", ["eda", "noise"])
def test_workers_do_not_change_a_byte(name: str, grow: Grow) -> None:
    parents = make_parents([f"{text} number {i}" for i in range(80) for text in TEXTS])
    assert digest(grow(name, parents, workers=2)) == digest(grow(name, parents))


def test_another_hash_seed_does_not_change_a_byte(settings: dict[str, dict[str, Any]], grow: Grow, tmp_path: Path) -> None:
    names = [name for name in settings if name not in (*ASSETS, "error-driven")]
    given = {name: settings[name] for name in names}
    code = (
        "import json, os\n"
        "from acclimate.augment.run import augment\n"
        "from test_augmenter_contract import digest, make_parents\n"
        "given = json.loads(os.environ['GIVEN'])\n"
        "print([digest(augment(make_parents(), method=name, times=3, guard='none', **s)) for name, s in given.items()])"
    )
    root = Path(__file__).parents[3]
    path = os.pathsep.join([str(Path(__file__).parent), str(root), str(root / "src")])
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "123",
        "PYTHONPATH": path,
        "GIVEN": json.dumps(given),
        "ACCLIMATE_HOME": str(tmp_path / "other"),
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([digest(grow(name, make_parents())) for name in names])


@every_method
def test_no_parents_give_no_children(name: str, grow: Grow) -> None:
    grown = grow(name, make_parents().take([]))
    assert len(grown) == 0
    assert {"id", "text", "label", "origin"} <= set(grown.table.column_names)


@every_method
def test_of_a_target_only_the_labelled_part_is_used(name: str, grow: Grow) -> None:
    parents = make_parents()

    def make_target(test_label: str) -> Target:
        test = from_columns("t", ["a sealed text here"], [test_label])
        return Target("p", parents, parents.without_labels(), Sealed(test, "test"), ("a", "b"), Sealed(test, "validation"))

    assert digest(grow(name, make_target("a"))) == digest(grow(name, make_target("b"))) == digest(grow(name, parents))


@pytest.mark.parametrize("name", listed((*EDITORS, "paraphrase")))
def test_protected_spans_come_through(name: str, grow: Grow) -> None:
    """Figures, number words, names and what the user names, in every method that edits or rewords."""
    texts = [
        "the nurse said that Ann Lee was very good and took 12.5 mg of the white pill at www.x.org/a-b twenty times",
        "the doctor gave 300 ml to Bob and the white pill was quite bad in the ward 7 and not good",
    ]
    kept = [("Ann Lee", "12.5 mg", "white pill", "www.x.org/a-b", "twenty"), ("300 ml", "Bob", "white pill", "7")]
    grown = grow(name, make_parents(texts), times=12, keep=["numbers", "entities"], patterns=["white pill"])
    changed = 0
    for origin, text in zip(origins(grown), grown.texts, strict=True):
        row = int(origin["parents"][0].removeprefix("p:"))
        changed += text != texts[row]
        for span in kept[row]:
            assert span in text
    assert changed or name in ("cilin", "back-translation", "causal-infill")


@pytest.mark.parametrize("name", listed(EDITORS))
def test_of_conversations_the_users_turns_are_edited_and_the_answers_stay(name: str, grow: Grow) -> None:
    talk = [
        {"role": "system", "content": "You are a good nurse"},
        {"role": "user", "content": "the quick brown fox was very good"},
        {"role": "assistant", "content": "the lazy dog was quite bad"},
        {"role": "user", "content": "and the film story"},
    ]
    parents = from_columns("p", ["…"], ["a"]).with_strings("messages", [json.dumps(talk)])
    grown = grow(name, parents, times=4)
    assert len(grown) == 4
    for turns in grown.conversations:
        assert [turn["role"] for turn in turns] == [turn["role"] for turn in talk]
        assert [turns[0], turns[2]] == [talk[0], talk[2]]
    if name in SURE:
        assert all(turns[1] != talk[1] and turns[3] != talk[3] for turns in grown.conversations)
        assert all(text.startswith("system: You are") for text in grown.texts)


@pytest.mark.parametrize("name", sorted(METHODS))
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
        ({"patterns": ["("]}, "no regular expression"),
        ({"patterns": ["x*"]}, "matches the empty text"),
        ({"method": "noise", "keyboard": "dvorak"}, "'keyboard'"),
        ({"method": "noise", "errors": ()}, "without errors"),
        ({"method": "masked-lm", "k": 0}, "k of at least 1"),
        ({"method": "causal-infill", "top_p": 0}, "top_p"),
        ({"method": "back-translation", "attempts": 0}, "attempt"),
        ({"method": "paraphrase", "attempts": 0}, "at least 1"),
        ({"method": "paraphrase", "llm": {"base_url": "localhost:8000"}}, "begin with http"),
        ({"method": "paraphrase", "llm": {"api_key": "secret"}}, "'llm'"),
        ({"method": "from-corpus", "passage": 0}, "passage of at least 1"),
        ({"method": "evolve", "ways": ()}, "without ways"),
        ({"method": "error-driven"}, "hand one in"),
        ({"method": "balance", "by": "balance"}, "by itself"),
        ({"method": "balance", "by": "ead"}, "did you mean 'eda'"),
    ],
)
def test_a_wrong_name_or_value_is_explained(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        augment(make_parents(), **{"guard": "none", **arguments})
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["generate", "error-driven", "balance"])
def test_a_method_that_needs_labels_says_so(name: str) -> None:
    with pytest.raises(InputError, match="without a label"):
        augment(make_parents().without_labels(), method=name, guard="none", predict=never_right if name == "error-driven" else None)
