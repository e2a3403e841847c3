"""Which weights learn how fast, and when: learning rates by layer, their course, and layers that thaw one by one.

These are settings of training (:class:`acclimate.tune.settings.TuneSettings`), not objectives; the classes here describe them for
listings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

if TYPE_CHECKING:  # listings read the descriptions without loading torch
    from torch import nn

    from acclimate.models.objective import Model

#: How the learning rate goes on after its climb, by the name that recipes use.
COURSES = ("linear", "cosine", "constant", "slanted-triangular")
#: The lowest rate of the slanted triangle is the highest divided by this (Howard & Ruder 2018, section 3.2).
RATIO = 32


class Discriminative:
    """Each layer learns ``layer_decay`` times slower than the one above it: ``η^{l−1} = η^l / 2.6`` (Howard & Ruder 2018, section
    3.2).

    The head and the networks of objectives learn at the full rate, the embeddings slowest. Set by ``tune: {layer_decay: 2.6}``; 1
    lets all layers learn alike.

    Use when: labels are few and the lower layers know what they need. Avoid when: the model is deep and little trained: at 2.6 the
    lowest of 12 layers learns 95,000 times slower than the head.
    """

    paper: ClassVar[str] = "Howard & Ruder 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Lower layers learn slower than upper ones."
    summary_zh: ClassVar[str] = "下层使用比上层更小的学习率（判别式学习率）。"


class SlantedTriangular:
    """The learning rate climbs over the share ``warmup`` of the steps and then falls slowly (Howard & Ruder 2018, section 3.2).

    Set by ``tune: {schedule: slanted-triangular}``; the others are ``linear`` (falls to 0), ``cosine`` and ``constant``.

    Use when: training is short. Avoid when: nothing in particular; it differs from ``linear`` by its start and end at 1/32.
    """

    paper: ClassVar[str] = "Howard & Ruder 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "The learning rate climbs quickly and falls slowly."
    summary_zh: ClassVar[str] = "学习率先快速上升，再缓慢下降（斜三角学习率）。"


class GradualUnfreezing:
    """At first the head alone learns; from the top, one more layer joins every ``unfreeze`` epochs (Howard & Ruder 2018, section
    3.3).

    Set by ``tune: {unfreeze: 1}``, the paper's value; 0 trains all layers from the start. An epoch is as many steps as see every
    example once. A training that ends sooner leaves the lower layers as they were.

    Use when: labels are few and the fresh head would first wreck what lies under it. Avoid when: steps are fewer than layers.
    """

    paper: ClassVar[str] = "Howard & Ruder 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "causal-lm")
    summary: ClassVar[str] = "Layers join the training one by one, from the top."
    summary_zh: ClassVar[str] = "自上而下逐层解冻参与训练（渐进解冻）。"


METHODS: dict[str, Any] = {
    "discriminative": Discriminative,
    "slanted-triangular": SlantedTriangular,
    "gradual-unfreezing": GradualUnfreezing,
}


def slanted_triangular(step: int, steps: int, cut: float, ratio: float = RATIO) -> float:
    """The share of the peak rate at a step (Howard & Ruder 2018, eq. 3).

    Args:
        steps: of the whole training.
        cut: share of the steps over which the rate climbs (the paper: 0.1).

    >>> [round(slanted_triangular(step, 100, 0.1), 3) for step in (0, 10, 100)]
    [0.031, 1.0, 0.031]
    """
    peak = max(math.floor(steps * cut), 1)
    risen = step / peak if step < peak else 1 - (step - peak) / max(steps - peak, 1)
    return (1 + max(risen, 0.0) * (ratio - 1)) / ratio


def layer_groups(model: Model) -> list[list[nn.Parameter]]:
    """The weights that training may change, from the bottom up: embeddings, each hidden layer, and what is fresh.

    Fresh are the head and the networks of objectives. What comes before the first layer belongs to the embeddings, what comes
    after the last (a norm, a pooler) to the last layer; groups without weights are left out.
    """
    from acclimate.models.companions import COMPANIONS

    layers = model.layers
    place = {id(value): number for number, layer in enumerate(layers, 1) for value in layer.parameters()}
    groups: list[list[nn.Parameter]] = [[] for _ in range(len(layers) + 2)]
    reached = 0
    for name, value in cast("nn.Module", model).named_parameters():
        reached = max(reached, place.get(id(value), 0))
        number = place.get(id(value), len(layers) if reached else 0)
        if name.startswith(("head.", f"{COMPANIONS}.")):
            number = len(layers) + 1
        if value.requires_grad:
            groups[number].append(value)
    return [group for group in groups if group]


def rate_factors(groups: Sequence[Sequence[nn.Parameter]], decay: float) -> dict[int, float]:
    """Each weight's share of the learning rate, ``decay`` to the power of minus its distance from the top, by ``id``."""
    top = len(groups) - 1
    return {id(value): decay ** (number - top) for number, group in enumerate(groups) for value in group}


def split_by_rate(param_groups: Sequence[dict[str, Any]], factors: dict[int, float], rate: float) -> list[dict[str, Any]]:
    """An optimiser's groups, each split into one for every learning rate among its weights; other settings stay."""
    split: list[dict[str, Any]] = []
    for group in param_groups:
        by_factor: dict[float, list[Any]] = {}
        for value in group["params"]:
            by_factor.setdefault(factors.get(id(value), 1.0), []).append(value)
        split += [{**group, "params": values, "lr": rate * factor} for factor, values in sorted(by_factor.items())]
    return split


def thaw(groups: Sequence[Sequence[nn.Parameter]], step: int, every: int) -> int:
    """Let the top group learn, and one more for every ``every`` steps done; the groups under them stay frozen. Returns how many
    learn: a function of the step alone, so that a resumed training goes on as an undisturbed one would."""
    free = min(1 + step // every, len(groups))
    for number, group in enumerate(groups):
        for value in group:
            value.requires_grad_(number >= len(groups) - free)
    return free
