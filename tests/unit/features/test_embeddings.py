"""The embedder remembers: vectors equal the encoder's, and the model is not even loaded for texts that it has seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from acclimate.errors import InputError
from acclimate.features.embeddings import Embedder
from acclimate.models.encoder import Encoder

TEXTS = ["one", "", "今天", "two three", "one"]


@pytest.mark.parametrize("on_disk", [True, False])
def test_vectors_are_the_encoders_whether_computed_or_remembered(tiny_encoder: Path, tmp_path: Path, on_disk: bool) -> None:
    embed = Embedder(str(tiny_encoder), cache=tmp_path if on_disk else None, device="cpu")
    reference = Encoder.load(str(tiny_encoder), "cpu").encode(TEXTS)
    np.testing.assert_array_equal(embed(TEXTS[:2]), reference[:2])
    np.testing.assert_array_equal(embed(TEXTS), reference)
    assert embed.cache.computed == 4
    assert embed(TEXTS).dtype == np.float32


def test_torch_is_not_imported_when_every_text_is_known(tiny_encoder: Path, tmp_path: Path) -> None:
    Embedder(str(tiny_encoder), cache=tmp_path, device="cpu")(TEXTS)
    code = f"""
import sys
from pathlib import Path
from acclimate.features.embeddings import Embedder
embed = Embedder({str(tiny_encoder)!r}, cache=Path({str(tmp_path)!r}))
print(embed({TEXTS!r}).shape, embed.dim, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(5, 32) 32 False\n"


def test_another_length_is_another_space(tiny_encoder: Path, tmp_path: Path) -> None:
    text = ["a fairly long text"]
    short = Embedder(str(tiny_encoder), cache=tmp_path, device="cpu", max_length=4)
    assert not np.array_equal(short(text), Embedder(str(tiny_encoder), cache=tmp_path, device="cpu")(text))
    assert short.truncated == 1


def test_no_texts_give_no_vectors(tiny_encoder: Path, tmp_path: Path) -> None:
    assert Embedder(str(tiny_encoder), cache=tmp_path, device="cpu")([]).shape == (0, 32)


def test_the_default_cache_lies_in_acclimates_home(tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    Embedder(str(tiny_encoder), device="cpu")(["a"])
    assert len(list((tmp_path / "features").glob("*/*.safetensors"))) == 1


def test_a_model_that_does_not_exist_is_reported_at_once() -> None:
    with pytest.raises(InputError, match="There is no model"):
        Embedder("./nothing")
