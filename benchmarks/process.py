"""What a command takes: CPU seconds and memory of the whole tree of its processes, and wall time."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Taken:
    """CPU and wall seconds; the largest memory of the first process and of any other one, in MB; and how many others there were."""

    cpu: float
    wall: float
    first_mb: float
    other_mb: float
    others: int


def run(command: Sequence[str], every: float = 0.02, **environment: str) -> Taken:
    """Run a command to its end, looking at its processes all the time; those that outlive their last look count up to it.

    Raises:
        RuntimeError: it failed.
    """
    begun = time.monotonic()
    # Bytecode is kept from run to run, as it is of an installed package.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        command, env={**kept, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    cpu: dict[int, float] = {}
    memory: dict[int, float] = {}
    while process.poll() is None:
        for pid in _tree(process.pid):
            found = _look(pid)
            if found is not None:
                cpu[pid], memory[pid] = max(found[0], cpu.get(pid, 0.0)), max(found[1], memory.get(pid, 0.0))
        time.sleep(every)
    wall = time.monotonic() - begun
    if process.returncode:
        errors = process.stderr.read().decode() if process.stderr else ""
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {errors[-2000:]}")
    others = [pid for pid in memory if pid != process.pid]
    return Taken(
        sum(cpu.values()), wall, memory.get(process.pid, 0.0), max((memory[pid] for pid in others), default=0.0), len(others)
    )


def _tree(root: int) -> list[int]:
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                queue += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _look(pid: int) -> tuple[float, float] | None:
    """(CPU seconds, largest memory in MB) of a process so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM 0 kB")
    return (int(fields[11]) + int(fields[12])) / TICKS, int(peak.split()[1]) / 1024
