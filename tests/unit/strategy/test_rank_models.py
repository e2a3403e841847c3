"""Base models are ranked by what they make of the target's labelled examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from acclimate.data.make import make_target
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.features.ngrams import hash_ngrams
from acclimate.strategy.models import SCORES, rank_models
from tests.shift import sentences


def words(contents: Sequence[str]) -> NDArray[np.float32]:
    """A bag of hashed words."""
    return hash_ngrams(contents, buckets=64, orders=(1,)).toarray().astype(np.float32)


def lengths(contents: Sequence[str]) -> NDArray[np.float32]:
    """What tells nothing of the class: lengths of words, in the dimensions of :func:`words`."""
    rows = [[len(word) for word in text.split()] for text in contents]
    return np.array([(row * 64)[:64] for row in rows], dtype=np.float32)


def make_ward(count: int = 60) -> Target:
    return make_target(sentences("clinic", count, 1), test=sentences("clinic", 20, 2, "test"))


def test_every_score_prefers_the_model_that_sees_the_classes() -> None:
    ranking = rank_models({"lengths": lengths, "words": words}, make_ward(), resamples=20)
    assert ranking.best == "words"
    assert list(ranking.scores) == ["words", "lengths"]
    for score in SCORES:
        good, poor = (ranking.scores[name][score] for name in ("words", "lengths"))
        assert good.score > poor.score
        assert good.low <= good.score <= good.high
        assert good.first > poor.first
    assert ranking.agreement == pytest.approx(1)
    assert ranking.mean_rank == {"words": 1.0, "lengths": 2.0}


def test_the_accuracy_is_that_of_held_out_examples() -> None:
    """Random labels: a probe that is measured on what it learned from would look perfect."""
    ward = make_ward()
    shuffled = np.random.default_rng(0).permutation(np.array(ward.labelled.labels)).tolist()
    labelled = ward.labelled.with_column("label", pa.array(shuffled, pa.string()))
    random = make_target(labelled, test=sentences("clinic", 20, 2, "test"))
    assert rank_models({"words": words}, random, resamples=5).scores["words"]["probe"].score < 0.75


def test_models_that_differ_by_nothing_are_said_to_be_a_matter_of_chance() -> None:
    ranking = rank_models({"one": words, "twin": words}, make_ward(), resamples=10)
    assert any("the order may be chance" in note for note in ranking.notes)


def test_an_encoder_on_disk_is_ranked_by_its_name(encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    ranking = rank_models([str(encoder_folder)], make_ward(), resamples=5)
    assert list(ranking.dimensions.values()) == [32]
    assert ranking.agreement is None
    assert ranking.to_dict()["examples"] == 60


def test_too_few_labels_or_models_are_refused() -> None:
    with pytest.raises(InputError, match="Models cannot be ranked on the 2 labelled"):
        rank_models({"words": words}, make_ward(2))
    with pytest.raises(InputError, match="No base model to rank"):
        rank_models([], make_ward())
