"""Nothing that a user hands over runs code: no pickle is opened, a model's own code runs only where it was asked for by name."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from acclimate.data.load import load
from acclimate.errors import InputError
from acclimate.models.encoder import Encoder
from acclimate.models.reference import TRUST, resolve
from acclimate.tune.run import tune
from tests.unit.tune.test_adapted import make_target

CODE = """\
from pathlib import Path
from transformers import BertConfig, BertModel

Path(__file__).with_name("ran").touch()
Path({witness!r}).touch()


class OwnConfig(BertConfig):
    model_type = "own-bert"


class OwnModel(BertModel):
    config_class = OwnConfig
"""


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.witness,))


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    return tmp_path / "witness"


@pytest.fixture
def own(encoder_folder: Path, tmp_path: Path, witness: Path) -> Path:
    """A model that needs a Python file of its own folder."""
    folder = Path(shutil.copytree(encoder_folder, tmp_path / "own"))
    (folder / "modeling_own.py").write_text(CODE.format(witness=str(witness)), encoding="utf-8")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own-bert",
        "architectures": ["OwnModel"],
        "auto_map": {"AutoConfig": "modeling_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_the_bomb_goes_off_where_it_is_opened(witness: Path) -> None:
    pickle.loads(pickle.dumps(Bomb(witness)))
    assert witness.exists()


def test_pickled_weights_are_refused_unopened(encoder_folder: Path, tmp_path: Path, witness: Path) -> None:
    folder = Path(shutil.copytree(encoder_folder, tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(witness)))
    for use in (resolve, Encoder.load, lambda name: tune(name, make_target(), settings={"steps": 1})):
        with pytest.raises(InputError, match=r"no safetensors weights.*can run code when opened and are never read"):
            use(str(folder))
    with pytest.raises(InputError, match=r"is a file.*never read"):
        resolve(str(folder / "pytorch_model.bin"))
    assert not witness.exists()


def test_pickles_beside_good_weights_are_not_opened(encoder_folder: Path, tmp_path: Path, witness: Path) -> None:
    folder = Path(shutil.copytree(encoder_folder, tmp_path / "model"))
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt"):
        (folder / name).write_bytes(pickle.dumps(Bomb(witness)))
    weights = Encoder.load(str(folder), device="cpu").model.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in load_file(folder / "model.safetensors").items())
    assert not witness.exists()


@pytest.mark.parametrize("name", ["pool.pkl", "pool.npy", "pool.npz", "pool.pt", "pool.joblib", "pool.pkl.gz"])
def test_pickled_data_is_refused_unopened(name: str, tmp_path: Path, witness: Path) -> None:
    if name.endswith(".npy"):
        np.save(tmp_path / name, np.array([Bomb(witness)], dtype=object), allow_pickle=True)
    else:
        (tmp_path / name).write_bytes(pickle.dumps(Bomb(witness)))
    with pytest.raises(InputError, match=r"pickle, which can run code.*not opened.*parquet"):
        load(tmp_path / name)
    assert not witness.exists()


def test_a_models_own_code_is_not_run_unasked(own: Path, witness: Path) -> None:
    with pytest.raises(InputError, match=f"needs code from its own repository, which is not run unasked.*{TRUST}="):
        Encoder.load(str(own))
    assert not witness.exists()


def test_trust_in_one_model_is_no_trust_in_another(own: Path, witness: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRUST, "someone/else, other")
    with pytest.raises(InputError, match="not run unasked"):
        Encoder.load(str(own))
    assert not witness.exists()


def test_asked_for_by_name_the_code_runs_and_its_text_is_part_of_the_fingerprint(
    own: Path, witness: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a process of its own: transformers keeps what it imported."""
    program = (
        "import sys\n"
        "from acclimate.models.encoder import Encoder\n"
        "encoder = Encoder.load(sys.argv[1], device='cpu')\n"
        "print(type(encoder.model).__name__, encoder.encode(['the nurse was good']).shape)\n"
    )
    environment = os.environ | {TRUST: f"x, {own}", "HF_MODULES_CACHE": str(tmp_path / "modules"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program, str(own)], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "OwnModel (1, 32)\n", done.stderr[-2000:]
    assert witness.exists()
    before = resolve(str(own)).fingerprint
    monkeypatch.setenv(TRUST, str(own))
    trusted = resolve(str(own)).fingerprint
    assert trusted != before
    (own / "modeling_own.py").write_text("changed", encoding="utf-8")
    assert resolve(str(own)).fingerprint != trusted


def test_a_recipe_cannot_ask_for_it() -> None:
    from acclimate.recipe import parse_recipe

    with pytest.raises(InputError, match="unknown key"):
        parse_recipe("source: {path: a}\ntarget: {path: b}\narms: [{source: all}]\ntrust_remote_code: true\n")
