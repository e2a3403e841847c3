"""What every way of learning keeps to, whether it is a term of the loss or trains several times.

Single batches, odd sizes and 16 bits: ``tests/unit/augment/test_objective_contract.py``, for all that are terms of the loss.
"""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from acclimate.data.domain import Domain, from_columns, from_images
from acclimate.data.make import make_target
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.models.objective import Outputs
from acclimate.tune import checkpoints
from acclimate.tune.adapted import Adapted
from acclimate.tune.bases import load_base
from acclimate.tune.examples import gather
from acclimate.tune.learn import COURSES, METHODS, OBJECTIVES, STAGES
from acclimate.tune.learn.base import Training
from acclimate.tune.learn.self_training import SelfTraining
from acclimate.tune.run import tune
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import build_terms
from tests.online import batch_of, pictures
from tests.shift import pool, sentences

#: So that a test is quick and offline; everything else is at its default.
SETTINGS: dict[str, dict[str, Any]] = {
    "fixmatch": {"strong": {"method": "eda", "synonyms": "none"}, "ratio": 2},
    "self-training": {"rounds": 2},
}
IMAGE_SETTINGS = {**SETTINGS, "fixmatch": {"weak": "none", "strong": "colour", "ratio": 2}}
BY_MODALITY = {"text": SETTINGS, "image": IMAGE_SETTINGS}
#: Parameters that no loss reaches: BERT's pooler is not used.
UNUSED = "encoder.pooler."
FINE_TUNING = {**OBJECTIVES, **COURSES}
PAIRS = [(name, modality) for name, method in FINE_TUNING.items() for modality in method.modality]

every_pair = pytest.mark.parametrize(("name", "modality"), PAIRS, ids=[f"{name}-{modality}" for name, modality in PAIRS])


def drawn(count: int, seed: int, name: str) -> Domain:
    images, labels = pictures(count, seed)
    return from_images(name, images, labels)


def problem(modality: str, *, corrupt: bool = False) -> tuple[Domain, Target]:
    """A labelled source, and a target with few labels, many examples without, and a test, whose labels are wrong if ``corrupt``."""
    if modality == "image":
        test, others = drawn(30, 2, "test"), drawn(40, 3, "more").without_labels()
        source, few = drawn(40, 4, "pool"), drawn(16, 1, "few")
    else:
        test, others = sentences("clinic", 60, 2, "test"), sentences("clinic", 80, 3, "more").without_labels()
        source, few = pool(60), sentences("clinic", 40, 1)
    test = test.with_strings("label", [str(label) for label in test.labels][::-1]) if corrupt else test
    return source, make_target(few, test=test, unlabelled=others)


def learned(name: str, modality: str, folders: dict[str, Path], *, corrupt: bool = False, steps: int = 24, **more: Any) -> Adapted:
    source, target = problem(modality, corrupt=corrupt)
    spec = {"method": name, **BY_MODALITY[modality].get(name, {})}
    chosen: dict[str, Any] = {"learn": spec} if name in COURSES else {"objectives": [spec]}
    settings = {"steps": steps, "batch_size": 12, "lr": 5e-3 if modality == "text" else 3e-3, "checkpoint_every": 2}
    model = str(folders["text"]) if modality == "text" else "small-cnn"
    return tune(model, target, source=source, settings=settings, seed=9, **chosen, **more)


def same(first: Adapted, second: Adapted) -> bool:
    others = second.model.state_dict()
    return all(torch.equal(value, others[key]) for key, value in first.model.state_dict().items())


@every_pair
def test_it_learns_a_shifted_target_and_every_parameter_moves(name: str, modality: str, folders: dict[str, Path]) -> None:
    model = learned(name, modality, folders, steps=120 if modality == "text" else 20)
    if modality == "text":
        test = sentences("clinic", 60, 2)
        contents, labels = test.texts, test.labels
    else:
        contents, labels = pictures(30, 2)
    right = np.asarray(model.classes)[model.predict_proba(contents).argmax(1)] == np.asarray(labels)
    assert right.mean() > 0.75  # of 30 or 60, where chance is a half
    task = f"{modality}-classification"
    before = load_base(str(folders.get(modality, "small-cnn")), task, model.classes, 9, TuneSettings())
    after = dict(model.model.named_parameters())
    assert [key for key, value in before.model.named_parameters() if torch.equal(value, after[key]) and UNUSED not in key] == []


@every_pair
def test_it_does_not_see_the_labels_of_the_test(name: str, modality: str, folders: dict[str, Path]) -> None:
    one, other = (learned(name, modality, folders, corrupt=corrupt, steps=3) for corrupt in (False, True))
    assert same(one, other)


@every_pair
def test_interrupted_anywhere_it_ends_with_the_same_bytes(
    name: str, modality: str, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = learned(name, modality, folders, steps=4)
    publish, stops = checkpoints.publish, iter([1, 2, 2] if name in COURSES else [1])
    stop, seen = next(stops), 0

    def publish_and_stop(folder: Path, step: int) -> None:
        nonlocal stop, seen
        publish(folder, step)
        seen += 1
        if seen == stop:
            stop, seen = next(stops, 99), 0
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "publish", publish_and_stop)
    for _ in range(3 if name in COURSES else 1):
        with pytest.raises(KeyboardInterrupt):
            learned(name, modality, folders, steps=4, folder=tmp_path)
    assert same(undisturbed, learned(name, modality, folders, steps=4, folder=tmp_path))
    assert same(undisturbed, Adapted.load(tmp_path, device="cpu"))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("name", sorted(METHODS))
def test_it_describes_itself_and_says_where_its_defaults_come_from(name: str) -> None:
    method = METHODS[name]
    words = inspect.getdoc(method) or ""
    for word in ("Use when", "Avoid when", method.paper.rsplit(" ", 1)[0].split(";")[-1].strip().split(" ")[0]):
        assert word in words
    assert sum(name in kind for kind in (OBJECTIVES, COURSES, STAGES, ["replay"])) == 1


def test_an_easy_class_does_not_crowd_out_the_others(folders: dict[str, Path]) -> None:
    """With ``balance`` every class that is guessed at all brings its share of the guesses."""

    class Teacher:
        """Certain of one class, lukewarm about the other."""

        def predict_proba(self, contents: Any) -> Any:
            sure = np.linspace(0.9, 0.99, len(contents))
            sure[::4] = np.linspace(0.3, 0.45, len(sure[::4]))
            return np.stack([1 - sure, sure], axis=1)

    del folders
    given = gather(("bad", "good"), source=pool(20), unlabelled=[f"text {n}" for n in range(40)])
    counts = {}
    for balance in (True, False):
        taught = SelfTraining(balance=balance).taught(given, Teacher(), 0.5)  # type: ignore[arg-type]
        counts[balance] = np.bincount(taught.labels[20:], minlength=2).tolist()
        assert taught.from_target[20:].all()
        assert taught.weights.mean() == pytest.approx(1)
        assert taught.contents[:20] == given.contents
    assert counts[True][0] >= 5
    assert counts[False] == [0, 20]


def test_guesses_stand_beside_replayed_examples_and_are_none_of_them() -> None:
    class Teacher:
        def predict_proba(self, contents: Any) -> Any:
            return np.tile([0.2, 0.8], (len(contents), 1))

    given = gather(("bad", "good"), target=pool(20), replay=pool(8), unlabelled=[f"text {n}" for n in range(10)])
    taught = SelfTraining().taught(given, Teacher(), 0.5)  # type: ignore[arg-type]
    assert taught.replayed is not None
    assert np.flatnonzero(taught.replayed).tolist() == list(range(20, 28))
    assert len(taught.replayed) == len(taught)


def test_rounds_start_from_the_model_that_stages_made(folders: dict[str, Path], tmp_path: Path) -> None:
    stage = {"method": "tapt", "steps": 4, "batch_size": 4, "max_length": 32}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tiny encoder has no head for hidden words
        before, again = (learned("self-training", "text", folders, steps=3, pretrain=[stage], folder=tmp_path / n) for n in "ab")
    assert str(before.about["base"]).endswith("+ tapt")
    assert before.about["learn"]["method"] == "self-training"
    assert same(before, again)
    assert not same(before, learned("self-training", "text", folders, steps=3))


def test_soft_guesses_are_taught_as_they_are_and_named_by_the_likeliest(folders: dict[str, Path]) -> None:
    given = gather(("bad", "good"), source=pool(20), unlabelled=sentences("clinic", 30, 3).texts)
    settings = TuneSettings(steps=8, batch_size=8, lr=3e-3)
    training = Training(str(folders["text"]), given, ("bad", "good"), settings)
    teacher = training.run()
    taught = SelfTraining(soft=True, balance=False, share=1.0).taught(given, teacher, 1.0)
    assert taught.soft is not None
    np.testing.assert_allclose(taught.soft[20:], teacher.predict_proba(given.unlabelled))
    assert (taught.soft[:20] == np.eye(2)[given.labels]).all()
    hard, soft = (SelfTraining(rounds=1, soft=how).train(training) for how in (False, True))
    assert not same(hard, soft)
    assert soft.about["learn"]["soft"] is True


def test_self_training_without_unlabelled_examples_says_so(folders: dict[str, Path]) -> None:
    given = gather(("bad", "good"), source=pool(20))
    with pytest.raises(InputError, match="no target examples without labels"):
        SelfTraining().train(Training(str(folders["text"]), given, ("bad", "good"), TuneSettings(steps=1)))


def test_labels_that_the_target_does_not_have_are_learned_with_a_head_of_their_own(folders: dict[str, Path]) -> None:
    texts = sentences("shop", 40, 5).texts
    topics = from_columns("topics", texts, ["long" if len(text) > 40 else "short" for text in texts], domains=["topics"] * 40)
    target = make_target(sentences("clinic", 40, 1), test=sentences("clinic", 20, 2, "test"))
    for weighting in ("equal", "uncertainty", "pcgrad"):
        spec = {"method": "multi-task", "weighting": weighting}
        settings = {"steps": 6, "batch_size": 10, "lr": 3e-3}
        model = tune(str(folders["text"]), target, source=topics, objectives=[spec], settings=settings)
        assert model.classes == ("bad", "good")
        assert not [key for key in model.model.state_dict() if key.startswith("companions")]
    with pytest.raises(InputError, match="Labels outside the classes: long, short"):
        tune(str(folders["text"]), target, source=topics, settings=settings)


def test_weights_of_a_selection_count_in_the_loss(folders: dict[str, Path]) -> None:
    """Twice the weight is the same as being there twice."""
    given = gather(("bad", "good"), source=pool(12))
    heavy = dataclasses.replace(given, weights=np.where(np.arange(12) < 3, 2.0, 1.0))
    order = [*range(12), 0, 1, 2]
    twice = dataclasses.replace(
        given,
        contents=[given.contents[row] for row in order],
        labels=given.labels[order],
        weights=np.ones(15),
        from_target=given.from_target[order],
    )
    losses = []
    for known in (heavy, twice):
        settings = TuneSettings(steps=1, batch_size=len(known), lr=1e-3, dropout=0.0, group_by_length=False)
        losses.append(first_loss(folders, known, settings))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def first_loss(folders: dict[str, Path], known: Any, settings: TuneSettings) -> float:
    made = load_base(str(folders["text"]), "text-classification", ("bad", "good"), 0, settings)
    batch = batch_of(known, made.reader, range(len(known)), unlabelled=False)
    with torch.no_grad():
        return Outputs(made.model.eval(), batch).task_loss.item()


def test_terms_with_views_of_their_own_are_refused_together(folders: dict[str, Path]) -> None:
    terms = build_terms([{"method": "fixmatch", **SETTINGS["fixmatch"]}])
    twice = (*terms, dataclasses.replace(terms[0], name="again"))
    given = gather(("bad", "good"), source=pool(20), unlabelled=["a text"])
    with pytest.raises(InputError, match="each see views"):
        Training(str(folders["text"]), given, ("bad", "good"), TuneSettings(steps=1), twice).run()
