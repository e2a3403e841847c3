"""What guards refuse and what they let pass; a new guard is tested by being listed in METHODS."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from acclimate.augment.guard import METHODS
from acclimate.augment.guard.agreement import Agreement, cross_fit, label_probabilities
from acclimate.augment.guard.base import Context, parents_of
from acclimate.augment.guard.negation import negation_change
from acclimate.augment.guard.numbers import number_change
from acclimate.augment.guard.polarity import class_shift, opposite_swap, terms_of
from acclimate.augment.guard.run import REMOVED, Guards, Sifted
from acclimate.augment.guard.wording import change, words_of
from acclimate.augment.run import augment, grow
from acclimate.data.domain import Domain, from_columns, from_images
from acclimate.data.images import encoded
from acclimate.data.make import make_target
from acclimate.data.opposites import are_opposite, poles_of
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.features.ngrams import hash_ngrams
from acclimate.tune.learner import ProbeLearner
from tests.shift import sentences

#: Guards that read word lists which are fetched once.
LISTS = {"polarity"}
OFFLINE = [name for name in METHODS if name not in LISTS]


def embed(contents: Any) -> np.ndarray:
    return hash_ngrams(contents, buckets=256, orders=(1,)).toarray().astype(np.float32)


TEACHER = ProbeLearner(embed)


def children(parents: Domain, texts: list[str], of: list[int], labels: list[str] | None = None) -> Domain:
    origins = [orjson.dumps({"method": "made", "parents": [parents.ids[row]]}).decode() for row in of]
    made = labels or [str(parents.labels[row]) for row in of]
    return from_columns("made", texts, made, ids=[f"{parents.ids[row]}~{n}" for n, row in enumerate(of)], origins=origins)


def sift(names: str, parents: Domain, made: Domain, **context: Any) -> Sifted:
    return Guards.parse(names).sieve(Context(parents, context.pop("labelled", parents), **context)).sift(made)


@pytest.mark.parametrize(
    ("parent", "child", "more"),
    [
        ("The film is good.", "The film is not good.", 1),
        ("The film isn’t good.", "The film is good.", -1),
        ("I would go again.", "I would never go again.", 1),
        ("a meal with salt", "a meal without salt", 1),
        ("It cannot fail", "It can fail", -1),
        ("a happy end", "an unhappy end", 1),
        ("a hopeful start", "a hopeless start", 1),
        ("There is no doubt about it", "There is doubt about it", -1),
        ("It is not bad", "It is not awful", 0),
        ("not only good", "good", 0),
        ("Certainly good", "No doubt good", 0),
        ("房间很干净", "房间不很干净", 1),
        ("我没有失望", "我有失望", -1),
        ("服务不错", "服务错", -1),
        ("服务很好", "服务不错", 0),
        ("非常好", "特别好", 0),
        ("分别看过", "看过", 0),
        ("未来很好", "将来很好", 0),
        ("别买", "买", -1),
        ("", "", 0),
    ],
)
def test_inserted_and_removed_negations_are_counted(parent: str, child: str, more: int) -> None:
    assert negation_change(change(parent, child)) == more


@pytest.mark.parametrize(
    ("parent", "child", "told"),
    [
        ("take 5 mg", "take 50 mg", "5 became 50"),
        ("take 5 mg", "take 5 g", "5 mg became 5 g"),
        ("take 5 mg", "take some mg", "5 was dropped"),
        ("it cost 1,000 dollars", "it cost a thousand dollars", ""),
        ("it cost 1,000 dollars", "it cost 10,000 dollars", "1,000 became 10,000"),
        ("twenty-five years", "25 years", ""),
        ("twenty five years", "twenty six years", "25 became 26"),
        ("two good films", "three good films", "2 became 3"),
        ("one of the best", "of the best", ""),
        ("住了三天", "住了五天", "3 became 5"),
        ("一共两万元", "一共20000元", ""),
        ("十分好", "非常好", ""),
        ("一直很好", "很好", ""),
        ("$30 for two", "€30 for two", "30 $ became 30 €"),
        ("3.5 stars", "3,5 stars", "3.5 became 3,5"),
        ("no number", "none here", ""),
    ],
)
def test_changed_numbers_are_told(parent: str, child: str, told: str) -> None:
    assert number_change(change(parent, child)) == told


def test_words_keep_contractions_and_numbers_whole_and_han_characters_apart() -> None:
    assert words_of("Don’t buy U盘 at 3.5€!") == ("don't", "buy", "u", "盘", "at", "3.5", "€")


@pytest.mark.parametrize(("parent", "child"), [("房间很干净", "房间很脏"), ("价格便宜", "价格贵"), ("推荐大家买", "反对大家买")])
def test_chinese_opposites_are_seen(parent: str, child: str) -> None:
    assert opposite_swap(change(parent, child))


@pytest.mark.assets
@pytest.mark.parametrize(
    ("parent", "child", "expected"),
    [
        ("a good film", "a bad film", True),
        ("I loved it", "I hated it", True),
        ("a happy end", "a sad end", True),
        ("a great day", "a terrible day", True),
        ("a good film", "a fine film", False),
        ("a good film", "a good movie", False),
        ("good and bad", "bad and good", False),
        ("he went up", "he went down", False),  # function words say nothing by themselves
    ],
)
def test_english_opposites_are_seen_and_synonyms_are_not(parent: str, child: str, expected: bool) -> None:
    assert bool(opposite_swap(change(parent, child))) is expected


def test_poles_follow_antonym_and_similarity_pointers() -> None:
    synsets = {
        "a:1": (("wet", "moist"), (("!", "a:2"), ("&", "a:3"))),
        "a:2": (("dry",), (("!", "a:1"),)),
        "a:3": (("damp",), ()),
        "n:4": (("stone",), ()),
    }
    poles = poles_of(synsets)
    assert are_opposite(poles, "damp", "dry")
    assert not are_opposite(poles, "damp", "wet")
    assert not are_opposite(poles, "stone", "dry")
    assert "stone" not in poles


def test_the_shift_of_class_words_equals_its_formula_word_by_word() -> None:
    """An independent reference: every word's weights looked up one at a time."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    texts = ["good parcel", "good box", "bad parcel", "bad box", "odd parcel", "odd film"]
    labelled = from_columns("l", texts, ["+", "+", "-", "-", "?", "?"])
    bag = CountVectorizer(analyzer=terms_of, binary=True)
    model = LogisticRegression(C=2.0, max_iter=2000, class_weight="balanced").fit(bag.fit_transform(texts), labelled.labels)
    weight = {(c, w): model.coef_[i, j] for i, c in enumerate(model.classes_) for w, j in bag.vocabulary_.items()}
    parent, child, label = "good good parcel film", "bad parcel film", "+"
    gone, come = set(parent.split()) - set(child.split()), set(child.split()) - set(parent.split())
    expected = max(
        min(sum(weight[label, w] - weight[c, w] for w in gone), -sum(weight[label, w] - weight[c, w] for w in come))
        for c in ("-", "?")
    )
    assert class_shift(labelled, 2.0)([parent], [child], [label]) == pytest.approx([expected])
    assert class_shift(labelled, 2.0)([parent], ["good parcel"], [label])[0] <= 0  # a mere deletion is no exchange


def test_the_teacher_judges_a_child_without_having_seen_its_parent() -> None:
    labelled = sentences("clinic", 30, 0)
    fitted = cross_fit(TEACHER, labelled, 5, 0)
    assert fitted is not None
    made = children(labelled, labelled.texts, list(range(30)))
    scores, _ = label_probabilities(fitted, made, parents_of(made))
    assert scores.tobytes() == fitted.genuine.tobytes()  # a child equal to its parent gets its parent's held-out probability


def test_the_calibrated_threshold_refuses_at_most_the_share_of_genuine_examples() -> None:
    labelled = sentences("clinic", 60, 1)
    for share in (0.0, 0.05, 0.3):
        judge = Agreement(share=share).prepare(Context(labelled, labelled, teacher=TEACHER))
        assert callable(judge)
        made = children(labelled, labelled.texts, list(range(60)))
        assert judge(made, parents_of(made)).refused.sum() <= share * 60


def test_a_flipped_label_is_refused_by_the_teacher_and_a_true_one_is_not() -> None:
    labelled = sentences("clinic", 300, 2)
    wrong = [{"good": "bad", "bad": "good"}[str(label)] for label in labelled.labels]
    rows = list(range(300))
    refused = [
        sift("agreement", labelled, children(labelled, labelled.texts, rows, labels), teacher=TEACHER).counts["agreement"]
        for labels in (None, wrong)
    ]
    assert refused[0] <= 3  # the share of 1% that the threshold is calibrated for
    assert refused[1] > 285


@pytest.mark.parametrize("few", [0, 1, 3])
def test_a_teacher_without_two_examples_of_two_classes_is_not_asked_and_that_is_said(few: int) -> None:
    labelled = sentences("clinic", 30, 0).take(range(few))
    made = children(sentences("clinic", 30, 0), ["some text"], [0])
    sifted = sift("agreement", labelled, made, teacher=TEACHER)
    assert sifted.notes[-1] == "the guard 'agreement' was not asked: it needs two labelled examples of each of two classes"
    assert len(sifted.kept) == 1


def test_leakage_planted_in_every_way_is_found_and_nothing_else() -> None:
    parents = from_columns("p", ["the nurse was kind to all of us on the ward"] * 5, ["good"] * 5)
    test = from_columns("t", ["The doctor took a long time to explain every single pill to my mother"], ["good"]).without_labels()
    exact = test.texts[0]
    texts = [
        exact,
        exact.upper() + " !!",
        exact.replace("long", "very short").replace("mother", "father"),
        "something else altogether that shares no words at all",
        "the nurse was very kind to all of us on the ward",
    ]
    made = children(parents, texts, [0, 1, 2, 3, 4])
    descended = orjson.dumps({"method": "made", "parents": ["t:0"]}).decode()
    origins = made.table.column("origin").to_pylist()
    made = made.with_column("origin", pa.array([*origins[:3], descended, origins[4]], pa.string()))
    sifted = sift("leakage", parents, made, sealed={"test": test})
    assert sifted.kept.texts == texts[4:]
    assert [row.split(":")[0] for row in sifted.removed["detail"].to_pylist()] == ["exact", "normalised", "near", "descendant"]


def test_copies_of_the_parent_of_one_another_and_of_genuine_examples_are_refused() -> None:
    parents = from_columns("p", ["a fine day", "rain again", "snow"], ["+", "-", "-"])
    made = children(parents, ["A fine day!", "sun", "SUN", "rain again", "snow again"], [0, 0, 1, 0, 2])
    sifted = sift("unchanged, repeated", parents, made)
    assert sifted.kept.texts == ["sun", "snow again"]
    assert dict(sifted.counts) == {"unchanged": 1, "repeated": 2}
    assert sifted.removed["detail"].to_pylist() == ["", "equals p:0~1", "equals p:1"]


def test_parts_are_judged_as_the_whole() -> None:
    parents = sentences("clinic", 20, 3)
    texts = [f"{text} again" for text in parents.texts] + parents.texts[:5] + [f"{parents.texts[0]} again"]
    made = children(parents, texts, [*range(20), *range(5), 7])
    sieve = Guards.parse("no-polarity").sieve(Context(parents, parents, teacher=TEACHER))
    parts = [sieve.sift(made.take(range(0, 9))), sieve.sift(made.take(range(9, 26)))]
    whole = sift("no-polarity", parents, made, teacher=TEACHER)
    assert [text for part in parts for text in part.kept.texts] == whole.kept.texts


@pytest.mark.parametrize("name", OFFLINE)
def test_every_guard_survives_odd_texts_no_examples_and_unknown_parents(name: str) -> None:
    parents = from_columns("p", ["", "很好", "👍 ok", "word"] * 3, ["+", "-"] * 6)
    odd = ["", "\u200b", "很不好", "👍", "word " * 2000, "٣ و ٤"]
    made = children(parents, odd, [0, 1, 1, 2, 3, 3])
    lost = made.with_column("origin", pa.array(['{"method":"made","parents":["gone"]}'] * 5 + [None], pa.string()))
    sealed = {"test": from_columns("t", ["a sealed text of several words here"]).without_labels()}
    for domain in (made, lost, made.take([])):
        sifted = sift(name, parents, domain, sealed=sealed, teacher=TEACHER)
        assert len(sifted.kept) + sifted.removed.num_rows == len(domain) == sifted.made
        assert sum(sifted.counts.values()) == sifted.removed.num_rows
        assert tuple(sifted.removed.column_names) == REMOVED


@pytest.mark.parametrize("name", OFFLINE)
def test_a_verdict_does_not_depend_on_the_other_examples(name: str) -> None:
    parents = sentences("clinic", 24, 4)
    texts = [text.replace("the", "not") if n % 3 else text for n, text in enumerate(parents.texts)]
    texts = [text + " 77" if n % 5 == 0 else text for n, text in enumerate(texts)]
    made = children(parents, texts, list(range(24)))
    context = {"sealed": {"test": sentences("clinic", 4, 4, "t").without_labels()}, "teacher": TEACHER}
    whole = set(sift(name, parents, made, **context).kept.ids)
    alone = {made.ids[row] for row in range(24) if len(sift(name, parents, made.take([row]), **context).kept)}
    backwards = set(sift(name, parents, made.take(range(23, -1, -1)), **context).kept.ids)
    assert whole == alone == backwards


def test_pictures_pass_only_the_guards_that_read_them() -> None:
    rng = np.random.default_rng(0)
    shades = [rng.integers(0, 255, (24, 24, 3), dtype=np.uint8) for _ in range(6)]
    parents = from_images("p", [encoded(one) for one in shades[:4]], ["a", "b"] * 2)
    made = from_images("m", [encoded(shades[0]), encoded(shades[5]), encoded(shades[4])], ["a", "a", "b"])
    origins = [f'{{"method":"flip","parents":["p:{row}"]}}' for row in (0, 1, 2)]
    made = made.with_column("origin", pa.array(origins, pa.string()))
    sealed = {"test": from_images("t", [encoded(np.clip(shades[5].astype(int) + 4, 0, 255).astype(np.uint8))])}
    sifted = Guards.parse(None).sieve(Context(parents, parents, sealed)).sift(made)
    assert list(sifted.counts) == ["leakage", "unchanged", "repeated"]
    assert sifted.removed["reason"].to_pylist() == ["leakage", "unchanged"]
    assert sifted.kept.ids == ["m:2"]


def _clinic(test_label: str = "good") -> Target:
    labelled = sentences("clinic", 30, 5)
    test = from_columns("t", ["one sealed text with several words"], [test_label])
    return Target("clinic", labelled, labelled.without_labels(), Sealed(test, "test"), ("bad", "good"))


def test_augmenting_is_guarded_by_default_and_its_origin_says_so() -> None:
    sifted = grow(_clinic(), times=60, synonyms="none", operations=["delete"], teacher=TEACHER, guard="no-polarity")
    origin = orjson.loads(sifted.kept.table.column("origin")[0].as_py())
    assert origin["guards"].keys() == {"leakage", "unchanged", "negation", "number", "agreement", "repeated"}
    assert sifted.counts["repeated"] > 0  # sixty copies of twelve words, each less one
    assert any(note.startswith("guards refused ") for note in sifted.kept.notes)
    assert "the guard 'polarity' is switched off" in sifted.kept.notes


def test_the_test_and_its_neighbours_are_never_augmented() -> None:
    """Split first: no text of the sealed part, nor anything near it, comes out, whatever goes in."""
    domain = sentences("clinic", 60, 6)
    target = make_target(domain, test=0.4, seed=1)
    grown = augment(target, times=6, synonyms="none", guard="leakage")
    sealed = {" ".join(sorted(text.split())) for text in target.test.inputs.texts}
    assert {parent for of in parents_of(grown) for parent in of} <= set(target.labelled.ids)
    assert not sealed & {" ".join(sorted(text.split())) for text in grown.texts}


def test_switched_off_guards_are_said_and_change_nothing() -> None:
    plain = augment(_clinic(), times=2, synonyms="none", guard="none")
    assert len(plain) == 60
    assert plain.notes[-1] == "all guards are switched off: new examples were not checked"
    assert "guards" not in orjson.loads(plain.table.column("origin")[0].as_py())


@pytest.mark.parametrize("label", ["good", "bad"])
def test_guards_do_not_see_the_labels_of_the_test(label: str) -> None:
    grown = augment(_clinic(label), times=2, synonyms="none", teacher=TEACHER, guard="no-polarity")
    other = augment(_clinic("good"), times=2, synonyms="none", teacher=TEACHER, guard="no-polarity")
    assert grown.table.equals(other.table)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (None, list(METHODS)),
        (True, list(METHODS)),
        (False, []),
        ("none", []),
        (["none"], []),
        ("negation, number", ["negation", "number"]),
        (["no-agreement", "no-polarity"], [name for name in METHODS if name not in ("agreement", "polarity")]),
        ({"agreement": False}, [name for name in METHODS if name != "agreement"]),
        ((("agreement", False),), [name for name in METHODS if name != "agreement"]),
    ],
)
def test_guards_are_named_in_many_ways(given: Any, names: list[str]) -> None:
    assert [name for name, _ in Guards.parse(given).checks] == names


def test_settings_of_guards_come_from_recipes_and_command_lines() -> None:
    assert dict(Guards.parse({"agreement": {"share": 0.2}}).checks)["agreement"] == Agreement(share=0.2)
    assert dict(Guards.parse(["agreement.share=0.2"]).checks)["agreement"] == Agreement(share=0.2)
    assert dict(Guards.parse((("agreement", (("share", 0.2),)),)).checks)["agreement"] == Agreement(share=0.2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("negatoin", "did you mean 'negation'"),
        ("no-negatoin", "did you mean 'negation'"),
        ({"agreement": {"shere": 0.1}}, "did you mean 'share'"),
        ({"agreement": {"share": 2}}, "share of at least 0"),
        (["polarity.shift=-1"], "above 0"),
    ],
)
def test_a_wrong_guard_is_explained(given: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        Guards.parse(given)
    assert message in str(error.value)


@pytest.mark.parametrize("name", METHODS)
def test_every_guard_describes_itself(name: str) -> None:
    guard = METHODS[name]
    assert guard.paper
    assert guard.modality
    assert guard.summary.isascii()
    assert not guard.summary_zh.isascii()
