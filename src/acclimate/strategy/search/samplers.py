"""Where the next trial looks: grid, random, TPE, CMA-ES. Each is a name, and how to make Optuna's sampler for one trial."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Protocol

from acclimate.strategy.search.space import LEVELS, Choice, Range, Space, grid

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Sampler(Protocol):
    """A way to choose points of a space."""

    method: ClassVar[str]
    paper: ClassVar[str]
    modality: ClassVar[tuple[str, ...]]
    summary: ClassVar[str]
    summary_zh: ClassVar[str]

    def wanted(self, space: Space, trials: int) -> int:
        """How many trials make sense of those asked for."""
        ...

    def sampler(self, space: Space, seed: int, *, parallel: bool) -> BaseSampler:
        """Optuna's sampler for the trial that ``seed`` belongs to."""
        ...

    def fits(self, space: Space) -> str:
        """What it cannot do with a space, in words; empty where there is nothing."""
        ...


class Grid:
    """Every combination of a few levels of each setting, in a random order, each once.

    Use when: two or three settings, and a table of all of them is wanted. Avoid when: there are more: of d settings with k levels
    each, k^d trials look at only k values of any one (Bergstra & Bengio 2012, figure 1).

    Args:
        levels: of each range.
    """

    method: ClassVar[str] = "grid"
    paper: ClassVar[str] = "Bergstra & Bengio 2012"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Every combination of a few levels, in random order."
    summary_zh: ClassVar[str] = "遍历各项设置若干取值的全部组合，次序随机。"

    def __init__(self, levels: int = LEVELS) -> None:
        self.levels = levels

    def wanted(self, space: Space, trials: int) -> int:
        return min(trials, len(grid(space, self.levels)))

    def sampler(self, space: Space, seed: int, *, parallel: bool) -> BaseSampler:
        from acclimate.strategy.search.on_grid import OnGrid

        del parallel  # trials do not depend on each other
        return OnGrid(grid(space, self.levels), seed)

    def fits(self, space: Space) -> str:
        del space
        return ""


class Random:
    """Points drawn independently of each other.

    Use when: as the yardstick, and where many workers run at once. Avoid when: a trial is dear and there are tens of them: a model
    of what was seen does better.
    """

    method: ClassVar[str] = "random"
    paper: ClassVar[str] = "Bergstra & Bengio 2012"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Points drawn independently; the yardstick of all others."
    summary_zh: ClassVar[str] = "相互独立地随机取点，是其他方法的参照。"

    def wanted(self, space: Space, trials: int) -> int:
        del space
        return trials

    def sampler(self, space: Space, seed: int, *, parallel: bool) -> BaseSampler:
        import optuna

        del space, parallel
        return optuna.samplers.RandomSampler(seed=seed)

    def fits(self, space: Space) -> str:
        del space
        return ""


class Tpe:
    """Tree-structured Parzen estimator: looks where good trials were dense and bad ones were not (Bergstra 2011, section 4).

    The first ten trials are random (Optuna's default). With several workers, trials that still run count as bad ones, so that two
    workers do not try the same point.

    Use when: tens to a few hundred trials, settings of any kind. Avoid when: fewer than ten trials: they are random.
    """

    method: ClassVar[str] = "tpe"
    paper: ClassVar[str] = "Bergstra 2011"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Looks where good trials were dense and bad ones were not."
    summary_zh: ClassVar[str] = "在好结果密集、差结果稀疏之处取点（树结构 Parzen 估计）。"

    def wanted(self, space: Space, trials: int) -> int:
        del space
        return trials

    def sampler(self, space: Space, seed: int, *, parallel: bool) -> BaseSampler:
        import optuna

        del space
        return optuna.samplers.TPESampler(seed=seed, constant_liar=parallel)

    def fits(self, space: Space) -> str:
        del space
        return ""


class CmaEs:
    """Covariance matrix adaptation: a normal distribution that moves and stretches towards what is good (Hansen 2016).

    A generation is 4 + ⌊3 ln d⌋ trials of d settings. Choices have no order and are drawn at random.

    Use when: a few numeric settings that act together, and a hundred trials or more. Avoid when: most settings are choices, or
    trials are few: the first generations are nearly random.
    """

    method: ClassVar[str] = "cma-es"
    paper: ClassVar[str] = "Hansen 2016"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "A normal distribution that moves and stretches towards good settings."
    summary_zh: ClassVar[str] = "以正态分布取点，并朝好的设置移动和伸展（协方差矩阵自适应）。"

    def wanted(self, space: Space, trials: int) -> int:
        del space
        return trials

    def sampler(self, space: Space, seed: int, *, parallel: bool) -> BaseSampler:
        import optuna

        del space, parallel
        return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)

    def fits(self, space: Space) -> str:
        numeric = sum(isinstance(dimension, Range) for dimension in space.values())
        if numeric < 2:
            return f"cma-es has {numeric} numeric settings to move in, fewer than the two it needs: trials are random"
        choices = [name for name, dimension in space.items() if isinstance(dimension, Choice)]
        return f"cma-es draws at random what has no order: {', '.join(choices)}" if choices else ""


METHODS: dict[str, Callable[..., Sampler]] = {"grid": Grid, "random": Random, "tpe": Tpe, "cma-es": CmaEs}
