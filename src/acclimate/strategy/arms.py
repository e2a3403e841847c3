"""Arms: ways to adapt, as values that can be hashed, compared and printed in one line; and the controls beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from acclimate.select.pick import Pick

Settings = tuple[tuple[str, Any], ...]
Sources = Literal["none", "all", "selected"]


def settings(values: Mapping[str, Any]) -> Settings:
    """Settings as a hashable value, in order of name."""
    return tuple(sorted((name, _hashable(value)) for name, value in values.items()))


def _hashable(value: Any) -> Any:
    """Lists as tuples, mappings as sorted pairs, inside one another too."""
    if isinstance(value, Mapping):
        return settings(value)
    return tuple(_hashable(item) for item in value) if isinstance(value, list) else value


def as_given(values: Settings) -> dict[str, Any]:
    """Settings as a method takes them: mappings inside are mappings again.

    >>> as_given(settings({"alpha": 0.1, "llm": {"model": "m"}, "keep": ["numbers"]}))
    {'alpha': 0.1, 'keep': ('numbers',), 'llm': {'model': 'm'}}
    """
    return {name: _given(value) for name, value in values}


def _given(value: Any) -> Any:
    pairs = isinstance(value, tuple) and all(isinstance(item, tuple) and len(item) == 2 for item in value)
    return as_given(value) if pairs and value and all(isinstance(name, str) for name, _ in value) else value


def _told(value: Any) -> Any:
    """A mapping, which is held as pairs, as it was written: ``{agreement: false}``."""
    if isinstance(value, tuple) and value and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        return "{" + ", ".join(f"{key}: {_told(inner)}" for key, inner in value) + "}"
    return value


@dataclasses.dataclass(frozen=True)
class Method:
    """A method's name and its settings."""

    name: str
    settings: Settings = ()

    def __str__(self) -> str:
        inside = ", ".join(f"{key}={_told(value)}" for key, value in self.settings)
        return f"{self.name}({inside})" if inside else self.name


@dataclasses.dataclass(frozen=True)
class Arm:
    """One way to adapt.

    Attributes:
        source: which source data it learns from: none, all, or what ``select`` keeps of it.
        target: whether it learns from the target's labels; an arm that does not adapts without supervision.
        without: source domains that are left out before anything else.
        select, budget, pick: the selector, how much of the source it keeps, and how rows are taken; only where ``source`` is
            ``"selected"``.
        augment: augmenters (offline) and mixers (online), in order.
        objectives: further terms of the loss, by name with their settings.
        pretrain: what happens to the base model before fine-tuning, in order (``acclimate.tune.learn``); the probe does not see it.
        learn: trains several times, one training built on the last (``acclimate.tune.learn.COURSES``); seen in fine-tuning alone.
        features: adapts the frozen vectors on which the probe is fitted (``acclimate.tune.shallow``); None leaves them.
        target_weight: how much a target example weighs against a source example.
        control: the control's name, empty for an arm of the user's.
    """

    source: Sources
    target: bool = True
    select: Method | None = None
    budget: str = ""
    pick: Pick = dataclasses.field(default_factory=Pick)
    augment: tuple[Method, ...] = ()
    objectives: tuple[Method, ...] = ()
    pretrain: tuple[Method, ...] = ()
    learn: Method | None = None
    features: Method | None = None
    target_weight: float = 1.0
    control: str = ""
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.control or str(self)

    @property
    def is_control(self) -> bool:
        return bool(self.control)

    def __str__(self) -> str:
        parts = []
        if self.source == "all":
            parts.append("all source")
        elif self.select is not None:
            parts.append(f"{self.select} {self.budget}" + ("" if self.pick == Pick() else f" [{self.pick}]"))
        if self.without:
            parts[-1] += f" without {', '.join(self.without)}"
        if self.target:
            parts.append("target" if self.target_weight == 1 else f"target×{self.target_weight:g}")
        parts += [str(method) for method in (*self.augment, *self.pretrain, *self.objectives)]
        parts += [f"{self.learn}"] if self.learn else []
        parts += [f"{self.features} on features"] if self.features else []
        return " + ".join(parts)


TARGET_ONLY = Arm("none", control="target-only")
SOURCE_ONLY = Arm("all", target=False, control="source-only")
EVERYTHING = Arm("all", control="everything")


def controls(arms: Sequence[Arm], *, labels: bool = True) -> tuple[Arm, ...]:
    """The four controls: target only, source only, everything, and a random pick for each budget that the arms use.

    Without target ``labels`` there is no target only, everything is source only, and the random pick learns from no target label.
    """
    budgets = dict.fromkeys(arm.budget for arm in arms if arm.source == "selected")
    names = {budget: f"random {budget}" for budget in budgets or {"20%": None}}
    randoms = tuple(Arm("selected", labels, Method("random"), b, control=name) for b, name in names.items())
    if not labels:
        return (SOURCE_ONLY, *randoms)
    return (TARGET_ONLY, SOURCE_ONLY, EVERYTHING, *randoms)
