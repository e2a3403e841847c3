"""What every test shares: one thread, a home of its own for caches, a tiny random encoder and a synthetic domain shift."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: the tests already run in parallel
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may depend on a hub

import pytest

from tests.shift import make_encoder

ASSET_DOCTESTS = ("acclimate.tune.run.tune", "acclimate.pipeline.compare")


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 2 layers with random weights over a small vocabulary, saved as Hugging Face saves one."""
    return make_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An empty cache folder for code that writes into the user's."""
    before = os.environ.get("ACCLIMATE_HOME")
    os.environ["ACCLIMATE_HOME"] = str(tmp_path / "home")
    yield tmp_path / "home"
    if before is None:
        del os.environ["ACCLIMATE_HOME"]
    else:
        os.environ["ACCLIMATE_HOME"] = before


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Doctests of the verbs that load the packaged model or data are tests of assets."""
    for item in items:
        if isinstance(item, pytest.DoctestItem) and item.name in ASSET_DOCTESTS:
            item.add_marker(pytest.mark.assets)
