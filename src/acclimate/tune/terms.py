"""Named objectives with their weights: the terms that are added to, or stand in for, the task loss."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from acclimate.errors import InputError, unknown_name
from acclimate.models.objective import Batch, Model, Objective, Outputs, SeparatesTasks
from acclimate.tune import OBJECTIVES
from acclimate.tune.ramps import RAMPS


@dataclasses.dataclass(frozen=True)
class Term:
    """One term of the training loss.

    Attributes:
        name: what logs call it.
        objective: what computes it.
        weight: the factor in front of it.
        settings: the objective's settings, for the record.
        schedule: how the weight moves while training, one of :data:`acclimate.tune.ramps.RAMPS`.
    """

    name: str
    objective: Objective
    weight: float = 1.0
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    schedule: str = "constant"

    def weight_at(self, progress: float) -> float:
        """The weight when this share of training is done."""
        return self.weight * RAMPS[self.schedule](progress)


Spec = str | Mapping[str, Any] | Term


def build_terms(specs: Sequence[Spec]) -> tuple[Term, ...]:
    """Terms from names (``"mixup"``), mappings (``{"method": "mixup", "alpha": 0.4, "weight": 1.0}``, with a
    ``schedule`` where the weight shall move) or ready terms.

    >>> [term.name for term in build_terms(["mixup"])]
    ['mixup']

    Raises:
        InputError: an unknown objective or setting, the same objective twice, or two that each contain the task loss.
    """
    terms = tuple(_build(spec) for spec in specs)
    names = [term.name for term in terms]
    if len(set(names)) < len(names):
        raise InputError(f"An objective is named twice: {', '.join(names)}", expected="each objective once")
    replacing = [term.name for term in terms if term.objective.replaces_task]
    if len(replacing) > 1:
        raise InputError(
            f"{' and '.join(replacing)} each contain the task loss", expected="at most one such objective", fix="choose one"
        )
    return terms


def evaluate_terms(terms: Sequence[Term], model: Model, batch: Batch) -> list[tuple[str, float, Tensor]]:
    """(name, weight, value) of every term for one batch, the task loss first unless an objective contains it."""
    objectives = [term.objective for term in terms]
    outputs = Outputs(model, batch, objectives)
    values = [(term.name, term.weight_at(batch.progress), term.objective(model, batch, outputs)) for term in terms]
    if any(objective.replaces_task for objective in objectives):
        return values
    return [("task", 1.0, outputs.task_loss), *values]


def _build(spec: Spec) -> Term:
    if isinstance(spec, Term):
        return spec
    values = {"method": spec} if isinstance(spec, str) else dict(spec)
    name = str(values.pop("method", ""))
    weight = values.pop("weight", 1.0)
    schedule = values.pop("schedule", "constant")
    if name not in OBJECTIVES:
        raise unknown_name("objective", name, OBJECTIVES)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < float("inf"):
        raise InputError(f"The weight of objective '{name}' is {weight!r}", expected="a number above 0")
    if schedule not in RAMPS:
        raise unknown_name("schedule of a weight", str(schedule), RAMPS)
    method = OBJECTIVES[name]
    known = list(inspect.signature(method).parameters)
    for setting in values:
        if setting not in known:
            raise unknown_name(f"setting of {name}", setting, [*known, "weight", "schedule"])
    return Term(name, method(**values), float(weight), values, schedule)


def separates_tasks(terms: Sequence[Term]) -> bool:
    """Whether an objective wants the examples of each source domain apart, as a task of its own."""
    return any(isinstance(term.objective, SeparatesTasks) and term.objective.separates_tasks for term in terms)
