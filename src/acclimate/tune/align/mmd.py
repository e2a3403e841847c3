"""Maximum mean discrepancy of several layers at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from torch import Tensor


def joint_mmd(source: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """The unbiased squared MMD under the product of one multi-kernel for each layer (Long 2017, section 4.2); of one layer MK-MMD.

    Every layer's bank of RBF kernels lies around the median distance of the batch, through which no gradient runs.

    Args:
        source, target: of each layer ``(n, d_l)`` and ``(m, d_l)``; ``n, m ≥ 2``.
    """
    import torch

    from acclimate.features.kernels import kernel_bank, median_bandwidth, mmd2_unbiased, squared_distances

    n = len(source[0])
    values: Tensor | None = None
    for one, other in zip(source, target, strict=True):
        both = torch.cat([one, other])
        distances = squared_distances(both, both)
        kernel = kernel_bank(median_bandwidth(distances))(distances)
        values = kernel if values is None else values * kernel
    assert values is not None
    return mmd2_unbiased(values[:n, :n], values[n:, n:], values[:n, n:])
