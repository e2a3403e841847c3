"""Do the intervals hold the truth as often as they say? `make bench-coverage`, three minutes on one core.

Right and wrong answers of an arm and a control are simulated with a known difference of accuracy: items differ in difficulty, which
both feel alike and each a little by itself; every seed has its luck, each arm's its own; the rest is noise. Every seed measures the
same items (a test), or draws its own (folds of a validation). Asked of `evaluate/verdict.py`: the 95% interval holds the true
difference in 93 to 97% of 1,000 repetitions, and an arm without effect is said to have helped in at most 5%.

Designs are kept in `runs/bench-coverage`, so that a stopped run goes on (empty it when the intervals change). `--quick`: 100
repetitions of four designs, which prove nothing.
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from acclimate.engine.storage import content_hash, read_json, write_json
from acclimate.evaluate.intervals import difference_interval
from acclimate.evaluate.tests import holm
from acclimate.evaluate.verdict import paired_p_value, verdict
from benchmarks.common import keep

PARTS = Path("runs") / "bench-coverage"
REPETITIONS = 1_000
GAIN = 0.03
#: Standard deviations on the scale of difficulty: shared by both arms, an arm's own, noise of each answer.
SHARED, OWN, NOISE = 1.0, 0.4, 0.7
#: Arms without effect that are compared with one control at a time.
FAMILY = 5

Values = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Design:
    """``luck``: spread of seeds; 0.1 is about one point of accuracy, 0.4 about five. ``pool``: items of which each seed draws."""

    items: int
    seeds: int
    luck: float
    accuracy: float = 0.75
    pool: int = 0


def designs(quick: bool) -> list[Design]:
    if quick:
        return [Design(100, seeds, luck) for seeds, luck in itertools.product((3, 5), (0.0, 0.4))]
    lucks = (0.0, 0.1, 0.4)
    grid = [Design(*cell) for cell in itertools.product((100, 300), (3, 5), lucks)]
    large = [Design(1_000, seeds, 0.1) for seeds in (3, 5)]
    ends = [Design(100, 1, 0.0), Design(300, 1, 0.0), *(Design(300, 10, luck) for luck in (0.0, 0.4))]
    easy = [Design(300, 5, luck, accuracy=0.93) for luck in lucks]
    folds = [Design(100, seeds, luck, pool=1_500) for seeds, luck in itertools.product((3, 5), (0.0, 0.4))]
    return [*grid, *large, *ends, *easy, *folds]


def simulate(rng: np.random.Generator, at: Design, gains: tuple[float, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64], Values]:
    """Items ``(n,)``, seeds ``(n,)``, and correctness of the control and of one arm for each gain, ``(1 + arms, n)``.

    A threshold model: an answer is right where ease, item, luck and noise sum above 0, so the accuracy is exactly what is asked.
    """
    size, arms = at.pool or at.items, 1 + len(gains)
    drawn = [rng.choice(size, at.items, replace=False) if at.pool else np.arange(at.items) for _ in range(at.seeds)]
    item, seed = np.concatenate(drawn), np.repeat(np.arange(at.seeds), at.items)
    spread = np.sqrt(SHARED**2 + OWN**2 + at.luck**2 + NOISE**2)
    ease = norm.ppf([at.accuracy, *(at.accuracy + gain for gain in gains)])[:, None] * spread
    shared, own = rng.normal(0, SHARED, size), rng.normal(0, OWN, (arms, size))
    luck = rng.normal(0, at.luck, (arms, at.seeds)) if at.luck else np.zeros((arms, at.seeds))
    right = ease + shared[item] + own[:, item] + luck[:, seed] + rng.normal(0, NOISE, (arms, len(item))) > 0
    return item, seed, right.astype(np.float64)


def measure(at: Design, repetitions: int) -> dict[str, Any]:
    """Coverage of a gain and of no gain, and how often an arm of no effect is said to help: alone, and any of a family."""
    rng = np.random.default_rng([at.items, at.seeds, int(100 * at.luck), int(100 * at.accuracy), at.pool])
    covered, nothing, helped, any_helped, widths = 0, 0, 0, 0, []
    for _ in range(repetitions):
        item, seed, right = simulate(rng, at, (GAIN, *[0.0] * FAMILY))
        gained = difference_interval(item, seed, right[1] - right[0])
        covered += gained.low <= GAIN <= gained.high
        widths.append(gained.high - gained.low)
        found = [_judged(item, seed, arm - right[0]) for arm in right[2:]]
        nothing += found[0][0] <= 0 <= found[0][1]
        helped += verdict(*found[0]) == "helped"
        corrected = holm([p for _, _, p in found])
        any_helped += any(verdict(low, high, p) == "helped" for (low, high, _), p in zip(found, corrected, strict=True))
    shares = {"coverage": covered, "coverage_of_none": nothing, "false_helped": helped, "false_helped_any": any_helped}
    return {
        **dataclasses.asdict(at),
        **{name: count / repetitions for name, count in shares.items()},
        "width": float(np.mean(widths)),
    }


def _judged(item: NDArray[np.int64], seed: NDArray[np.int64], difference: Values) -> tuple[float, float, float]:
    interval = difference_interval(item, seed, difference)
    return interval.low, interval.high, paired_p_value(item, seed, difference)


def outside(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Designs beyond 93 to 97%, or with false "helped" above 5%."""
    for row in rows:
        off = not all(0.93 <= row[name] <= 0.97 for name in ("coverage", "coverage_of_none"))
        if off or max(row["false_helped"], row["false_helped_any"]) > 0.05:
            yield row


def main() -> None:
    quick = "--quick" in sys.argv
    repetitions = 100 if quick else REPETITIONS
    begun = time.process_time()
    rows = []
    for design in designs(quick):
        place = PARTS / f"{content_hash('coverage', 1, dataclasses.astuple(design), repetitions, GAIN, FAMILY)}.json"
        if not place.exists():
            write_json(place, measure(design, repetitions))
        rows.append(read_json(place))
        sys.stdout.write(f"{rows[-1]}\n")
        sys.stdout.flush()
    sys.stdout.write(f"outside: {len(list(outside(rows)))} of {len(rows)}; {time.process_time() - begun:.0f} CPU s\n")
    keep("coverage-quick" if quick else "coverage", repetitions=repetitions, gain=GAIN, family=FAMILY, rows=rows)


if __name__ == "__main__":
    main()
