"""Two processes (gloo, on the CPU) train the networks of objectives as one: each ends with the same weights. Also a program."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

from acclimate.tune.adapted import Adapted
from acclimate.tune.hardware import Hardware
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import build_terms
from acclimate.tune.trainer import fine_tune
from tests.online import CLASSES, examples


def fingerprint(encoder: str, folder: Path | None = None) -> str:
    """Of the weights after a few steps with opponents, thawing layers and a rate for each, every batch in two parts."""
    settings = TuneSettings(steps=6, batch_size=8, lr=1e-3, unfreeze=0.2, layer_decay=2.0, checkpoint_every=2)
    terms = build_terms(["dann", "mdd", "dan", "l2-sp"])
    halves = Hardware(accumulate=2)
    adapted = fine_tune(encoder, examples("text"), CLASSES, settings, terms, folder=folder, save=bool(folder), hardware=halves)
    return hashed(adapted)


def hashed(adapted: Adapted) -> str:
    weights = adapted.model.state_dict()
    return hashlib.blake2b(b"".join(value.numpy().tobytes() for value in weights.values()), digest_size=8).hexdigest()


def test_both_processes_end_with_the_same_weights(encoder_folder: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(port)]
    program = ["-m", "tests.unit.tune.test_companions_distributed", str(encoder_folder), str(tmp_path)]
    done = subprocess.run(
        [*launch, *program],
        cwd=Path(__file__).parents[3],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = [(tmp_path / f"rank{rank}").read_text(encoding="utf-8") for rank in range(2)]
    assert said[0] == said[1]
    assert hashed(Adapted.load(tmp_path / "model", device="cpu")) == said[0]
    assert not (tmp_path / "model" / ".training").exists()
    assert said[0] != fingerprint(str(encoder_folder))  # other draws than one process makes: they did share the work


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    (Path(sys.argv[2]) / f"rank{os.environ['RANK']}").write_text(
        fingerprint(sys.argv[1], Path(sys.argv[2]) / "model"), encoding="utf-8"
    )
