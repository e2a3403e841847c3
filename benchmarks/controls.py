"""Do the probe's controls on icwsm4 agree with the known baselines? `make bench-controls`, minutes once texts are embedded."""

from __future__ import annotations

import sys

import numpy as np

from acclimate.demo import demo_recipe
from acclimate.pipeline import prepare
from acclimate.strategy.arms import controls
from acclimate.strategy.units import Bench
from benchmarks.common import keep

#: Accuracy in percent of frozen MiniLM with logistic regression, 100 target labels, 5 seeds, 1,000 test items.
REFERENCE = {
    "tweets": {"target-only": 83.2, "source-only": 80.6, "everything": 84.8, "random 20%": 85.7},
    "movie": {"target-only": 69.4, "source-only": 72.9, "everything": 73.6, "random 20%": 72.3},
    "amazon": {"target-only": 77.3, "source-only": 79.5, "everything": 79.8, "random 20%": 79.3},
    "nyt": {"target-only": 74.3, "source-only": 77.7, "everything": 77.9, "random 20%": 77.1},
}
TOLERANCE = 1.5


def measure(target: str, seeds: int) -> dict[str, float]:
    """Mean test accuracy in percent of each control, as ``acclimate demo text --target`` measures it."""
    job = prepare(demo_recipe(target=target))
    bench = Bench(job.plan, job.embed, job.embed.reference.fingerprint, None)
    accuracies = {
        arm.name: [bench.carry_out(arm, "probe", seed).facts["scores"]["test"]["accuracy"] for seed in range(seeds)]
        for arm in controls(job.plan.arms)
    }
    return {name: 100 * float(np.mean(values)) for name, values in accuracies.items()}


def main() -> None:
    seeds = 2 if "--quick" in sys.argv else 5
    rows = []
    for target, reference in REFERENCE.items():
        for name, accuracy in measure(target, seeds).items():
            rows.append({"target": target, "control": name, "accuracy": accuracy, "reference": reference[name]})
            sys.stdout.write(f"{target:8} {name:12} {accuracy:5.1f}  reference {reference[name]:5.1f}\n")
    worst = max(abs(row["accuracy"] - row["reference"]) for row in rows)
    sys.stdout.write(f"largest difference: {worst:.2f} points (at most {TOLERANCE} asked)\n")
    keep("controls", seeds=seeds, tolerance=TOLERANCE, worst=worst, rows=rows)


if __name__ == "__main__":
    main()
