"""Augmentation policies as values: which augmenters, how many new examples, how strong; and the space that a search draws from."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from acclimate.augment import METHODS
from acclimate.data.domain import Modality
from acclimate.errors import InputError, unknown_name

#: Names under which methods call their strength: the share of words changed, the size of a distortion.
STRENGTHS = ("alpha", "rate", "strength", "magnitude", "share", "probability")
#: How far from a method's default a search goes, as a factor in both directions.
REACH = 4.0
#: What else may be varied, by method: choices beside the strength.
CHOICES: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "eda": {
        "operations": (("replace", "insert", "swap", "delete"), ("replace",), ("insert",), ("swap",), ("delete",)),
    }
}


@dataclasses.dataclass(frozen=True)
class Step:
    """One augmenter of a policy: its name, new examples for each one, and settings that differ from the defaults."""

    method: str
    times: int
    settings: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        told = ", ".join(f"{name}={'+'.join(value) if isinstance(value, tuple) else value}" for name, value in self.settings)
        return f"{self.method}×{self.times}" + (f"({told})" if told else "")


@dataclasses.dataclass(frozen=True)
class Policy:
    """Augmenters that act side by side on the same parents; without any it is "no augmentation"."""

    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return " + ".join(map(str, self.steps)) or "none"

    def to_recipe(self) -> list[dict[str, Any]]:
        """What stands under ``augment`` in a recipe.

        >>> Policy((Step("eda", 4, (("alpha", 0.1),)),)).to_recipe()
        [{'method': 'eda', 'times': 4, 'alpha': 0.1}]
        """
        return [
            {"method": step.method, "times": step.times, **{k: list(v) if isinstance(v, tuple) else v for k, v in step.settings}}
            for step in self.steps
        ]


class Suggest(Protocol):
    """The part of an Optuna trial that a space asks."""

    def suggest_int(self, name: str, low: int, high: int) -> int: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float: ...

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


@dataclasses.dataclass(frozen=True)
class PolicySettings:
    """What a policy search may try, and what it may cost. In a recipe: ``augment: {method: policy, trials: 30}``.

    Which augmenters act together, how many new examples each makes and how strongly it changes them, chosen by accuracy out of
    fold on the labelled part, with a tree-structured Parzen estimator (Bergstra 2011) as in Optuna.

    Use when: labels are few and nobody knows which augmenter suits. Expect "none" as the answer: gains of augmentation on text are
    tenths of a point, and fifty labels cannot show them. Avoid when: an augmenter costs seconds an example.

    Args:
        methods: augmenters that may be used; all that read the target and need no model of their own where not given.
        trials: policies tried.
        seconds: no new trial begins after so long; None for no limit.
        steps: the most augmenters in one policy.
        times: the most new examples for each one, by each augmenter.
        folds: K of the validation, where the target has no validation part.
        repeats: draws of folds and of augmentation that a trial is averaged over.
    """

    methods: tuple[str, ...] = ()
    trials: int = 20
    seconds: float | None = None
    steps: int = 2
    times: int = 8
    folds: int = 5
    repeats: int = 1

    def __post_init__(self) -> None:
        """Raises InputError: an unknown augmenter, or a number below what makes sense."""
        for name in self.methods:
            if name not in METHODS:
                raise unknown_name("augmenter", name, METHODS)
        low = {"trials": 1, "steps": 1, "times": 1, "folds": 2, "repeats": 1}
        for name, least in low.items():
            if getattr(self, name) < least:
                raise InputError(f"policy with {name}={getattr(self, name)}", expected=f"at least {least}")
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"policy with seconds={self.seconds}", expected="a number above 0, or none")

    def names(self, modality: Modality) -> tuple[str, ...]:
        """The augmenters that may be used on examples of a kind.

        Raises:
            InputError: there are none, or a named one cannot read them.
        """
        chosen = self.methods or tuple(name for name in METHODS if modality in METHODS[name].modality and is_light(name))
        wrong = [name for name in chosen if modality not in METHODS[name].modality]
        if wrong or not chosen:
            raise InputError(
                f"a policy of {', '.join(wrong) or 'no augmenter'} for examples of kind '{modality}'",
                expected="augmenters that read them",
                fix="`acclimate methods` says what each one reads",
            )
        return chosen


def is_light(name: str) -> bool:
    """Whether an augmenter works offline on one core in no time, from the examples alone: no model, training or other domain."""
    return not {"model", "llm", "there", "settings", "style", "training", "predict", "steps", "epochs"} & set(
        inspect.signature(METHODS[name]).parameters
    )


def strength_of(name: str) -> tuple[str, float, float] | None:
    """The setting that says how strong an augmenter acts, and the range that is searched; None where it has none.

    >>> strength_of("eda")
    ('alpha', 0.025, 0.4)
    """
    for setting, parameter in inspect.signature(METHODS[name]).parameters.items():
        default = parameter.default
        if setting in STRENGTHS and isinstance(default, float) and default > 0:
            high = default * REACH
            return setting, default / REACH, _accepted(name, setting, min(high, 0.9) if default < 1 else high, default)
    return None


def _accepted(name: str, setting: str, high: float, default: float) -> float:
    """The largest strength to try: ``high``, or the default where that is already the most that the method takes."""
    try:
        METHODS[name](**{setting: high})
    except InputError:
        return default
    except TypeError:  # it has to be handed more than settings; its range is then its own matter
        return high
    return high


def propose(trial: Suggest, names: Sequence[str], settings: PolicySettings) -> Policy:
    """A policy out of the space: for each augmenter how many new examples (0: not used), then how strong.

    At most ``settings.steps`` augmenters act: of more, those with the most new examples, the first ones of equals.
    """
    steps = []
    for name in names:
        times = trial.suggest_int(f"{name}.times", 0, settings.times)
        if times:
            steps.append(Step(name, times, tuple(_settings(trial, name))))
    kept = sorted(steps, key=lambda step: -step.times)[: settings.steps]
    return Policy(tuple(step for step in steps if step in kept))


def _settings(trial: Suggest, name: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    strength = strength_of(name)
    if strength is not None:
        setting, low, high = strength
        found.append((setting, round(trial.suggest_float(f"{name}.{setting}", low, high, log=True), 4)))
    for setting, choices in CHOICES.get(name, {}).items():
        labels = ["+".join(choice) for choice in choices]
        found.append((setting, choices[labels.index(trial.suggest_categorical(f"{name}.{setting}", labels))]))
    return found
