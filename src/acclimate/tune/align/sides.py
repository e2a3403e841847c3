"""The two sides that alignment draws together, and the shape of a classifier's head."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor, nn

    from acclimate.models.objective import Batch, Model, Outputs


class Sides(NamedTuple):
    """Representations ``(n, d)`` and ``(m, d)``, and which labelled rows ``(b,)`` the source side is."""

    source: Tensor
    target: Tensor
    rows: Tensor


def sides(batch: Batch, outputs: Outputs) -> Sides:
    """The batch's source examples and its unlabelled target examples, in at least 32 bits.

    The source side is the labelled examples that are not the target's; in a batch with fewer than two of these it is all labelled
    examples.
    """
    import torch

    is_source = ~batch.from_target
    rows = is_source if is_source.sum() >= 2 else torch.ones_like(is_source)
    return Sides(wide(outputs.representation[rows]), wide(outputs.unlabelled), rows)


def wide(values: Tensor) -> Tensor:
    """Sixteen-bit numbers as 32-bit ones: distances and spectra lose too much in fewer."""
    return values.float() if values.itemsize < 4 else values


def nothing(outputs: Outputs) -> Tensor:
    """0, where one side is too small for the term to mean anything."""
    return outputs.representation.sum() * 0


class _Headed(Protocol):
    head: nn.Linear


def head_shape(model: Model) -> tuple[int, int]:
    """Width of a classifier's representation, and number of its classes."""
    head = cast("_Headed", model).head
    return head.in_features, head.out_features
