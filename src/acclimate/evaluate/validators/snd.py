"""Soft neighbourhood density: target examples that are close together are answered alike."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from acclimate.data.domain import Modality
from acclimate.errors import InputError
from acclimate.evaluate.validators.base import Matrix, Need, Seen

#: Rows of the similarity matrix held at once: 8 MiB for each 1,000 target examples.
_BLOCK = 1_024


@dataclasses.dataclass(frozen=True)
class Snd:
    """The mean entropy of each example's similarities to the others, of softmax outputs (Saito 2021, eq. 1 to 3).

    A good model puts the target in dense clusters: each example has many near neighbours, and the entropy over them is high. An
    answer that is the same everywhere, sure or vague, has the highest density of all.

    Use when: arms are about equally sure and differ in how they shape clusters. Avoid when: an arm may collapse into one class, or
    be vague everywhere: it takes both for the best.

    Args:
        temperature: 0.05, as the paper, section 3.2.
    """

    needs: ClassVar[tuple[Need, ...]] = ()
    range: ClassVar[str] = "0 (each example has one neighbour) to ln(n − 1) (all examples are alike)"
    paper: ClassVar[str] = "Saito 2021"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image")
    summary: ClassVar[str] = "Prefers the model whose answers on the target form dense neighbourhoods."
    summary_zh: ClassVar[str] = "选择目标域预测邻域最稠密的模型（软邻域密度）。"

    temperature: float = 0.05

    def __post_init__(self) -> None:
        """Raises InputError: a temperature that is not above 0."""
        if not 0 < self.temperature < float("inf"):
            raise InputError(f"snd was given temperature {self.temperature!r}", expected="a number above 0")

    def score(self, seen: Seen) -> float:
        """See :func:`neighbourhood_density`; 0 for a single example."""
        return neighbourhood_density(seen.probabilities, self.temperature)


def neighbourhood_density(outputs: Matrix, temperature: float) -> float:
    """Mean entropy, in nats, of the softmax over the others' cosine similarities.

    Args:
        outputs: ``(n, c)``.
        temperature: by which similarities are divided.
    """
    from scipy.special import entr, softmax

    unit = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
    n = len(unit)
    if n < 2:
        return 0.0
    total = 0.0
    for start in range(0, n, _BLOCK):
        alike = unit[start : start + _BLOCK] @ unit.T / temperature
        rows = np.arange(len(alike))
        alike[rows, start + rows] = -np.inf  # an example is not its own neighbour
        total += float(entr(softmax(alike, axis=1)).sum())
    return total / n
