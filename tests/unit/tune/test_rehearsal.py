"""What a training takes, told beforehand: counts that are exact, and figures that move as the training does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from acclimate.tune.examples import Examples, gather
from acclimate.tune.feed import Draws
from acclimate.tune.hardware import Hardware
from acclimate.tune.rehearsal import TIMED, Rehearsal, _typical, peak_memory_mib, rehearse, rehearse_tune
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import build_terms
from acclimate.tune.trainer import fine_tune
from tests.causal import make_causal
from tests.shift import sentences
from tests.unit.tune.test_adapted import make_target

CLASSES = ("bad", "good")
SETTINGS = TuneSettings(steps=40, batch_size=8, checkpoint_every=10)


def learned() -> Examples:
    return gather(CLASSES, target=sentences("clinic", 60, seed=1), unlabelled=sentences("clinic", 9, seed=2).texts)


@pytest.fixture(scope="module")
def told(encoder_folder: Path) -> Rehearsal:
    return rehearse(str(encoder_folder), learned(), CLASSES, SETTINGS)


def test_weights_are_counted_exactly(encoder_folder: Path, told: Rehearsal) -> None:
    adapted = fine_tune(str(encoder_folder), learned(), CLASSES, dataclasses.replace(SETTINGS, steps=1))
    expected = sum(value.numel() for value in adapted.model.parameters())
    assert told.parameters == told.trainable == expected
    head = rehearse(str(encoder_folder), learned(), CLASSES, dataclasses.replace(SETTINGS, parameters="head"))
    assert head.parameters == expected
    assert head.trainable == sum(value.numel() for value in adapted.model.head.parameters())


def test_lora_trains_few_of_the_weights(tmp_path: Path) -> None:
    given = Examples([f"good {n}" for n in range(20)], np.full(20, -1), np.ones(20), np.ones(20, dtype=bool))
    told = rehearse(
        str(make_causal(tmp_path)), given, (), dataclasses.replace(SETTINGS, parameters="lora", rank=2), task="causal-lm"
    )
    assert 0 < told.trainable < told.parameters / 4


def test_the_time_is_the_sum_of_its_parts_and_grows_with_the_steps(encoder_folder: Path, told: Rehearsal) -> None:
    assert told.checkpoints == 4
    parts = told.start_seconds + 40 * told.step_seconds + 4 * told.checkpoint_seconds + told.end_seconds
    assert told.seconds == pytest.approx(parts)
    assert min(told.start_seconds, told.step_seconds, told.checkpoint_seconds, told.end_seconds) > 0
    longer = rehearse(str(encoder_folder), learned(), CLASSES, dataclasses.replace(SETTINGS, steps=40_000))
    assert longer.seconds > 20 * told.seconds
    assert 0 < told.memory_mib <= peak_memory_mib("cpu")


def test_steps_that_are_timed_stand_for_all_and_begin_with_the_hungriest() -> None:
    lengths = np.random.default_rng(0).lognormal(4, 1, 500).astype(int).tolist()
    chosen = _typical(lengths)
    assert lengths[chosen[0]] == lengths[chosen[1]] == max(lengths)
    assert len(chosen) == TIMED + 2
    timed = [lengths[step] for step in chosen[2:]]
    assert np.mean(timed) == pytest.approx(np.mean(lengths), rel=0.15)
    assert _typical([7]) == [0] * (TIMED + 2)


def test_an_excerpt_of_the_draws_holds_the_batches_of_its_steps() -> None:
    draws = Draws(learned(), SETTINGS, seed=3, with_unlabelled=True)
    some = draws.only([5, 0, 5])
    expected = [draws[8 * step + row] for step in (5, 0, 5) for row in range(8)]
    assert [some[position] for position in range(len(some))] == expected
    assert some.lengths == [draws.lengths[step] for step in (5, 0, 5)]
    texts = learned().contents
    assert draws.lengths[5] == max(len(texts[draw.row]) for draw in expected[:8])


def test_a_rehearsal_leaves_the_training_as_it_was(encoder_folder: Path) -> None:
    import torch

    settings = dataclasses.replace(SETTINGS, steps=4)
    before = fine_tune(str(encoder_folder), learned(), CLASSES, settings)
    rehearse(str(encoder_folder), learned(), CLASSES, settings)
    after = fine_tune(str(encoder_folder), learned(), CLASSES, settings)
    weights = after.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in before.model.state_dict().items())


def test_objectives_and_parts_are_rehearsed_as_they_run(encoder_folder: Path) -> None:
    terms = build_terms(["dann", "mixup"])
    told = rehearse(str(encoder_folder), learned(), CLASSES, SETTINGS, terms, hardware=Hardware(accumulate=2))
    plain = rehearse(str(encoder_folder), learned(), CLASSES, SETTINGS)
    assert told.parameters > plain.parameters  # the domain classifier
    assert told.parts == 2


def test_views_and_packed_documents_are_rehearsed_as_they_run(encoder_folder: Path, tmp_path: Path) -> None:
    views = build_terms([{"method": "fixmatch", "strong": {"method": "eda", "synonyms": "none"}, "ratio": 2}])
    assert rehearse(str(encoder_folder), learned(), CLASSES, SETTINGS, views).step_seconds > 0
    texts = gather(None, target=sentences("clinic", 60, seed=1), replay=sentences("shop", 9, seed=2))
    packed = dataclasses.replace(SETTINGS, packing=True, max_length=64)
    assert rehearse(str(make_causal(tmp_path)), texts, (), packed, task="causal-lm").step_seconds > 0


def test_the_verbs_arguments_can_be_rehearsed(encoder_folder: Path) -> None:
    told = rehearse_tune(str(encoder_folder), make_target(), objectives=["coral"], settings={"steps": 3, "batch_size": 4})
    assert told.steps == 3
    assert told.checkpoints == 0
