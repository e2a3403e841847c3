"""``make train-prior``: learns the correction of advice from the evidence table and puts it into the package."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

import acclimate.strategy.advise.prior as prior
from acclimate.engine.storage import write_json
from benchmarks.advise_fit import WAYS, learn
from benchmarks.advise_table import FOLDER, read_cells

PLACE = Path(prior.__file__).parent / prior.FILE


def main() -> None:
    """Learn, write, and say the leave-one-data-set-out errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=FOLDER, help="the folder of evidence.parquet and traits.json")
    parser.add_argument("--out", type=Path, default=PLACE)
    parser.add_argument("--quick", action="store_true", help="ridge regression alone")
    given = parser.parse_args()
    ways = {way: fit for way, fit in WAYS.items() if way[0] == "ridge"} if given.quick else WAYS
    learned = learn(read_cells(given.table), ways)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    values = learned.to_dict()
    write_json(given.out, {**values, "facts": {**learned.facts, "date": today}})
    for words, value in learned.facts["errors"].items():
        print(f"{value:8.3f}  {words}")
    print(f"{learned.facts['rules_error']:8.3f}  rules alone\n{learned.facts['zero_error']:8.3f}  no gain anywhere")
    print(f"chosen: {learned.kind}, {learned.facts['settings']}; half-intervals {learned.widths}; written: {given.out}")


if __name__ == "__main__":
    main()
