"""Trainings run on one thread here, and start quickly."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import torch
import transformers  # noqa: F401  # loaded before gc.freeze, so that its many objects are frozen too


@pytest.fixture(autouse=True, scope="package")
def quick_trainings() -> Iterator[None]:
    """One thread; and what was imported leaves the garbage collector, whose full run at every start of training takes 0.6 s."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()
    yield
    gc.unfreeze()
    torch.set_num_threads(threads)
