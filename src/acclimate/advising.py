"""Advice on files and recipes: reads what a recipe names, and writes an advice as a recipe that ``compare`` runs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from acclimate.data.domain import Domain
from acclimate.data.make import open_target
from acclimate.data.shards import Pool
from acclimate.data.target import Target
from acclimate.engine.storage import write_text
from acclimate.errors import InputError
from acclimate.pipeline import prepare
from acclimate.recipe import parse_recipe, read_recipe
from acclimate.strategy.advise.advice import Advice
from acclimate.strategy.arms import Arm, Method, as_given

#: Folds of a written recipe's validation, and fewer where the rarest class has fewer labels.
FOLDS = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Given:
    """Source and target, and the part of a recipe that names them."""

    source: Domain | Pool
    target: Target
    named: Mapping[str, Any]


def read_given(path: str | Path, announce: Callable[[str], None] | None = None) -> Given:
    """The data of a recipe, cleaned as for a comparison. Its arms are not looked at, and may be missing.

    Raises:
        InputError: a mistake in the recipe, or in what it names.
    """
    recipe = read_recipe(path, arms=False)
    plan = prepare(recipe, announce).plan
    named = recipe.model_dump(mode="json", exclude_defaults=True, exclude={"arms", "name"})
    return Given(plan.source, with_labels(plan.target, recipe.target.labels), named)


def with_labels(target: Target, labels: int | None) -> Target:
    """The target with so many labels, the others' taken away; 0 for none.

    Raises:
        InputError: there are fewer.
    """
    if labels == 0:
        bare = open_target(target.inputs)
        return dataclasses.replace(target, labelled=bare.labelled, unlabelled=bare.unlabelled, classes=())
    return target.draw(labels, 0)


def write_recipe(advice: Advice, given: Given, path: str | Path) -> None:
    """Write a recipe whose arms are those suggested; ``acclimate compare`` adds the controls and measures them all.

    Raises:
        InputError: nothing but a control was suggested, or a recipe cannot say what is to be compared.
    """
    traits = advice.traits
    if traits.task == "causal-lm":
        raise InputError(
            "A recipe of arms for a language model was asked for",
            expected="a task of classification",
            fix="choose by `acclimate select --method dsir`, then train by `acclimate tune --pretrain dapt`",
        )
    if not len(given.target.test):
        raise InputError(
            f"A recipe was asked for, and '{advice.target}' has no labels to measure arms on",
            expected="a target with labels, of which some are sealed as the test",
            fix="label some target examples; an advice needs none",
        )
    if not advice.arms:
        raise InputError("Nothing but controls was suggested", expected="an arm to compare", fix="raise --most")
    tuned = advice.best.fidelity == "fine-tune"
    named = {key: dict(value) if isinstance(value, Mapping) else value for key, value in given.named.items()}
    target = {"validation": f"cv{_folds(given.target)}", **named["target"]}
    values = {
        "task": traits.task,
        **named,
        "target": target,
        "arms": [as_spec(arm) for arm in advice.arms],
        "confirm": {"seeds": 3, "all_arms": True} if tuned else {"seeds": 0},
    }
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    parse_recipe(text, str(path))
    write_text(Path(path), text)


def _folds(target: Target) -> int:
    counts = Counter(target.labelled.labels)
    return max(2, min(FOLDS, min(counts.values(), default=FOLDS)))


def as_spec(arm: Arm) -> dict[str, Any]:
    """An arm as a recipe says it: what :func:`acclimate.pipeline.prepare` reads back as the same arm."""
    spec: dict[str, Any] = {}
    if arm.select is not None:
        spec["select"] = {**_method(arm.select), "budget": arm.budget}
    elif arm.source == "all":
        spec["source"] = "all"
    if not arm.target:
        spec["target"] = False
    if arm.augment:
        spec["augment"] = [_method(method) for method in arm.augment]
    tune: dict[str, Any] = {}
    for name in ("objectives", "pretrain"):
        if methods := getattr(arm, name):
            tune[name] = [_method(method) for method in methods]
    for name in ("learn", "features"):
        if method := getattr(arm, name):
            tune[name] = _method(method)
    if arm.target_weight != 1:
        tune["target_weight"] = arm.target_weight
    return {**spec, "tune": tune} if tune else spec


def _method(method: Method) -> dict[str, Any]:
    return {"method": method.name, **as_given(method.settings)}
