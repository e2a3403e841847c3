"""The gate: an arm is recommended only if validation shows it better than the best control; "do not adapt" is a normal answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from acclimate.strategy.outcome import ArmResult


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
