"""One vector for a whole text out of one vector for each of its tokens."""

from __future__ import annotations

from torch import Tensor


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean over real tokens (Reimers & Gurevych 2019, section 3).

    Args:
        hidden: token vectors ``(b, t, d)``.
        mask: 1 for a real token, 0 for padding, ``(b, t)``.
    Returns:
        ``(b, d)``; zeros for a row without a real token.
    """
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp_min(1)
