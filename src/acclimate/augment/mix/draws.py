"""What mixing draws: who is mixed with whom, and in what share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError

if TYPE_CHECKING:  # offline augmentation imports this family in every worker process and never needs torch
    from torch import Tensor

    from acclimate.models.objective import Batch


def draw_lambda(count: int, alpha: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mixing shares ``λ ~ Beta(α, α)``, ``(count,)`` (Zhang 2018, section 2).

    One share a pair rather than one a batch: the expected loss is the same, and with 16 pairs its gradient varies less than when a
    whole batch is mixed by one draw.

    >>> draw_lambda(3, 1.0, np.random.default_rng(0)).shape
    (3,)
    """
    return rng.beta(alpha, alpha, size=count)


def draw_pairs(batch: Batch, alpha: float) -> tuple[Tensor, Tensor]:
    """Shares ``(b,)`` and, by a random permutation, partners ``(b,)``, from the batch's own generator."""
    rng = numpy_generator(batch)
    count = len(batch.labels)
    share = batch.weights.new_tensor(draw_lambda(count, alpha, rng))
    return share, batch.labels.new_tensor(rng.permutation(count))


def numpy_generator(batch: Batch) -> np.random.Generator:
    """A generator seeded by the batch's: NumPy has a Beta distribution that takes a generator, torch has none."""
    import torch

    return np.random.default_rng(int(torch.randint(2**62, (), generator=batch.generator)))


def check_alpha(name: str, alpha: float) -> None:
    """Raises InputError: an alpha that is no number above 0."""
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 < alpha < float("inf"):
        raise InputError(f"{name} was given alpha {alpha!r}", expected="a number above 0, such as 0.2")
