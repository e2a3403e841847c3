"""Gaussian kernels between the embeddings of examples, for the methods that match or divide densities."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.features.base import Embed
from acclimate.select.random import uniform
from acclimate.select.similarity.cosine import unit_rows

#: Multiples of the median squared distance that are tried as the bandwidth. Vectors of an encoder lie at much the same distance
#: from one another, so that only a bandwidth well below the median tells near from far.
FACTORS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
#: Rows in which the median distance is taken; the median of half a million pairs is known to three digits.
_ROWS = 1000
#: Rows of a block of kernel values.
_BLOCK = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class GaussianSum:
    """A density ratio ``r(x) = sum_l alpha_l exp(-||x - c_l||^2 / (2 bandwidth))``, not negative.

    Attributes:
        centres: ``(b, d)``.
        alpha: ``(b,)``, not negative.
        bandwidth: of the Gaussians.
    """

    centres: NDArray[np.float64]
    alpha: NDArray[np.float64]
    bandwidth: float

    def parts(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each centre adds to the ratio at each row, ``(n, d)`` to ``(n, b)``."""
        return gaussian(x, self.centres, self.bandwidth) * self.alpha

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n, d)`` to ``(n,)``."""
        ratios: NDArray[np.float64] = self.parts(x).sum(axis=1)
        return ratios

    def reasons(self, x: NDArray[np.float64], ids: list[str]) -> list[str]:
        """The ratio of each row and the centre that adds most to it, by the ids of the centres."""
        parts = self.parts(x)
        return [f"ratio={row.sum():.2f} mostly={ids[place]}" for row, place in zip(parts, parts.argmax(axis=1), strict=True)]


def gaussian(x: NDArray[np.float64], centres: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """``exp(-||x - c||^2 / (2 bandwidth))``, ``(n, d)`` and ``(b, d)`` to ``(n, b)``; the bandwidth is the sigma^2 of a Gaussian.

    For rows of :func:`acclimate.select.similarity.cosine.unit_rows` every sum is exact, so a value depends on its row and centre
    alone, to the last bit, in whatever block it is computed.
    """
    values = np.empty((len(x), len(centres)))
    lengths = (centres * centres).sum(axis=1)
    for start in range(0, len(x), _BLOCK):
        block = x[start : start + _BLOCK]
        distances = (block * block).sum(axis=1)[:, None] + lengths - 2 * (block @ centres.T)
        values[start : start + _BLOCK] = np.exp(np.maximum(distances, 0) / (-2 * bandwidth))
    return values


def gaussian_sums(
    x: NDArray[np.float64], centres: NDArray[np.float64], amounts: NDArray[np.float64], bandwidth: float
) -> NDArray[np.float64]:
    """``sum_l amounts_l exp(-||x - c_l||^2 / (2 bandwidth))`` of each row, ``(n,)``, without holding all kernel values at once."""
    blocks = (x[start : start + _BLOCK] for start in range(0, len(x), _BLOCK))
    return np.concatenate([gaussian(block, centres, bandwidth) @ amounts for block in blocks] or [np.zeros(0)])


def median_distance(source: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """The median heuristic over both domains: the median squared distance of their rows, 1,000 at most of each, above 0.

    Args:
        source, target: ``(n, d)`` and ``(m, d)``, in an order that means nothing; the first rows are taken.
    """
    import torch

    from acclimate.features.kernels import median_bandwidth, squared_distances

    rows = torch.from_numpy(np.concatenate([source[:_ROWS], target[:_ROWS]]))
    if len(rows) < 2:
        return 1.0
    return float(median_bandwidth(squared_distances(rows, rows)))


def vectors(embed: Embed, domain: Domain, seed: int) -> tuple[list[str], NDArray[np.float64]]:
    """Ids and unit-length vectors ``(n, d)`` of a domain, in a random order that the seed and the ids decide."""
    keys = uniform(seed, domain.ids, "rows").tolist()
    order = sorted(range(len(domain)), key=lambda row: (keys[row], domain.ids[row]))
    return [domain.ids[row] for row in order], unit_rows(embed(domain.contents))[order]
