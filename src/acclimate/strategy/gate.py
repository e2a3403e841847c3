"""The gate: an arm is recommended only if validation shows it better than the best control; "do not adapt" is a normal answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from acclimate.strategy.outcome import ArmResult, Ranking


def recommend(results: Sequence[ArmResult], best_arm: str, best_control: str) -> tuple[str, dict[str, Any]]:
    """The recommended name and why, as a message key with its figures.

    Only validation of the probe is read: the test measures the recommendation, it does not make it.
    """
    screened = {result.name: result for result in results if result.fidelity == "probe"}
    shown = screened[best_arm].validation_comparison
    if shown is None:
        return best_control, {"key": "gate.no_validation", "arm": best_arm, "control": best_control}
    figures = {
        "arm": best_arm,
        "control": best_control,
        "difference": shown.difference,
        "low": shown.low,
        "high": shown.high,
        "p": shown.p_corrected,
    }
    if shown.verdict == "helped":
        return best_arm, {"key": "gate.shown", **figures}
    return best_control, {"key": "gate.not_shown", **figures}


def offer(ranking: Ranking, best_arm: str, control: str) -> tuple[str, dict[str, Any]]:
    """The control, always: without labels no arm was shown better. The arm that the validator ranks first is offered with its risk.

    Returns:
        The control, and why, as a message key with the validator's measured failures.
    """
    scores = {name: float(np.mean(ranking.scores[name])) for name in (best_arm, control)}
    found = ranking.failures
    return control, {
        "key": "gate.offered" if scores[best_arm] > scores[control] else "gate.not_offered",
        "arm": best_arm,
        "control": control,
        "validator": ranking.validator,
        "score": scores[best_arm],
        "control_score": scores[control],
        "worse": found.worse,
        "cells": found.cells,
        "gain": found.gain,
    }
