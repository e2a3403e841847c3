"""When a trial is given up: never, by successive halving, or by Hyperband. What is counted is in :mod:`.judge`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

#: Of the trials that reach a rung, one in so many goes on (Li 2018, section 3: 3 or 4).
REDUCTION = 3


class Pruner(Protocol):
    """A way to give up trials that do badly early."""

    method: ClassVar[str]
    paper: ClassVar[str]
    modality: ClassVar[tuple[str, ...]]
    summary: ClassVar[str]
    summary_zh: ClassVar[str]

    def pruner(self, most: int) -> BasePruner:
        """Optuna's pruner for trials that report ``most`` times at most."""
        ...


class Never:
    """Every trial is carried out in full: all of them can be compared, pair by pair.

    Use when: trials are cheap, or differences are small and settings are to be understood. Avoid when: a trial takes minutes.
    """

    method: ClassVar[str] = "none"
    paper: ClassVar[str] = "–"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Every trial is carried out in full."
    summary_zh: ClassVar[str] = "每次试验都完整执行，不提前终止。"

    def pruner(self, most: int) -> BasePruner:
        import optuna

        del most
        return optuna.pruners.NopPruner()


class SuccessiveHalving:
    """Asynchronous successive halving: after 1, 3, 9, ... reports only the best third goes on (Li 2020, algorithm 2).

    Use when: early reports tell which trials will be bad, and there are many trials. Avoid when: good settings start slowly, such
    as small learning rates; Hyperband hedges against that.
    """

    method: ClassVar[str] = "successive-halving"
    paper: ClassVar[str] = "Li 2020"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "After 1, 3, 9, ... reports only the best third of the trials goes on."
    summary_zh: ClassVar[str] = "在第 1、3、9……次汇报后，只有最好的三分之一继续（异步逐次减半）。"

    def pruner(self, most: int) -> BasePruner:
        import optuna

        del most
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION)


class Hyperband:
    """Several successive halvings side by side, each of which begins to give up later than the one before (Li 2018).

    Use when: it is not known how early a trial shows what it is worth. Avoid when: trials report fewer than three times: there is
    one bracket, and that is successive halving.
    """

    method: ClassVar[str] = "hyperband"
    paper: ClassVar[str] = "Li 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Several successive halvings, some of which give up late."
    summary_zh: ClassVar[str] = "并行多组逐次减半，各组开始淘汰的早晚不同。"

    def pruner(self, most: int) -> BasePruner:
        import optuna

        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=max(most, 1), reduction_factor=REDUCTION)


METHODS: dict[str, Callable[..., Pruner]] = {
    "none": Never,
    "successive-halving": SuccessiveHalving,
    "hyperband": Hyperband,
}
