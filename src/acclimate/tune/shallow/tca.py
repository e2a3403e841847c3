"""Transfer component analysis: components in which the domains' means agree and the spread is kept."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from acclimate.tune.shallow.base import Fitted, Given, Matrix, Vector, between, fit_mapped, whole

#: Rows of each side that span the components: eigenvectors of twice as many take about a second.
LANDMARKS = 500


@dataclasses.dataclass(frozen=True)
class Tca:
    """The leading eigenvectors of ``(K L K + μ I)^{−1} K H K`` (Pan 2011, section III-B), with an RBF kernel of median width.

    Of more than 500 rows on a side, 500 drawn ones span the components.

    Use when: the domains' means differ in a way that a kernel sees. Avoid when: class shares differ much between them, or the
    vectors are good already: few components lose what they know.

    Args:
        dimensions: components. 100; Pan 2011 takes 5 to 50 of vectors that say less.
        mu: μ, how much large components cost. 1, as the paper, section IV.
    """

    paper: ClassVar[str] = "Pan 2011"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    needs: ClassVar[tuple[str, ...]] = ("vectors", "unlabelled target")
    summary: ClassVar[str] = "Finds components in which the domains' means agree."
    summary_zh: ClassVar[str] = "寻找使两域均值一致的迁移成分（TCA）。"

    dimensions: int = 100
    mu: float = 1.0

    def __post_init__(self) -> None:
        """Raises InputError: dimensions below 1, or mu not above 0."""
        whole("tca", "dimensions", self.dimensions)
        between("tca", "mu", self.mu, 0)

    def fit(self, given: Given) -> Fitted:
        """Find the components, and map both sides by the same kernel expansion."""
        from scipy.spatial.distance import cdist

        given.need("tca")
        rng = np.random.default_rng([given.seed, 11])
        sides = [_some(side, rng) for side in (given.source, given.target)]
        landmarks = np.vstack(sides)
        squared = cdist(landmarks, landmarks, "sqeuclidean")
        width = float(np.median(squared[np.triu_indices(len(squared), 1)])) or 1.0
        with threadpool_limits(1):
            components = transfer_components(np.exp(-squared / (2 * width)), len(sides[0]), self.dimensions, self.mu)

        def place(row: Vector) -> Vector:
            kernel = np.exp(-((landmarks - row) ** 2).sum(1) / (2 * width))
            placed: Vector = components.T @ kernel
            return placed

        return fit_mapped(given, place, place)


def transfer_components(kernel: Matrix, source: int, count: int, mu: float) -> Matrix:
    """``W`` of Pan 2011, eq. 10 and 11: ``(n, k)``, the largest component first, signs fixed by the largest entry.

    Args:
        kernel: of all rows, the ``source`` first ones being the source's, ``(n, n)``.
    """
    from scipy.linalg import eigh

    n = len(kernel)
    contrast = np.concatenate([np.full(source, 1 / source), np.full(n - source, -1 / (n - source))])
    seen = kernel @ contrast
    centred = kernel - kernel.mean(0)
    count = min(count, n - 1)
    _, vectors = eigh(kernel @ centred, np.outer(seen, seen) + mu * np.eye(n), subset_by_index=[n - count, n - 1])
    found: Matrix = vectors[:, ::-1]
    signed: Matrix = found * np.sign(found[np.abs(found).argmax(0), np.arange(count)])
    return signed


def _some(rows: Matrix, rng: np.random.Generator) -> Matrix:
    return rows if len(rows) <= LANDMARKS else rows[np.sort(rng.choice(len(rows), LANDMARKS, replace=False))]
