"""DeepJDOT: the cheapest transport between source examples with labels and target examples with predictions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError, MissingExtraError
from acclimate.tune.align.sides import sides, wide

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


@dataclasses.dataclass(frozen=True)
class DeepJdot:
    """What the cheapest plan that carries the source's examples to the target's would cost (Damodaran 2018, section 3.2).

    Carrying i to j costs ``α ‖z_i − z_j‖² + λ CE(y_i, f(z_j))``. The plan is exact and fixed within a step (the paper's alternating
    scheme); the gradient runs through the costs.

    Use when: source and target share their classes, and each class has its own place to go to. Avoid when: batches are small, or
    class shares differ much between the domains: every example must be carried somewhere.

    Args:
        distance: α. 0.001, as Damodaran 2018, section 4.1.
        label: λ. 0.0001, as the paper.
    """

    paper: ClassVar[str] = "Damodaran 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Carries source examples with their labels to target ones at the least cost."
    summary_zh: ClassVar[str] = "以最优传输将带标签的源样本与目标样本联合对齐（DeepJDOT）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = True
    needs_input_gradient: ClassVar[bool] = False
    extra: ClassVar[str] = "ot"

    distance: float = 0.001
    label: float = 0.0001

    def __post_init__(self) -> None:
        """Raises InputError: a factor below 0, or both 0."""
        for name in ("distance", "label"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
                raise InputError(f"deepjdot was given {name} {value!r}", expected="a number of at least 0")
        if self.distance == self.label == 0:
            raise InputError("deepjdot was given distance 0 and label 0", expected="at least one of them above 0")

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The cost of the cheapest plan for one batch."""
        del model
        from acclimate.features.kernels import squared_distances

        source, target, rows = sides(batch, outputs)
        surprises = -wide(outputs.unlabelled_logits).log_softmax(-1)[:, batch.labels[rows]].T
        costs = self.distance * squared_distances(source, target) + self.label * surprises
        return (cheapest_plan(costs.detach()).to(costs) * costs).sum()


def cheapest_plan(costs: Tensor) -> Tensor:
    """The exact transport between equally weighted rows and columns, ``(n, m)``, which sums to 1 (Damodaran 2018, section 3.2).

    Raises:
        MissingExtraError: POT is not installed.
    """
    import torch

    try:
        import ot
    except ImportError as error:
        raise MissingExtraError("deepjdot", "ot") from error
    n, m = costs.shape
    plan = ot.emd([1 / n] * n, [1 / m] * m, costs.double().cpu().numpy())
    return torch.from_numpy(plan)
