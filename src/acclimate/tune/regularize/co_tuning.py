"""Co-tuning: the head that knows the source's classes goes on learning beside the new one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from acclimate.models.objective import Batch, Batches, Model, Outputs


@dataclasses.dataclass(frozen=True)
class CoTuning:
    """Target examples are also taught in the source's classes: as what a source head thought of their class before training.

    ``CE(p(y_s | y_t), source head)`` on the labelled target examples (You 2020, section 3.1). The source head is a linear layer on
    the pre-trained model's vectors of the labelled source examples; its probabilities, calibrated by a temperature on every fifth
    source example (section 3.3), are averaged over the target examples of each class to give ``p(y_s | y_t)`` (the paper's direct
    approach). A class without a target example keeps its own name. The paper's source head is the one that the base model was
    pre-trained with; encoders have none, and the source pool's classes stand in for it.

    Use when: target labels are few and the source's labels mean nearly, but not quite, the same. Avoid when: there is no labelled
    source; then it cannot start.

    The paper's weight is 2.3.
    """

    paper: ClassVar[str] = "You 2020"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Teaches target examples in the source's classes too, by a head that knows them."
    summary_zh: ClassVar[str] = "以源域分类头的软标签同时训练目标样本（Co-Tuning）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    def companion(self, model: Model, batches: Batches) -> nn.Module:
        """The source head, which is trained, and the relation ``(c, c)`` of classes, which is not.

        Raises:
            InputError: there are not two classes among the labelled source examples.
        """
        from torch import nn

        from acclimate.tune.align.sides import head_shape
        from acclimate.tune.regularize.readout import fit_readout, glance

        seen = glance(model, batches)
        mine = seen.from_target.numpy()
        features, labels = seen.features.numpy(), seen.labels.numpy()
        if len(set(labels[~mine].tolist())) < 2:
            raise InputError(
                f"co-tuning found {int((~mine).sum())} labelled source examples of less than two classes",
                expected="labelled source examples of at least two classes",
                fix="add a source, or leave out co-tuning",
            )
        classes = head_shape(model)[1]
        head = fit_readout(features[~mine], labels[~mine], classes)
        spared = (~mine).nonzero()[0][::5]
        kept = (~mine).nonzero()[0]
        kept = kept[[row not in set(spared.tolist()) for row in kept.tolist()]]
        trial = fit_readout(features[kept], labels[kept], classes)
        temperature = calibrated(logits_of(trial, features[spared]), labels[spared])
        told = relation(logits_of(head, features[mine]) / temperature, labels[mine], classes)
        return nn.ModuleDict({"head": head, "relation": nn.ParameterList([nn.Parameter(told, requires_grad=False)])})

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The source head's loss on the target examples of one batch; 0 where there is none."""
        from acclimate.models.companions import companion_of

        mine = batch.from_target
        if not mine.any():
            return outputs.representation.sum() * 0
        own = companion_of(model, self)
        features = outputs.representation[mine]
        guessed = own.get_submodule("head")(features.float() if features.itemsize < 4 else features).log_softmax(-1)
        wanted = own.get_parameter("relation.0")[batch.labels[mine]]
        weights = batch.weights[mine]
        loss: Tensor = -((wanted * guessed).sum(-1) * weights).sum() / weights.sum().clamp_min(1e-12)
        return loss


def logits_of(head: nn.Linear, features: NDArray[np.floating]) -> Tensor:
    """``(n, d)`` to ``(n, c)``, without gradient."""
    import torch

    with torch.no_grad():
        logits: Tensor = head(torch.as_tensor(features, dtype=head.weight.dtype))
    return logits.double()


def calibrated(logits: Tensor, labels: NDArray[np.int64]) -> float:
    """The temperature between 0.1 and 10 under which held-out logits ``(n, c)`` are likeliest (Guo 2017, section 4.2)."""
    import torch
    from scipy.optimize import minimize_scalar

    wanted = torch.from_numpy(labels)

    def surprise(log_temperature: float) -> float:
        return torch.nn.functional.cross_entropy(logits / 10**log_temperature, wanted).item()

    return float(10 ** minimize_scalar(surprise, bounds=(-1, 1), method="bounded").x)


def relation(logits: Tensor, labels: NDArray[np.int64], classes: int) -> Tensor:
    """``p(y_s | y_t)`` as rows ``(c_t, c_s)``: calibrated probabilities averaged over each target class (You 2020, section 3.2).

    Args:
        logits: calibrated, of target examples ``(n, c_s)``.
        labels: their target classes ``(n,)``.
    """
    import torch

    told = torch.eye(classes)
    for number in set(labels.tolist()):
        told[number] = logits[torch.from_numpy(labels == number)].softmax(-1).mean(0).float()
    return told
