"""Settings are checked before anything runs."""

from __future__ import annotations

import pytest

from acclimate.errors import InputError
from acclimate.tune.settings import TuneSettings


@pytest.mark.parametrize(
    "values",
    [
        {"lr": 0},
        {"lr": "fast"},
        {"lr": float("nan")},
        {"steps": 0},
        {"steps": 2.5},
        {"steps": True},
        {"batch_size": -1},
        {"warmup": 1.5},
        {"dropout": 1.0},
        {"weight_decay": -0.1},
        {"max_grad_norm": 0},
        {"max_length": 2},
        {"checkpoint_every": 0},
        {"group_by_length": "yes"},
    ],
)
def test_a_value_outside_its_range_is_refused_by_name(values: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(values))):
        TuneSettings.of(values)


def test_a_misspelt_setting_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match="did you mean 'batch_size'"):
        TuneSettings.of({"batchsize": 8})


def test_a_mapping_sets_some_and_leaves_the_other_defaults() -> None:
    assert TuneSettings.of({"steps": 7}) == TuneSettings(steps=7)
    assert TuneSettings.of(None) == TuneSettings()
