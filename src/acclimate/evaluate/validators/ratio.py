"""How much more frequent an example is on the target than on the source, told by a classifier between the two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError
from acclimate.evaluate.validators.base import Matrix


def density_ratio(source: Matrix, target: Matrix, seed: int = 0) -> NDArray[np.float64]:
    """``w(x) = p_target(x) / p_source(x)`` at each source row (Bickel 2009, eq. 2; Sugiyama 2012, section 4).

    A logistic regression tells the domains apart; by Bayes' rule its odds times ``rows of source / rows of target`` are the ratio.
    Each half of the source gets its weights from a classifier that was fitted on the other half, so that no row is weighted by a
    classifier that has learned it by heart.

    Args:
        source: ``(m, d)``.
        target: ``(n, d)``.
        seed: of the halves.

    Returns:
        ``(m,)``, above 0, about 1 on average.

    Raises:
        InputError: fewer than two source rows.
    """
    from acclimate.tune.probe import Probe

    if len(source) < 2:
        raise InputError(f"{len(source)} held-out source examples", expected="at least 2", fix="hold out more")
    halves = np.array_split(np.random.default_rng([seed, 29]).permutation(len(source)), 2)
    weights = np.empty(len(source))
    for rows, others in (halves, halves[::-1]):
        is_target = np.repeat([0, 1], [len(others), len(target)])
        told = Probe().fit(np.vstack([source[others], target]), is_target, 2).predict_proba(source[rows])
        weights[rows] = told[:, 1] / np.maximum(told[:, 0], np.finfo(np.float64).tiny) * len(others) / len(target)
    return weights
