"""Benchmarks are run by hand, and long after the code they call has changed: at least all that they name must be there."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
#: Runs in an environment of its own, with packages that are no dependency.
ELSEWHERE = ("reference_datasketch",)


@pytest.mark.parametrize("name", sorted({file.stem for file in BENCHMARKS.glob("*.py")} - {"__init__", *ELSEWHERE}))
def test_every_name_that_a_benchmark_imports_is_there(name: str) -> None:
    importlib.import_module(f"benchmarks.{name}")
