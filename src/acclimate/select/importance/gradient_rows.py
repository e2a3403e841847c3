"""Gradients of many examples, one a row, without writing them out where they have a closed form.

The gradient of the cross-entropy of a linear layer is an outer product, ``(p - y) h'``: inner products of two such gradients are
products of two short ones. What selectors ask of a matrix of gradients is little (lengths, products with a few directions, sums),
and both kinds below answer it, so that the formulas of LESS, DataInf and TRAK stand once.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.select.base import Scorer
from acclimate.select.similarity.cosine import unit_rows

#: Rows multiplied at a time; bounds memory at BLOCK × directions × classes numbers.
BLOCK = 1024


class GradientRows(Protocol):
    """``n`` gradients of length ``p``."""

    @property
    def shape(self) -> tuple[int, int]:
        """``(n, p)``."""
        ...

    def lengths(self) -> NDArray[np.float64]:
        """Euclidean lengths, ``(n,)``; a row's has the same bits in any batch."""
        ...

    def products(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Inner products with ``k`` directions, ``(k, p)`` to ``(n, k)``; a row's have the same bits in any batch."""
        ...

    def combined(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The weighted sum of all gradients, ``(n,)`` to ``(p,)``; its last bits depend on BLAS threads, which callers limit."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class OuterRows:
    """Row ``i`` is the outer product of ``left[i]`` and ``right[i]``, laid flat.

    Attributes:
        left: ``(n, c)``.
        right: ``(n, d)``.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.left), self.left.shape[1] * self.right.shape[1]

    def lengths(self) -> NDArray[np.float64]:
        return row_lengths(self.left) * row_lengths(self.right)

    def products(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        classes = self.left.shape[1]
        slices = PlainRows(self.right).products(directions.reshape(len(directions) * classes, self.right.shape[1]))
        products = np.empty((len(self.left), len(directions)))
        for start in range(0, len(products), BLOCK):
            rows = slice(start, start + BLOCK)
            by_class = slices[rows].reshape(-1, len(directions), classes)
            products[rows] = (by_class * self.left[rows, None, :]).sum(axis=-1)
        return products

    def combined(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(((self.left * weights[:, None]).T @ self.right).ravel())

    def scaled(self, factors: NDArray[np.float64]) -> OuterRows:
        """Each row times a number of its own, ``(n,)``."""
        return OuterRows(self.left * factors[:, None], self.right)


@dataclasses.dataclass(frozen=True, eq=False)
class PlainRows:
    """Gradients, or their sketches, written out: ``rows (n, p)``."""

    rows: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), self.rows.shape[1]

    def lengths(self) -> NDArray[np.float64]:
        return row_lengths(self.rows)

    def products(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        # Products of rows of length 1 on a grid add up exactly, so that neither batch nor BLAS can change a bit.
        units, sizes = unit_rows(directions), row_lengths(directions)
        products = np.empty((len(self.rows), len(directions)))
        for start in range(0, len(products), BLOCK):
            rows = self.rows[start : start + BLOCK]
            products[start : start + BLOCK] = (unit_rows(rows) @ units.T) * row_lengths(rows)[:, None] * sizes
        return products

    def combined(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(weights @ self.rows)


def row_lengths(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean lengths, ``(n, p)`` to ``(n,)``."""
    lengths: NDArray[np.float64] = np.sqrt((rows * rows).sum(axis=1))
    return lengths


def loss_gradients(scorer: Scorer, batch: Domain, labels: NDArray[np.float64]) -> OuterRows:
    """Of the cross-entropy with respect to weights and bias of a classifier's last layer: ``(p - y) [h, 1]'``.

    Args:
        labels: rows with a single 1, ``(n, c)``.
    """
    representations = scorer.represent(batch)
    return OuterRows(scorer.predict_proba(batch) - labels, np.hstack([representations, np.ones((len(batch), 1))]))
