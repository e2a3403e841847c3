"""How long the first things a user types take. `make bench-startup`, some seconds."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.common import keep

COMMANDS = {
    "import acclimate": ([sys.executable, "-c", "import acclimate"], 0.5),
    "acclimate --help": ([str(Path(sys.executable).parent / "acclimate"), "--help"], 1.0),
    "python -c pass": ([sys.executable, "-c", "pass"], None),
}


def main() -> None:
    rows = []
    for name, (command, limit) in COMMANDS.items():
        walls = []
        for _ in range(3 if "--quick" in sys.argv else 9):
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            walls.append(time.perf_counter() - started)
        rows.append({"command": name, "median": statistics.median(walls), "worst": max(walls), "limit": limit})
        sys.stdout.write(f"{name:20} median {statistics.median(walls):.3f} s, worst {max(walls):.3f} s\n")
    keep("startup", rows=rows)


if __name__ == "__main__":
    main()
