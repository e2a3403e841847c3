"""What a point of the space means: an arm and how it is trained, with some settings changed."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from acclimate.augment import METHODS as EXPANDERS
from acclimate.augment import ONLINE
from acclimate.augment.policy import strength_of
from acclimate.errors import InputError, unknown_name
from acclimate.select import METHODS as SELECTORS
from acclimate.strategy.arms import Arm, Method, as_given, settings
from acclimate.strategy.search.space import Choice, Dimension, Range, Value
from acclimate.tune import OBJECTIVES
from acclimate.tune.learn import COURSES, STAGES
from acclimate.tune.probe import Probe
from acclimate.tune.settings import TuneSettings
from acclimate.tune.shallow import METHODS as SHALLOW

if TYPE_CHECKING:  # an outcome knows gaps, and they torch, which reading a recipe does not need
    from acclimate.strategy.outcome import Fidelity

#: What the pipeline hands to a constructor; not settings.
_PROVIDED = frozenset(("embed", "seed", "learner", "predict", "language_model", "tools", "style", "training", "teacher", "workers"))
_TUNED = tuple(field.name for field in dataclasses.fields(TuneSettings))
#: How much longer or shorter than what the recipe says is tried, as a factor in both directions.
_REACH = 4.0


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One way to adapt with every setting decided.

    Attributes:
        arm: of the recipe, perhaps with other settings.
        tune: how fine-tuning trains; the probe does not look at it.
        C: inverse strength of the probe's penalty; fine-tuning does not look at it.
        epochs: passes over everything learned from, which replace ``tune.steps``; None leaves the steps.
    """

    arm: Arm
    tune: TuneSettings = dataclasses.field(default_factory=TuneSettings)
    C: float = Probe.C
    epochs: float | None = None

    def with_steps(self, examples: int) -> Candidate:
        """The same with epochs as steps: those that see each of ``examples`` so often."""
        if self.epochs is None:
            return self
        steps = max(1, math.ceil(self.epochs * examples / self.tune.batch_size))
        return dataclasses.replace(self, tune=dataclasses.replace(self.tune, steps=steps), epochs=None)


def apply(base: Candidate, values: Mapping[str, Value]) -> Candidate:
    """``base`` with the settings that ``values`` names (see :func:`known_names`).

    Raises:
        InputError: an unknown name, or a value that its setting refuses.

    >>> changed = apply(Candidate(Arm("none", augment=(Method("eda"),))), {"lr": 3e-5, "augment.eda.times": 2})
    >>> changed.tune.lr, str(changed.arm)
    (3e-05, 'target + eda(times=2)')
    """
    found = base
    for name, value in values.items():
        found = _with(found, name, value)
    return found


def _with(base: Candidate, name: str, value: Value) -> Candidate:
    if name == "C":
        return dataclasses.replace(base, C=Probe(float(value)).C)
    if name == "epochs":
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise InputError(f"{value!r} epochs", expected="a number above 0")
        return dataclasses.replace(base, epochs=float(value))
    if name in _TUNED:
        return dataclasses.replace(base, tune=TuneSettings.of({**dataclasses.asdict(base.tune), name: value}))
    return dataclasses.replace(base, arm=_arm_with(base.arm, name, value))


def _arm_with(arm: Arm, name: str, value: Value) -> Arm:
    part, _, rest = name.partition(".")
    if name == "target_weight":
        return dataclasses.replace(arm, target_weight=_positive(name, value))
    if name == "budget" and arm.select is not None:
        from acclimate.select.budget import Budget

        return dataclasses.replace(arm, budget=str(Budget.parse(value)))
    if part in _LISTS:
        method, _, setting = rest.partition(".")
        methods: tuple[Method, ...] = getattr(arm, part)
        if setting and any(one.name == method for one in methods):
            changed: Any = tuple(_setting(one, setting, value) if one.name == method else one for one in methods)
            return dataclasses.replace(arm, **{part: changed})
    elif part in _SINGLE and rest and getattr(arm, part) is not None:
        single: Any = _setting(getattr(arm, part), rest, value)
        return dataclasses.replace(arm, **{part: single})
    raise unknown_name("setting to search", name, known_names(arm))


def _positive(name: str, value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InputError(f"{name} of {value!r}", expected="a number above 0")
    return float(value)


def _setting(method: Method, name: str, value: Value) -> Method:
    return Method(method.name, settings({**as_given(method.settings), name: value}))


#: Parts of an arm that hold methods, with their families; ``part.METHOD.SETTING`` for lists, ``part.SETTING`` for single ones.
_LISTS: Mapping[str, Mapping[str, Any]] = {
    "augment": {**EXPANDERS, **ONLINE},
    "objectives": OBJECTIVES,
    "pretrain": STAGES,
}
_SINGLE: Mapping[str, Mapping[str, Any]] = {"select": SELECTORS, "features": SHALLOW, "learn": COURSES}


def known_names(arm: Arm, fidelity: Fidelity | None = None) -> list[str]:
    """Everything that may be searched about an arm, at one fidelity or (None) at either."""
    found = ["target_weight"] if arm.target and arm.source != "none" else []
    found += ["C"] if fidelity != "fine-tune" and arm.features is None else []
    found += ["epochs", *_TUNED] if fidelity != "probe" else []
    found += ["budget"] if arm.select is not None else []
    for part, family in _SINGLE.items():
        method: Method | None = getattr(arm, part)
        found += [f"{part}.{name}" for name in _settings_of(family, method.name)] if method else []
    for part, family in _LISTS.items():
        for method in getattr(arm, part):
            names = [*_settings_of(family, method.name), *_beside(part, method.name)]
            found += [f"{part}.{method.name}.{name}" for name in names]
    return found


def _beside(part: str, method: str) -> list[str]:
    """Settings beside a constructor's."""
    if part == "objectives":
        return ["weight", "schedule"]
    return ["times"] if part == "augment" and method in EXPANDERS else []


def _settings_of(family: Mapping[str, Any], name: str) -> Iterable[str]:
    return [key for key in inspect.signature(family[name]).parameters if key not in _PROVIDED] if name in family else []


def default_space(base: Candidate, fidelity: Fidelity) -> dict[str, Dimension]:
    """What is searched where a recipe names nothing.

    Of training: the rate and the batch of Devlin 2019 (appendix A.3: 2e-5 to 5e-5, 16 or 32) a decade further to the upper side,
    since smaller encoders want higher rates; weight decay around its usual 0.01; dropout up to a half; epochs and schedule. Of the
    probe: its penalty, four decades around the default. Of the arm: how much of the source, how much a target label weighs, how
    many examples augmentation adds and how strongly it changes them, and the weights of the objectives.
    """
    arm = base.arm
    space: dict[str, Dimension] = {}
    if fidelity == "fine-tune":
        space["lr"] = Range(1e-5, 1e-3, log=True)
        space["batch_size"] = Choice((8, 16, 32))
        space["weight_decay"] = Range(1e-4, 0.3, log=True)
        space["dropout"] = Range(0.0, 0.5)
        space["schedule"] = Choice(("linear", "cosine", "constant"))
        if arm.source == "none":
            space["epochs"] = Range(2, 20, log=True)
        else:
            space["steps"] = Range(max(1, round(base.tune.steps / _REACH)), round(base.tune.steps * _REACH), log=True)
    elif arm.features is None:
        space["C"] = Range(Probe.C / 100, Probe.C * 100, log=True)
    if arm.select is not None and arm.budget.endswith("%"):
        space["budget"] = Choice(tuple(dict.fromkeys(("5%", "10%", "20%", "50%", arm.budget))))
    if arm.source != "none" and arm.target:
        space["target_weight"] = Range(0.5, 20.0, log=True)
    for method in arm.augment:
        if method.name in EXPANDERS:
            space[f"augment.{method.name}.times"] = Range(1, 8, log=True)
            strength = strength_of(method.name)
            if strength is not None:
                space[f"augment.{method.name}.{strength[0]}"] = Range(strength[1], strength[2], log=True)
    if fidelity == "fine-tune":
        space |= {f"objectives.{method.name}.weight": Range(0.1, 10.0, log=True) for method in arm.objectives}
    return space


def check_space(base: Candidate, space: Mapping[str, Dimension], fidelity: Fidelity) -> None:
    """Raise InputError for a name that cannot be searched, or an end of a range that its setting refuses."""
    names = known_names(base.arm, fidelity)
    for name, dimension in space.items():
        if name not in names:
            raise unknown_name(f"setting to search ({fidelity})", name, names)
        for value in dimension.levels(2):
            apply(base, {name: value})
    if "epochs" in space and "steps" in space:
        raise InputError("Both epochs and steps are searched", expected="one of them", fix="leave out `steps`")
