"""Rules to ranked arms: what every rule that holds gives or takes, summed, against the control that is hardest to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from acclimate.strategy.advise.rules import BASE, Step
from acclimate.strategy.advise.tags import tags_of
from acclimate.strategy.arms import Arm

#: Half the interval around a gain by rules alone, in points, with and without target labels. Nothing was learned, so it is wide:
#: the spread of gains over the cells of SKADA-Bench, and over draws of a hundred labels in docs/benchmarks.md.
WIDTH, WIDTH_BLIND = 3.0, 6.0


class Worth(NamedTuple):
    """An arm's sum in points, and the rules behind it: those that give, and those that take."""

    points: float
    gives: tuple[tuple[str, float], ...]
    takes: tuple[tuple[str, float], ...]


def worth(arm: Arm, steps: Sequence[Step]) -> Worth:
    """What the rules that hold say of one arm."""
    tags = tags_of(arm)
    moved = [(step.rule.name, _moves(step, tags)) for step in steps if step.holds]
    gives = tuple((name, points) for name, points in moved if points > 0)
    takes = tuple((name, points) for name, points in moved if points < 0)
    return Worth(sum(BASE.get(tag, 0.0) for tag in sorted(tags)) + sum(points for _, points in moved), gives, takes)


def _moves(step: Step, tags: frozenset[str]) -> float:
    return sum(points for tag, points in step.rule.effects.items() if tag in tags)


def gains(arms: Sequence[Arm], steps: Sequence[Step]) -> list[float]:
    """Points of every arm over the best control among them (over nothing, where there is no control), by rules alone."""
    points = [worth(arm, steps).points for arm in arms]
    best = max((value for arm, value in zip(arms, points, strict=True) if arm.is_control), default=0.0)
    return [value - best for value in points]
