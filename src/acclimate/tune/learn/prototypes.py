"""Prototypical networks: a class is the mean of its examples, and an example belongs to the nearest."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, cast

from acclimate.tune.align.sides import head_shape, nothing, wide

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor, nn

    from acclimate.models.objective import Batch, Batches, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Prototypes:
    """Every batch is an episode: each example is to be nearest to the mean of its class, of which it is no part itself.

    ``CE(−‖f − c_k‖²)`` with ``c_k`` the mean over the batch's other examples of class ``k`` (Snell 2017, eq. 1 and 2). It replaces
    the task loss. The paper draws support and query apart; here each example is a query against all others, so that a batch of few
    labels gives as many queries as it has examples. At the end the prototypes over all labelled examples (the target's, for the
    classes of which it has some) become the head, which squared distances are linear for: ``2 c_k · f − ‖c_k‖²`` (section 2.4).

    Use when: a class has five labels or so. Avoid when: classes are many against the batch, which should hold two of most; or a
    class is of several kinds with nothing in its middle. ``parameters: head`` leaves the body as it was: prototypes alone.
    """

    paper: ClassVar[str] = "Snell 2017"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "A class is the mean of its examples; the encoder learns to keep these apart."
    summary_zh: ClassVar[str] = "以各类样本均值为原型，按最近原型分类并训练编码器（原型网络）。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The loss of the episode; 0 where no class has two examples or there is one class only."""
        from acclimate.models.objective import weighted_cross_entropy

        unused = sum((value.sum() * 0 for value in _head(model).parameters()), nothing(outputs))
        known = batch.scored
        features, labels = wide(outputs.representation[known]), batch.labels[known]
        if len(labels) < 2:
            return unused
        logits, asks = episode(features, labels, head_shape(model)[1])
        if not asks.any():
            return unused
        return weighted_cross_entropy(logits[asks], labels[asks], batch.weights[known][asks]) + unused

    def conclude(self, model: Model, batches: Batches) -> None:
        """Make the prototypes over all labelled examples the head."""
        from acclimate.tune.regularize.readout import glance

        seen = glance(model, batches)
        head = _head(model)
        for number in range(head.out_features):
            mine = seen.labels == number
            mine = mine & seen.from_target if (mine & seen.from_target).any() else mine
            if not mine.any():  # as far away as can be said
                head.weight[number].zero_()
                head.bias[number] = -1e4
                continue
            shares = seen.weights[mine] / seen.weights[mine].sum()
            prototype = (seen.features[mine] * shares[:, None]).sum(0)
            head.weight[number].copy_(2 * prototype)
            head.bias[number] = -prototype.square().sum()


def episode(features: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """(logits ``−‖f_i − c_k‖²`` ``(n, classes)``, which rows have another of their class to be measured by ``(n,)``).

    An example's own class is the mean of its *other* examples; absent classes get −∞.

    Args:
        features: ``(n, d)``.
        labels: ``(n,)``, class numbers.
    """
    import torch

    marks = torch.nn.functional.one_hot(labels, classes).to(features.dtype)
    counts = marks.sum(0)
    sums = marks.T @ features
    means = sums / counts.clamp_min(1)[:, None]
    others = (sums[labels] - features) / (counts[labels] - 1).clamp_min(1)[:, None]
    apart = -(features[:, None, :] - means[None]).square().sum(-1)
    logits = torch.where(marks.bool(), -(features - others).square().sum(-1, keepdim=True), apart)
    logits = logits.masked_fill((counts == 0)[None], -torch.inf)
    return logits, (counts[labels] > 1) & ((counts > 0).sum() > 1)


def _head(model: Model) -> nn.Linear:
    return cast("nn.Linear", cast("nn.Module", model).get_submodule("head"))
