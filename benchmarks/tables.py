"""Writes ``docs/benchmarks.md`` from the results that are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from acclimate.engine.storage import read_json, write_text

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "docs" / "benchmarks.md"
HEAD = """\
# Benchmarks

Written by the benchmark commands from `benchmarks/results/*.json`; do not edit by hand. Machines are shared, so ratios and CPU
seconds mean more than wall time.
"""


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _controls(result: Mapping[str, Any]) -> str:
    rows = [
        (r["target"], r["control"], f"{r['accuracy']:.1f}", f"{r['reference']:.1f}", f"{r['accuracy'] - r['reference']:+.1f}")
        for r in result["rows"]
    ]
    return (
        "## Controls on icwsm4 (`make bench-controls`)\n\n"
        "Accuracy in percent on the sealed test: frozen MiniLM, logistic regression, 100 target labels, "
        f"{result['seeds']} seeds. The largest difference from the known baselines is {result['worst']:.2f} points "
        f"(at most {result['tolerance']} asked).\n\n" + table(("target", "control", "acclimate", "baseline", "difference"), rows)
    )


def _leakage(result: Mapping[str, Any]) -> str:
    rows = [(name, f"{mean(values):.1f}", ", ".join(f"{v:.1f}" for v in values)) for name, values in result["rows"].items()]
    return (
        "## Augmenting before the split (`make bench-leakage`)\n\n"
        "20 Newsgroups, 20 documents a class, EDA ×9, TF-IDF and logistic regression. Reference: 100.0% reported, 54.2% true. "
        "“Reported” is accuracy in percent on the held-out rows, “true” on the 10,893 training documents that were not drawn; the "
        "official test comes from later months and is harder. Handed the leaked files, acclimate removes the rows of the training "
        "file that descend from, or repeat, rows of the test file (“cleaned”), and says how many.\n\n"
        + table(("figure", "mean", "by seed"), rows)
    )


def _startup(result: Mapping[str, Any]) -> str:
    rows = [
        (f"`{r['command']}`", f"{r['median']:.3f}", f"{r['worst']:.3f}", "" if r["limit"] is None else f"{r['limit']:.1f}")
        for r in result["rows"]
    ]
    return "## Start-up (`make bench-startup`)\n\n" + table(("command", "median s", "worst s", "limit s"), rows)


SECTIONS: dict[str, Callable[[Mapping[str, Any]], str]] = {"controls": _controls, "leakage": _leakage, "startup": _startup}


def write_page() -> None:
    """Every section whose result exists, each with its machine."""
    parts = [HEAD]
    for name, section in SECTIONS.items():
        place = FOLDER / "results" / f"{name}.json"
        if not place.exists():
            continue
        result = read_json(place)
        facts = result["machine"]
        versions = ", ".join(f"{package} {number}" for package, number in facts["versions"].items())
        parts.append(f"{section(result)}\n\n{facts['date']}; {facts['system']}, load {facts['load']}; {versions}.\n")
    write_text(PAGE, "\n".join(parts))
