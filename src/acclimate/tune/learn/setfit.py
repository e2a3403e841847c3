"""SetFit: examples of a class are drawn together and others apart, then a logistic regression reads the vectors."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, cast

from acclimate.tune.align.sides import nothing, wide

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor, nn

    from acclimate.models.objective import Batch, Batches, Model, Outputs


@dataclasses.dataclass(frozen=True)
class SetFit:
    """Pairs of one class shall have cosine 1, pairs of two classes 0; the head is fitted when the encoder is done.

    The mean squared error of the cosine, half of it over pairs of one class, half over the others (Tunstall 2022, section 3.1, with
    the loss of Reimers & Gurevych 2019). It replaces the task loss. The paper samples as many pairs of either kind; here all pairs
    of a batch count, which is the same on average. Then a logistic regression on the vectors of all labelled examples becomes the
    head (section 3.2).

    Use when: there are eight labels or so of each class, and the encoder knows what sentences are alike (asset:minilm). Avoid when:
    labels are many: plain fine-tuning then costs less and gains more. Pictures are served alike; the paper has texts alone.
    """

    paper: ClassVar[str] = "Tunstall 2022"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Draws examples of a class together by cosine, then fits a logistic regression on the vectors."
    summary_zh: ClassVar[str] = "先以余弦对比学习拉近同类样本，再在向量上拟合逻辑回归（SetFit）。"
    replaces_task: ClassVar[bool] = True
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The loss of all pairs of the batch; 0 of a single example."""
        head = cast("nn.Module", model).get_submodule("head")
        unused = sum((value.sum() * 0 for value in head.parameters()), nothing(outputs))
        known = batch.scored
        return pair_loss(wide(outputs.representation[known]), batch.labels[known]) + unused

    def conclude(self, model: Model, batches: Batches) -> None:
        """Fit the head on all labelled examples."""
        from acclimate.tune.regularize.readout import fit_readout, glance

        seen = glance(model, batches)
        known = seen.labels >= 0
        head = cast("nn.Linear", cast("nn.Module", model).get_submodule("head"))
        features, labels, weights = (part[known].numpy() for part in (seen.features, seen.labels, seen.weights))
        fitted = fit_readout(features, labels, head.out_features, weights)
        head.weight.copy_(fitted.weight)
        head.bias.copy_(fitted.bias)


def pair_loss(features: Tensor, labels: Tensor) -> Tensor:
    """``(mean (1 − cos)² over pairs of one class + mean cos² over pairs of two) / 2``; of one kind alone where the other is absent.

    Args:
        features: ``(n, d)``.
        labels: ``(n,)``.
    """
    import torch

    unit = torch.nn.functional.normalize(features, dim=-1)
    first, second = torch.triu_indices(len(labels), len(labels), 1, device=labels.device)
    cosine = (unit[first] * unit[second]).sum(-1)
    alike = labels[first] == labels[second]
    kinds = [(1 - cosine[alike]).square(), cosine[~alike].square()]
    there = [values.mean() for values in kinds if len(values)]
    return torch.stack(there).mean() if there else features.sum() * 0
