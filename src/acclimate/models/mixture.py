"""A batch mixed with its own rows: which row with which, and in what share."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

from numpy.typing import NDArray

if TYPE_CHECKING:  # offline augmentation imports this in every worker process and never needs torch
    import numpy as np
    from torch import Tensor

Array = TypeVar("Array", "NDArray[np.float64]", "Tensor")


def mix(values: Array, partners: Array, share: Array) -> Array:
    """``λ a + (1 − λ) b`` row by row (Zhang 2018, section 2); values and partners ``(n, ...)``, share ``(n,)``.

    >>> import numpy as np
    >>> mix(np.array([[0.0], [2.0]]), np.array([[1.0], [0.0]]), np.array([0.5, 1.0])).tolist()
    [[0.5], [2.0]]
    """
    by_row = share.reshape((-1,) + (1,) * (len(values.shape) - 1))
    return by_row * values + (1 - by_row) * partners


@dataclasses.dataclass(frozen=True, eq=False)
class Mixture:
    """Row ``i`` becomes ``λ_i`` of itself and ``1 − λ_i`` of row ``partner[i]``, in a hidden layer.

    Attributes:
        partner: row numbers ``(b,)``.
        share: ``λ``, ``(b,)``.
        layer: where: 0 is the input of the first layer, k the output of layer k.
    """

    partner: Tensor
    share: Tensor
    layer: int = 0

    def blend(self, hidden: Tensor) -> Tensor:
        """``(b, ...)`` to ``(b, ...)``."""
        return mix(hidden, hidden[self.partner], self.share.to(hidden.dtype))

    def union(self, mask: Tensor) -> Tensor:
        """Where either of the two may be looked at: masks ``(b, ...)`` of booleans, of 0 and 1, or of 0 and −∞."""
        import torch

        other = mask[self.partner]
        return mask | other if mask.dtype == torch.bool else torch.maximum(mask, other)
