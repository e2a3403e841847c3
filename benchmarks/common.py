"""What every benchmark shares: where results go, and the facts without which a figure means nothing."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from acclimate.engine.storage import write_json

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("acclimate", "numpy", "scikit-learn", "torch", "transformers")


def machine() -> dict[str, Any]:
    """The machine, its load, the versions and the date. Machines are shared: quote ratios and CPU seconds, not wall time."""
    return {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def keep(name: str, **figures: Any) -> None:
    """Write ``results/<name>.json`` and rewrite ``docs/benchmarks.md``."""
    from benchmarks.tables import write_page

    write_json(RESULTS / f"{name}.json", {"machine": machine(), **figures})
    write_page()
