"""Optuna's interface to the points of a grid; apart, because it needs Optuna to be loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial


class OnGrid(BaseSampler):
    """Trial number k takes point k of a shuffled grid: each point once, whoever carries it out."""

    def __init__(self, points: Sequence[Mapping[str, Any]], seed: int) -> None:
        order = np.random.default_rng(seed).permutation(len(points))
        self._points = [points[place] for place in order]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing is drawn together: a point is looked up by its number."""
        del study, trial
        return {}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """Nothing."""
        del study, trial, search_space
        return {}

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        """The point's value."""
        del study, param_distribution
        return self._points[trial.number % len(self._points)][param_name]
