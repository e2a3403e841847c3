"""Central moment discrepancy: means and central moments are drawn together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError
from acclimate.tune.align.sides import nothing, sides

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


#: Below this a vector counts as 0: its length has no gradient there.
TINY = 1e-12


@dataclasses.dataclass(frozen=True)
class Cmd:
    """Distances of the means and of the central moments of each coordinate, up to an order (Zellinger 2017, section 4).

    The measure is of bounded variables: representations are squashed by tanh into [−1, 1] first, as the paper's hidden units are.

    Use when: dan would serve; it has no kernel width to choose and costs next to nothing. Avoid when: the domains differ in how
    coordinates go together (it looks at each alone), or class shares differ much between them.

    Args:
        moments: the highest order. 5, as the paper; it finds the value to matter little from 3 on.
    """

    paper: ClassVar[str] = "Zellinger 2017"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Draws the means and higher central moments of source and target together."
    summary_zh: ClassVar[str] = "使源域与目标域表示的均值及高阶中心矩相互接近（CMD）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False

    moments: int = 5

    def __post_init__(self) -> None:
        """Raises InputError: moments is not a whole number of at least 1."""
        if isinstance(self.moments, bool) or not isinstance(self.moments, int) or self.moments < 1:
            raise InputError(f"cmd was given moments {self.moments!r}", expected="a whole number of at least 1, such as 5")

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The discrepancy of one batch; 0 where one side is a single example, which has no moments."""
        del model
        source, target, _ = sides(batch, outputs)
        if min(len(source), len(target)) < 2:
            return nothing(outputs)
        return central_moment_discrepancy(source.tanh(), target.tanh(), self.moments, span=2.0)


def central_moment_discrepancy(x: Tensor, y: Tensor, moments: int, span: float) -> Tensor:
    """``‖E x − E y‖ / s + Σ_{k=2..K} ‖c_k(x) − c_k(y)‖ / s^k`` (Zellinger 2017, the CMD regulariser), ``c_k = E (x − E x)^k`` by
    coordinate.

    Args:
        x, y: ``(n, d)`` and ``(m, d)``.
        span: length ``s`` of the interval in which the values lie.
    """
    mean_x, mean_y = x.mean(0), y.mean(0)
    total = _length(mean_x - mean_y) / span
    for order in range(2, moments + 1):
        gap = (x - mean_x).pow(order).mean(0) - (y - mean_y).pow(order).mean(0)
        total = total + _length(gap) / span**order
    return total


def _length(vector: Tensor) -> Tensor:
    return vector.square().sum().clamp_min(TINY**2).sqrt()
