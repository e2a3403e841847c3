"""DELTA: what leaves each layer stays near what left it before training, where it matters."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, ClassVar, cast

from acclimate.errors import InputError

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from acclimate.models.objective import Batch, Batches, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Delta:
    """The squared change of every channel's output against the pre-trained model's, weighted by attention (Li 2019, section 3.2).

    A channel's attention is the softmax of how much the loss of a linear classifier on the pre-trained model grows without that
    channel (section 3.3). The paper measures it channel by channel; here it is its first-order estimate ``−Σ ∂L/∂h · h``, one pass
    back instead of thousands forward, standardised within a layer, since raw differences are too small to tell channels apart. The
    change is a mean over tokens or places and a sum over layers. The paper's penalty on the head is l2-sp's.

    A second copy of the model is held in memory, and each step runs it once.

    Use when: labels are few and the base model sees the right things already; it holds behaviour where l2-sp holds weights.
    Avoid when: a second copy does not fit, or source and target look so different that behaviour must change.

    Args:
        attention: false weighs all channels alike.
    """

    paper: ClassVar[str] = "Li 2019"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Keeps what leaves each layer near what left it before training, where it matters."
    summary_zh: ClassVar[str] = "以注意力加权，使各层输出接近预训练模型（DELTA）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    attention: bool = True

    reads_layers: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Raises InputError: attention neither true nor false."""
        if not isinstance(self.attention, bool):
            raise InputError(f"delta was given attention {self.attention!r}", expected="true or false")

    def companion(self, model: Model, batches: Batches) -> nn.Module:
        """The frozen copy, and the attention of each of its layers."""
        from torch import nn

        from acclimate.models.companions import COMPANIONS, Frozen

        twin = copy.deepcopy(cast("nn.Module", model))
        twin._modules.pop(COMPANIONS, None)
        weights = attentions(cast("Model", twin.eval()), batches) if self.attention else []
        made = nn.ModuleDict({"before": Frozen(twin)})
        made["attention"] = nn.ParameterList([nn.Parameter(weight, requires_grad=False) for weight in weights])
        return made

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The weighted change, averaged over the batch and summed over the layers."""
        import torch

        from acclimate.models.companions import Frozen, companion_of
        from acclimate.models.layers import recording

        own = companion_of(model, self)
        frozen = own.get_submodule("before")
        assert isinstance(frozen, Frozen)
        before = cast("Model", frozen.inner)
        assert outputs.representation is not None  # the plain pass, which fills outputs.hidden
        with torch.no_grad(), recording(before.layers) as old:
            before.represent(batch.inputs)
        return behaviour_gap(outputs.hidden, old, list(own.get_submodule("attention").parameters()), batch.inputs)


def behaviour_gap(
    new: Sequence[Tensor], old: Sequence[Tensor], attention: Sequence[Tensor], inputs: Mapping[str, Tensor]
) -> Tensor:
    """``Σ_layers mean_b Σ_j W_j mean_places (h_j − h⁰_j)²`` (Li 2019, section 3.2).

    Args:
        new, old: of each layer ``(b, t, d)`` or ``(b, d, h, w)``.
        attention: of each layer ``(d,)``, summing to 1; none weighs all alike.
    """
    import torch

    from acclimate.models.layers import over_places

    total = []
    for number, (one, other) in enumerate(zip(new, old, strict=True)):
        change = over_places((one - other).float().square(), inputs.get("attention_mask")).mean(0)
        total.append(change @ attention[number] if attention else change.mean())
    return torch.stack(total).sum()


def attentions(model: Model, batches: Batches) -> list[Tensor]:
    """Each layer's attention ``(d,)``: the softmax of its channels' standardised worth to a linear classifier (Li 2019,
    section 3.3)."""
    import torch

    from acclimate.models.layers import recording
    from acclimate.tune.regularize.readout import fit_readout, glance

    seen = glance(model, batches)
    readout = fit_readout(seen.features.numpy(), seen.labels.numpy(), int(seen.labels.max()) + 1)
    worth: list[Tensor] = []
    for batch in batches():
        with torch.enable_grad(), recording(model.layers) as hidden:
            represented = model.represent(batch.inputs, embedded=model.embed(batch.inputs).detach().requires_grad_())
            loss = torch.nn.functional.cross_entropy(readout(represented.float()), batch.labels, reduction="sum")
            gradients = torch.autograd.grad(loss, hidden)
        lost = [channel_worth(h.detach(), g) for h, g in zip(hidden, gradients, strict=True)]
        worth = [a + b for a, b in zip(worth, lost, strict=True)] if worth else lost
    return [((value - value.mean()) / value.std().clamp_min(1e-12)).softmax(0) for value in worth]


def channel_worth(hidden: Tensor, gradient: Tensor) -> Tensor:
    """What the loss grows by without each channel, to first order: ``−Σ g · h`` over examples and places, ``(d,)``."""
    lost = -(hidden * gradient).float()
    return lost.sum((0, 2, 3)) if lost.ndim == 4 else lost.sum((0, 1))
