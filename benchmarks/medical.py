"""Medical questions, school mathematics and abstracts as texts: what the benchmarks of language models learn from."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.parquet as pq

from acclimate.data.domain import Domain, from_columns

DATA = Path(__file__).parents[2] / "shared" / "data"
#: Question and answer of each set.
COLUMNS = {"medquad": ("question", "answer"), "gsm8k": ("question", "answer"), "pubmedqa": ("question", "long_answer")}


def present() -> bool:
    """Whether all three are there; says which is not."""
    absent = [name for name in COLUMNS if not place(name).exists()]
    if absent:
        sys.stdout.write(f"skipped: '{place(absent[0])}' is absent\n")
    return not absent


def place(name: str) -> Path:
    """The file of a set."""
    return DATA / name / "data.parquet"


def texts(name: str) -> Domain:
    """A set as texts, question and answer; of medquad each collection is a domain of its own."""
    table = pq.read_table(place(name))
    question, answer = (table.column(column).to_pylist() for column in COLUMNS[name])
    rows = [row for row, text in enumerate(answer) if text]
    domains = table.column("collection").to_pylist() if name == "medquad" else [name] * len(table)
    said = [f"Question: {question[row]}\nAnswer: {answer[row]}" for row in rows]
    return from_columns(name, said, ids=[f"{name}:{row}" for row in rows], domains=[domains[row] for row in rows])
