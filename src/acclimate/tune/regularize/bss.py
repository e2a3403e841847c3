"""Batch spectral shrinkage: the weakest directions of a batch's representations are pressed down."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from acclimate.errors import InputError

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor

    from acclimate.models.objective import Batch, Model, Outputs


@dataclasses.dataclass(frozen=True)
class Bss:
    """The squares of the ``k`` smallest singular values of the batch's representations (Chen 2019, section 4.2).

    Use when: labels are few and the base model's knowledge is partly beside the point; it adds to l2-sp and delta. Avoid when: the
    batch is larger than the representation is wide, for then its smallest values are small by themselves.

    The paper's weight is 0.001.

    Args:
        smallest: k. 1, as Chen 2019, section 5.2.
    """

    paper: ClassVar[str] = "Chen 2019"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Presses down the weakest directions of a batch's representations."
    summary_zh: ClassVar[str] = "压制批次表示中最小的奇异值（BSS）。"
    replaces_task: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = False
    needs_input_gradient: ClassVar[bool] = False

    smallest: int = 1

    def __post_init__(self) -> None:
        """Raises InputError: smallest is not a whole number of at least 1."""
        if isinstance(self.smallest, bool) or not isinstance(self.smallest, int) or self.smallest < 1:
            raise InputError(f"bss was given smallest {self.smallest!r}", expected="a whole number of at least 1")

    def __call__(self, model: Model, batch: Batch, outputs: Outputs) -> Tensor:
        """The sum of squares for one batch."""
        del model, batch
        values = outputs.representation
        return smallest_energies(values.float() if values.itemsize < 4 else values, self.smallest)


def smallest_energies(values: Tensor, count: int) -> Tensor:
    """``Σ σ²`` over the ``count`` smallest singular values of ``(n, d)``: eigenvalues of the smaller Gram matrix, whose gradient is
    finite where singular values coincide."""
    import torch

    n, d = values.shape
    gram = values @ values.T if n <= d else values.T @ values
    energies: Tensor = torch.linalg.eigvalsh(gram)
    return energies[:count].clamp_min(0).sum()
