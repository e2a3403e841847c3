"""How a validator that sees no labels ranks the arms, and how often it was wrong before."""

from __future__ import annotations

import dataclasses

import numpy as np

from acclimate.report.wording import minus, points
from acclimate.strategy.outcome import Outcome


@dataclasses.dataclass(frozen=True)
class Row:
    """An arm's mean score and the range of its seeds."""

    name: str
    score: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Table:
    """Arms and controls, the best ranked first; ``figures`` fill the introduction."""

    rows: list[Row]
    seeds: int
    figures: dict[str, str]


def ranking(outcome: Outcome) -> Table | None:
    """The table; None where labels chose."""
    if outcome.ranking is None:
        return None
    found = outcome.ranking.failures
    rows = [Row(name, float(np.mean(of)), min(of), max(of)) for name, of in outcome.ranking.scores.items()]
    figures = {
        "validator": outcome.ranking.validator,
        "worse": str(found.worse),
        "cells": str(found.cells),
        "gain": points(found.gain),
        "possible": points(found.possible),
        "correlation": minus(f"{found.correlation:.2f}"),
    }
    return Table(sorted(rows, key=lambda row: -row.score), outcome.seeds["probe"], figures)
