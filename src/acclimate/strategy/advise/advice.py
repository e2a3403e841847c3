"""The advice, as a value: traits, the rules that were walked, arms in order with reasons, and what was left out and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from acclimate.strategy.advise.rules import Finding, Step
from acclimate.strategy.advise.traits import Traits
from acclimate.strategy.arms import Arm
from acclimate.strategy.outcome import Fidelity

Basis = Literal["rules", "learned"]


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """One arm that is worth trying, or a control that is hard to beat.

    Attributes:
        gain, low, high: expected points of accuracy over the best control, with their interval (of language models: a rank alone).
        seconds: about how long one seed takes.
        reasons: the rules that speak for it, with the points each gives.
        risks: the rules that speak against it or warn, with the points each takes.
    """

    arm: Arm
    fidelity: Fidelity
    gain: float
    low: float
    high: float
    seconds: float
    reasons: tuple[tuple[str, float], ...] = ()
    risks: tuple[tuple[str, float], ...] = ()


@dataclasses.dataclass(frozen=True)
class Excluded:
    """An arm that was not ranked: what it needs and lacks, or its cost over the time there is (``seconds`` against ``limit``)."""

    arm: Arm
    lacks: Finding | None = None
    seconds: float | None = None
    limit: float | None = None


@dataclasses.dataclass(frozen=True)
class Advice:
    """What to try, in which order, and why.

    Attributes:
        source, target: names.
        traits: what was measured.
        steps: every rule, with whether it holds and the figures that say so: the tree that was walked.
        suggestions: arms and controls, most promising first.
        excluded: arms that these data do not allow, and why.
        basis: whether gains are those of the rules alone, or corrected by what was learned from measured comparisons.
        level: the share of cells in which an interval should hold the true gain; None where that was never measured.
        vectors: about how long it takes to embed everything once, in seconds; all arms share that.
        seconds: how long advising took.
    """

    source: str
    target: str
    traits: Traits
    steps: tuple[Step, ...]
    suggestions: tuple[Suggestion, ...]
    excluded: tuple[Excluded, ...]
    basis: Basis
    level: float | None
    vectors: float
    seconds: float

    @property
    def best(self) -> Suggestion:
        """The first suggestion; a control means that nothing is expected to be better."""
        return self.suggestions[0]

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The suggested arms in order, without the controls, which every comparison adds."""
        return tuple(suggestion.arm for suggestion in self.suggestions if not suggestion.arm.is_control)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; arms by name and in full."""
        return {
            "source": self.source,
            "target": self.target,
            "basis": self.basis,
            "level": self.level,
            "vectors": self.vectors,
            "seconds": self.seconds,
            "suggestions": [_suggested(one) for one in self.suggestions],
            "excluded": [_excluded(one) for one in self.excluded],
            "rules": [_walked(step) for step in self.steps],
            "traits": self.traits.to_dict(),
        }


def _suggested(suggestion: Suggestion) -> Mapping[str, Any]:
    values = {name: getattr(suggestion, name) for name in ("fidelity", "gain", "low", "high", "seconds")}
    said = {"reasons": dict(suggestion.reasons), "risks": dict(suggestion.risks)}
    return {"arm": suggestion.arm.name, "control": suggestion.arm.is_control, **values, **said}


def _excluded(one: Excluded) -> Mapping[str, Any]:
    why = dataclasses.asdict(one.lacks) if one.lacks else {"seconds": one.seconds, "limit": one.limit}
    return {"arm": one.arm.name, **why}


def _walked(step: Step) -> Mapping[str, Any]:
    rule = step.rule
    findings = [dataclasses.asdict(finding) for finding in step.findings]
    return {
        "name": rule.name,
        "topic": rule.topic,
        "holds": step.holds,
        "checks": findings,
        "effects": dict(rule.effects),
        "origin": rule.origin,
        "risk": rule.risk,
    }
