"""Devices and precisions: what is asked for, or one clear error."""

from __future__ import annotations

import pytest
import torch

from acclimate.errors import InputError
from acclimate.models.device import pick_device, pick_dtype


def test_auto_takes_the_best_device_there_is() -> None:
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert pick_device("auto") == pick_device(None) == torch.device(best)


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda:x", "tpu", "cuda:99"])
def test_an_unknown_or_absent_device_is_an_input_error(name: str) -> None:
    with pytest.raises(InputError, match=name):
        pick_device(name)


def test_precision_is_float32_unless_asked_for() -> None:
    cpu = torch.device("cpu")
    assert pick_dtype("auto", cpu) == torch.float32
    assert pick_dtype("bfloat16", cpu) == torch.bfloat16
    assert pick_dtype("float16", torch.device("cuda")) == torch.float16


@pytest.mark.parametrize("name", ["float16", "double"])
def test_a_precision_that_makes_no_sense_on_the_cpu_is_an_input_error(name: str) -> None:
    with pytest.raises(InputError, match=name):
        pick_dtype(name, torch.device("cpu"))
