"""Marginalised stacked denoising autoencoders: vectors that can be guessed from what corruption left of them."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from acclimate.tune.shallow.base import Fitted, Given, Matrix, Vector, between, fit_mapped, whole

#: Added to the diagonal, as a share of its mean: the paper's 10⁻⁵.
RIDGE = 1e-5


@dataclasses.dataclass(frozen=True)
class Msda:
    """Each layer is the linear map that best undoes the loss of coordinates, in closed form, then tanh (Chen 2012, eq. 5 and 8).

    Fitted on source and target together; the probe sees the input and every layer's output. Coordinates are first brought to a
    variance of about 1 (unit vectors are multiplied by √d), so that tanh bends them.

    Use when: there are many unlabelled examples; on bags of words it set the mark on the Amazon reviews. Avoid when: vectors are
    long: a layer inverts a matrix of their length, and the probe sees one more copy for each layer.

    Args:
        corruption: share of coordinates lost. 0.5, the least of the range that Chen 2012 searches.
        layers: 5, as the paper, section 5.
    """

    paper: ClassVar[str] = "Chen 2012"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    needs: ClassVar[tuple[str, ...]] = ("vectors", "unlabelled target")
    summary: ClassVar[str] = "Learns vectors that survive the loss of coordinates, on both domains, in closed form."
    summary_zh: ClassVar[str] = "在两域上以闭式解学习抗缺失的表示（mSDA）。"

    corruption: float = 0.5
    layers: int = 5

    def __post_init__(self) -> None:
        """Raises InputError: a corruption outside (0, 1), or no layer."""
        between("msda", "corruption", self.corruption, 0, 0.99)
        whole("msda", "layers", self.layers)

    def fit(self, given: Given) -> Fitted:
        """Fit the layers one on the other, and the probe on all of them."""
        given.need("msda", source=0, target=0)
        scale = np.sqrt(given.features.shape[1])
        hidden = np.vstack([given.features, given.unlabelled]) * scale
        maps: list[Matrix] = []
        with threadpool_limits(1):
            for _ in range(self.layers):
                maps.append(denoiser(hidden, self.corruption))
                hidden = np.tanh(np.hstack([hidden, np.ones((len(hidden), 1))]) @ maps[-1].T)

        def stack(row: Vector) -> Vector:
            outputs = [row * scale]
            for layer in maps:
                outputs.append(np.tanh(layer @ np.append(outputs[-1], 1.0)))
            return np.concatenate(outputs)

        return fit_mapped(given, stack, stack)


def denoiser(hidden: Matrix, corruption: float) -> Matrix:
    """The map ``W = E[P] E[Q]⁻¹`` that is best on average over all corruptions (Chen 2012, eq. 5).

    Args:
        hidden: ``(n, d)``.

    Returns:
        ``(d, d + 1)``, the last column for a constant that is never lost.
    """
    from scipy.linalg import solve

    wide = np.hstack([hidden, np.ones((len(hidden), 1))])
    kept = np.full(wide.shape[1], 1 - corruption)
    kept[-1] = 1.0
    scatter = wide.T @ wide
    lost = scatter * np.outer(kept, kept)
    np.fill_diagonal(lost, kept * scatter.diagonal())
    lost += RIDGE * np.trace(lost) / len(lost) * np.eye(len(lost))
    solved: Matrix = solve(lost, (scatter * kept)[:-1].T, assume_a="pos").T
    return solved
