"""A fine-tuned classifier: its answers depend on the text alone, and it survives the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.models.classifier import TextClassifier
from acclimate.select.base import Selection
from acclimate.tune.adapted import Adapted
from acclimate.tune.run import tune
from tests.shift import pool, sentences

SETTINGS = {"steps": 5, "batch_size": 4, "lr": 1e-3, "checkpoint_every": 2}


def make_target(flip_test: bool = False) -> Target:
    test = sentences("clinic", 10, seed=5)
    if flip_test:
        test = test.with_column("label", test.table.column("label").take([*range(1, 10), 0]))
    labelled = sentences("clinic", 12, seed=6)
    unlabelled = sentences("clinic", 8, seed=7).without_labels()
    return Target("clinic", labelled, unlabelled, Sealed(test, "test"), ("bad", "good"))


@pytest.fixture(scope="module")
def adapted(encoder_folder: Path) -> Adapted:
    return tune(str(encoder_folder), make_target(), settings=SETTINGS)


def test_a_texts_answer_does_not_depend_on_its_batch_mates(adapted: Adapted) -> None:
    texts = [*sentences("film", 45, seed=1).texts, "good", "the " * 60, "", "好 🙂 unknown"]
    whole = adapted.predict_proba(texts)
    np.testing.assert_allclose(whole.sum(1), 1)
    assert (adapted.predict_proba(texts[::-1]) == whole[::-1]).all()
    for row in (0, 17, 45, 46, 47, 48):
        assert (adapted.predict_proba([texts[row]]) == whole[row]).all()


def test_its_answers_are_those_of_the_model_itself(adapted: Adapted) -> None:
    inputs = adapted.reader.tokenizer(["the nurse was good"], return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        expected = adapted.model.eval()(inputs["input_ids"], inputs["attention_mask"]).logits.double().softmax(-1)
    np.testing.assert_allclose(adapted.predict_proba(["the nurse was good"]), expected.numpy(), atol=1e-5)


def test_no_texts_give_no_answers(adapted: Adapted) -> None:
    assert adapted.predict_proba([]).shape == (0, 2)


def test_saved_and_loaded_it_answers_the_same(adapted: Adapted, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")
    adapted.save(tmp_path)
    again = Adapted.load(tmp_path, device="cpu")
    texts = sentences("shop", 20, seed=2).texts
    assert (again.predict_proba(texts) == adapted.predict_proba(texts)).all()
    assert again.classes == ("bad", "good")
    assert again.about == adapted.about
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "keep me"
    assert not [path.name for path in tmp_path.iterdir() if path.suffix in {".bin", ".pt", ".pkl", ".part"}]
    assert TextClassifier.from_pretrained(tmp_path).classes == ("bad", "good")


def test_a_folder_without_a_finished_model_is_refused(adapted: Adapted, tmp_path: Path) -> None:
    adapted.save(tmp_path)
    (tmp_path / "acclimate.json").unlink()
    with pytest.raises(InputError, match="no fine-tuned model"):
        Adapted.load(tmp_path)


def test_the_verb_saves_and_a_second_call_reads_back(encoder_folder: Path, tmp_path: Path) -> None:
    source = pool(20)
    picked = Selection("x", source, np.asarray([3, 1]), np.zeros(20), np.asarray([2.0, 1.0]), ["a", "b"])
    made = tune(str(encoder_folder), make_target(), source=picked, objectives=["coral"], settings=SETTINGS, folder=tmp_path)
    written = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert not (tmp_path / ".training").exists()
    again = tune(str(encoder_folder), make_target(), source=picked, objectives=["coral"], settings=SETTINGS, folder=tmp_path)
    assert (again.predict_proba(["good"]) == made.predict_proba(["good"])).all()
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == written
    tune(str(encoder_folder), make_target(), settings=SETTINGS, folder=tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns != written


def test_test_labels_change_nothing(encoder_folder: Path, adapted: Adapted) -> None:
    flipped = tune(str(encoder_folder), make_target(flip_test=True), settings=SETTINGS)
    weights = flipped.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in adapted.model.state_dict().items())
