"""CORAL on frozen vectors: the source is re-coloured with the target's covariance."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from acclimate.tune.shallow.base import Fitted, Given, Matrix, between, fit_mapped


@dataclasses.dataclass(frozen=True)
class FeatureCoral:
    """Source vectors are whitened with their own covariance and coloured with the target's (Sun 2016, algorithm 1).

    ``x' = (x − μ_s) C_s^{−1/2} C_t^{1/2} + μ_t``, each covariance plus a ridge; the paper's vectors have mean 0, so that means
    match there too.

    Use when: the domains differ in the spread of their vectors; it takes no time. Avoid when: class shares differ much between
    them: means then differ for that reason.

    Args:
        ridge: added to each covariance's diagonal, in mean variances. 1, as the paper's on standardised vectors.
    """

    paper: ClassVar[str] = "Sun 2016"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    needs: ClassVar[tuple[str, ...]] = ("vectors", "unlabelled target")
    summary: ClassVar[str] = "Gives the source's vectors the target's mean and covariance."
    summary_zh: ClassVar[str] = "使源域特征具有目标域的均值与协方差（特征级 CORAL）。"

    ridge: float = 1.0

    def __post_init__(self) -> None:
        """Raises InputError: a ridge that is not above 0."""
        between("coral", "ridge", self.ridge, 0)

    def fit(self, given: Given) -> Fitted:
        """Re-colour the source rows; target rows stay as they are."""
        given.need("coral")
        source, target = given.source, given.target
        mean, aim = source.mean(0), target.mean(0)
        colour = recolouring(source, target, self.ridge)
        return fit_mapped(given, lambda row: colour.T @ (row - mean) + aim, lambda row: row)


def recolouring(source: Matrix, target: Matrix, ridge: float) -> Matrix:
    """``(C_s + r I)^{−1/2} (C_t + r I)^{1/2}``, ``(d, d)``, the ridge being ``ridge`` mean variances of each side."""
    with threadpool_limits(1):
        white, colour = _power(source, ridge, -0.5), _power(target, ridge, 0.5)
        return white @ colour


def _power(features: Matrix, ridge: float, exponent: float) -> Matrix:
    covariance = np.cov(features, rowvar=False)
    values, vectors = np.linalg.eigh(
        covariance + ridge * max(np.trace(covariance) / len(covariance), 1e-12) * np.eye(len(covariance))
    )
    powered: Matrix = (vectors * values**exponent) @ vectors.T
    return powered
