"""An advice in words: what the command line prints and what the report's page shows, in one language."""

from __future__ import annotations

import dataclasses

from acclimate.report import wording
from acclimate.report.wording import Words
from acclimate.strategy.advise.advice import Advice, Excluded, Suggestion
from acclimate.strategy.advise.rules import Finding, Step

#: Traits that are shown whatever the rules ask, in this order.
SHOWN = (
    "source_rows",
    "source_domains",
    "target_labels",
    "target_unlabelled",
    "target_classes",
    "gap",
    "word_gap",
    "style_gap",
    "content_gap",
    "label_shift",
    "transfer",
    "learnable",
    "h_score",
    "spread_ratio",
    "distinct_ratio",
    "target_balance",
    "repeated_source",
    "repeated_target",
    "repeated_across",
)
#: Traits that are shares, or points of accuracy.
_SHARES = frozenset(
    {"transfer", "learnable", "chance", "transfer_margin", "transfer_lead", "repeated_target", "repeated_source", "repeated_across"}
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A suggestion in words; ``gain`` and ``interval`` are dashes for a language model, of which only the order is advised.

    ``reasons`` and ``risks`` are numbers of branches of the tree.
    """

    name: str
    is_control: bool
    gain: str
    interval: str
    seconds: str
    reasons: tuple[int, ...]
    risks: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Branch:
    """A rule in words: whether it holds, its figures (one by one, and on one line), and where it is taken from."""

    number: int
    topic: str
    rule: str
    holds: bool
    risk: bool
    findings: tuple[str, ...]
    compared: str
    origin: str


@dataclasses.dataclass(frozen=True)
class Told:
    """A whole advice in words."""

    title: str
    headline: str
    read: str
    basis: str
    rows: tuple[Row, ...]
    tree: tuple[Branch, ...]
    excluded: tuple[tuple[str, str], ...]
    measured: tuple[tuple[str, str], ...]
    parts: tuple[tuple[str, str, str], ...]


def tell(advice: Advice, words: Words) -> Told:
    """Put an advice into words."""
    says = _Teller(advice, words)
    traits = advice.traits
    best = advice.best
    return Told(
        title=says("title", source=advice.source, target=advice.target),
        headline=says("keep" if best.arm.is_control else "adapt", **{_slot(best): says.arm(best.arm.name)}),
        read=says(
            "read",
            sampled=traits.sampled,
            seconds=f"{advice.seconds:.1f}",
            features=says.features(),
            vectors=f"{advice.vectors:,.0f}",
        ),
        basis=says.basis(),
        rows=tuple(says.row(suggestion) for suggestion in advice.suggestions),
        tree=tuple(says.branch(number, step) for number, step in enumerate(advice.steps, 1)),
        excluded=tuple((says.arm(one.arm.name), says.lacks(one)) for one in advice.excluded),
        measured=tuple((says(f"trait.{name}"), says.figure(name)) for name in SHOWN if traits.number(name) is not None),
        parts=tuple((part.name, f"{part.rows:,}", says.gap(part.gap, part.low, part.high)) for part in traits.parts),
    )


def _slot(best: Suggestion) -> str:
    return "control" if best.arm.is_control else "arm"


class _Teller:
    """The words of one advice in one language, as plain text."""

    def __init__(self, advice: Advice, words: Words) -> None:
        self._advice = advice
        self._words = words
        self._numbers = {step.rule.name: number for number, step in enumerate(advice.steps, 1)}

    def __call__(self, key: str, **values: object) -> str:
        return self._words(f"advise.{key}", **values).unescape()

    def arm(self, name: str) -> str:
        return str(self._words.arm(name))

    def features(self) -> str:
        name = self._advice.traits.features
        return str(self._words.known(f"advise.features.{name}", name))

    def basis(self) -> str:
        advice = self._advice
        if advice.traits.task == "causal-lm":
            return self("language")
        return self(f"basis.{advice.basis}", level=f"{100 * (advice.level or 0):.0f}%")

    def row(self, one: Suggestion) -> Row:
        measured = self._advice.traits.task != "causal-lm"
        return Row(
            name=self("control", arm=self.arm(one.arm.name)) if one.arm.is_control else self.arm(one.arm.name),
            is_control=one.arm.is_control,
            gain=wording.points(one.gain / 100) if measured else self("unranked"),
            interval=f"{wording.points(one.low / 100)} … {wording.points(one.high / 100)}" if measured else self("unranked"),
            seconds=f"{one.seconds:,.0f}",
            reasons=tuple(self._numbers[name] for name, _ in one.reasons),
            risks=tuple(self._numbers[name] for name, _ in one.risks),
        )

    def finding(self, found: Finding) -> str:
        """A figure and the bound it was compared with."""
        return self("finding" if found.holds else "missed", **self._compared(found))

    def branch(self, number: int, step: Step) -> Branch:
        rule = step.rule
        findings = tuple(self.finding(found) for found in step.findings)
        return Branch(
            number,
            self(f"topic.{rule.topic}"),
            self(f"rule.{rule.name}"),
            step.holds,
            rule.risk,
            findings,
            self("between").join(findings),
            rule.origin,
        )

    def lacks(self, one: Excluded) -> str:
        if one.lacks is not None:
            return self("lacks", **self._compared(one.lacks))
        return self("slow", seconds=f"{one.seconds or 0:,.0f}", limit=f"{one.limit or 0:,.0f}")

    def figure(self, name: str) -> str:
        """A trait's value; of the gap with its interval."""
        traits = self._advice.traits
        if name == "gap":
            return self.gap(traits.gap, traits.gap_low, traits.gap_high)
        if name == "transfer":
            ends = (traits.transfer_low or 0.0, traits.transfer_high or 0.0)
            return f"{_shown(name, traits.transfer or 0.0)} ({_shown(name, ends[0])} … {_shown(name, ends[1])})"
        value = traits.number(name)
        return self("unmeasured") if value is None else _shown(name, value)

    def gap(self, value: float | None, low: float | None, high: float | None) -> str:
        if value is None or low is None or high is None:
            return self("unmeasured")
        return f"{value:.2f} ({low:.2f} … {high:.2f})"

    def _compared(self, found: Finding) -> dict[str, str]:
        return {
            "trait": self(f"trait.{found.trait}"),
            "value": self("unmeasured") if found.value is None else _shown(found.trait, found.value),
            "relation": self(f"relation.{found.relation}"),
            "bound": _shown(found.trait, found.bound),
        }


def _shown(trait: str, value: float) -> str:
    """A figure as readers expect it: shares in percent, counts whole, others with three digits."""
    if trait in _SHARES:
        return wording.minus(f"{100 * value:.1f}%")
    if float(value).is_integer():
        return wording.minus(f"{value:,.0f}")
    return wording.significant(value)
