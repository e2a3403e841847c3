"""Several tasks on one body: a head for each, and a way to weigh or reconcile them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import unknown_name
from acclimate.tune.align.sides import head_shape, wide

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    import torch
    from torch import Tensor, nn

    from acclimate.models.objective import Batch, Batches, Model, Outputs

WEIGHTINGS = ("equal", "uncertainty", "pcgrad")


@dataclasses.dataclass(frozen=True)
class MultiTask:
    """The target is one task, each domain of the source another. It replaces the task loss by the mean over the tasks in a batch.

    A domain whose classes are all among the target's shares its head; any other has a head of its own while training lasts, so a
    source may have other labels than the target. ``weighting``:

    - ``uncertainty``: ``mean (exp(−s_t) L_t + s_t / 2)`` with a learned ``s_t = log σ_t²`` (Kendall 2018, eq. 10, for classes): a
      task that stays hard counts less.
    - ``pcgrad``: of two tasks' gradients on the weights they share, each loses what points against the other (Yu 2020,
      algorithm 1); over several processes each one does so for its own part of the batch. A backward pass for each task.
    - ``equal``: the mean.

    Use when: the source's labels mean something else than the target's, or its domains pull in different directions. Avoid when:
    there is no source; or all of one domain, whose one task is the plain loss.

    In a recipe, source examples of classes that the target has not are left out before anything runs; ``acclimate tune`` and
    :func:`acclimate.tune.run.tune` keep them.
    """

    paper: ClassVar[str] = "Kendall 2018; Yu 2020"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "A head for each task on one body; tasks weighed by uncertainty, or their gradients reconciled."
    summary_zh: ClassVar[str] = "共享主干、每任务一个分类头；按不确定性加权，或消解梯度冲突（PCGrad）。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False
    separates_tasks: ClassVar[bool] = True

    weighting: str = "uncertainty"

    def __post_init__(self) -> None:
        """Raises InputError: no such weighting."""
        if self.weighting not in WEIGHTINGS:
            raise unknown_name("weighting of multi-task", str(self.weighting), WEIGHTINGS)

    def companion(self, model: Model, batches: Batches) -> nn.Module:
        """A head for each task with classes of its own, by the task's number, and ``s`` ``(tasks,)``."""
        import torch
        from torch import nn

        tasks = next(batches()).tasks
        sizes = [0] if tasks is None else tasks.heads.tolist()
        width = head_shape(model)[0]
        made = nn.ModuleDict({str(number): nn.Linear(width, size) for number, size in enumerate(sizes) if size})
        log_variances = nn.ParameterList([nn.Parameter(torch.zeros(len(sizes)))] if self.weighting == "uncertainty" else [])
        return nn.ModuleDict({"heads": made, "log_variances": log_variances})

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The mean over the tasks of which the batch has examples."""
        from acclimate.models.companions import companion_of
        from acclimate.models.passes import carry, trainable

        own = companion_of(model, self)
        losses = task_losses(own.get_submodule("heads"), batch, outputs)
        present = sorted(losses)
        values = [losses[number] for number in present]
        if self.weighting == "uncertainty":
            total = weigh_by_uncertainty(values, own.get_parameter("log_variances.0")[present])
        elif self.weighting == "equal" or len(values) == 1:
            total = sum(values[1:], values[0]) / len(values)
        else:
            parameters = trainable(model)
            gradients = reconciled_gradients(values, parameters, batch.generator)
            total = carry(sum(values[1:], values[0]) / len(values), parameters, gradients)
        return total + _untouched(own)


def task_losses(heads: nn.Module, batch: Batch, outputs: Outputs) -> dict[int, Tensor]:
    """The weighted cross-entropy of each task in the batch, by its number; number 0 is the target's."""
    from acclimate.models.objective import task_loss, weighted_cross_entropy

    if batch.tasks is None:
        return {0: task_loss(outputs.logits, batch)}
    found = {}
    for number in sorted(set(batch.tasks.numbers.tolist())):
        rows = batch.tasks.numbers == number
        separate = heads._modules.get(str(number))
        logits = outputs.logits[rows] if separate is None else separate(wide(outputs.representation[rows]))
        found[number] = weighted_cross_entropy(logits, batch.tasks.labels[rows], batch.weights[rows])
    return found


def weigh_by_uncertainty(losses: Sequence[Tensor], log_variances: Tensor) -> Tensor:
    """``mean (exp(−s_t) L_t + s_t / 2)``, where ``s_t = log σ_t²`` (Kendall 2018, eq. 10 and section 3.2).

    Args:
        losses: a scalar for each of ``k`` tasks.
        log_variances: ``s`` ``(k,)``.
    """
    import torch

    return ((-log_variances).exp() * torch.stack(list(losses)) + log_variances / 2).mean()


def reconciled_gradients(
    losses: Sequence[Tensor], parameters: Sequence[nn.Parameter], generator: torch.Generator
) -> list[Tensor | None]:
    """The mean of the tasks' gradients after surgery on the weights that all of them reach; the plain mean on others."""
    import torch

    found = [torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True) for loss in losses]
    shared = [place for place in range(len(parameters)) if all(one[place] is not None for one in found)]
    orders = [torch.randperm(len(losses), generator=generator).tolist() for _ in losses]
    mean: list[Tensor | None] = [_mean([one[place] for one in found]) for place in range(len(parameters))]
    if shared:
        flat = torch.stack([torch.cat([one[place].flatten() for place in shared]) for one in found])
        joined = surgery(flat, orders)
        for place, part in zip(shared, torch.split(joined, [parameters[place].numel() for place in shared]), strict=True):
            mean[place] = part.view_as(parameters[place])
    return mean


def surgery(gradients: Tensor, orders: Sequence[Sequence[int]]) -> Tensor:
    """The mean of the gradients, each without what points against the others (Yu 2020, algorithm 1).

    ``g_i ← g_i − (g_i · g_j / ‖g_j‖²) g_j`` for every other task ``j`` in turn, where ``g_i · g_j < 0``; ``g_j`` is the plain one.

    Args:
        gradients: ``(k, p)``.
        orders: for each task, the order in which the others are met; its own number is passed over.
    """
    changed = gradients.clone()
    lengths = gradients.square().sum(1).clamp_min(1e-30)
    for own, order in enumerate(orders):
        for other in order:
            if other != own:
                along = (changed[own] @ gradients[other]).clamp_max(0)
                changed[own] -= along / lengths[other] * gradients[other]
    return changed.mean(0)


def _mean(gradients: Sequence[Tensor | None]) -> Tensor | None:
    """Over all tasks; one that a task does not reach is 0, one that none reaches is none."""
    there = [gradient for gradient in gradients if gradient is not None]
    return sum(there[1:], there[0]) / len(gradients) if there else None


def _untouched(own: nn.Module) -> Tensor | float:
    """0, through every weight of the companion: wrappers such as DDP want a gradient for each in every step."""
    parameters = list(own.parameters())
    return sum((value.sum() * 0 for value in parameters[1:]), parameters[0].sum() * 0) if parameters else 0.0
