"""Tiny models for every objective; trainings run on one thread and start quickly."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import transformers  # noqa: F401  # loaded before gc.freeze, so that its many objects are frozen too

from tests.causal import make_causal


@pytest.fixture(autouse=True, scope="package")
def quick_trainings() -> Iterator[None]:
    """One thread; and what was imported leaves the garbage collector, whose full run at every start of training takes 0.6 s."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()
    yield
    gc.unfreeze()
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def folders(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where the tiny models of texts lie."""
    return {"text": encoder_folder, "causal-lm": make_causal(tmp_path_factory.mktemp("llama"))}
