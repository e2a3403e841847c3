"""A name leads to one model folder and a fingerprint, or to one clear error."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from acclimate.errors import InputError
from acclimate.models.reference import resolve


def copy_of(folder: Path, place: Path) -> Path:
    return Path(shutil.copytree(folder, place))


def test_a_folder_is_found_and_its_fingerprint_follows_its_content(tiny_encoder: Path, tmp_path: Path) -> None:
    original, copy = resolve(str(tiny_encoder)), copy_of(tiny_encoder, tmp_path / "copy")
    assert original.location == str(tiny_encoder)
    assert resolve(str(copy)).fingerprint == original.fingerprint
    (copy / "README.md").write_text("no part of the model", encoding="utf-8")
    assert resolve(str(copy)).fingerprint == original.fingerprint
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert resolve(str(copy)).fingerprint != original.fingerprint


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "two words", "a/b/c", ""])
def test_a_name_that_can_be_neither_folder_nor_hub_model_is_an_input_error(name: str) -> None:
    with pytest.raises(InputError, match="There is no model"):
        resolve(name)


def test_a_folder_without_config_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no config\.json"):
        resolve(str(tmp_path))


def test_pickled_weights_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    copy = copy_of(tiny_encoder, tmp_path / "copy")
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(InputError, match="no safetensors weights"):
        resolve(str(copy))


def resolve_offline(name: str, hub: Path) -> str:
    """What a fresh process with this hub cache and no network prints for a name."""
    code = """
import sys
from acclimate.errors import AcclimateError
from acclimate.models.reference import resolve
try:
    found = resolve(sys.argv[1])
    print(found.location, found.fingerprint, "torch" in sys.modules)
except AcclimateError as error:
    print(type(error).__name__, error)
"""
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(hub), "HOME": str(hub)}
    done = subprocess.run([sys.executable, "-c", code, name], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_cached_hub_model_is_found_without_network_and_named_by_its_commit(tiny_encoder: Path, tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    place = tmp_path / "models--some--model"
    copy_of(tiny_encoder, place / "snapshots" / commit)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit, encoding="utf-8")
    assert resolve_offline("some/model", tmp_path) == f"{place / 'snapshots' / commit} {commit} False\n"


def test_an_absent_hub_model_without_network_is_a_run_error(tmp_path: Path) -> None:
    assert resolve_offline("some/model", tmp_path).startswith("RunError The model 'some/model' is not on this machine")


@pytest.mark.assets
def test_the_packaged_encoder_resolves() -> None:
    found = resolve("asset:minilm")
    assert found.name == "asset:minilm"
    assert (Path(found.location) / "model.safetensors").stat().st_size > 80_000_000
