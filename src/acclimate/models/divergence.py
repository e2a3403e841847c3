"""How far apart two predictions are, from their logits."""

from __future__ import annotations

from torch import Tensor


def kl_divergence(logits: Tensor, others: Tensor) -> Tensor:
    """``KL(p ‖ q) = Σ_c p_c (log p_c − log q_c)`` at each position, in nats: ``(..., c)`` twice to ``(...)``."""
    log_p, log_q = logits.log_softmax(-1), others.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def symmetric_kl(logits: Tensor, others: Tensor) -> Tensor:
    """``KL(p ‖ q) + KL(q ‖ p) = Σ_c (p_c − q_c)(log p_c − log q_c)`` at each position: ``(..., c)`` twice to ``(...)``."""
    log_p, log_q = logits.log_softmax(-1), others.log_softmax(-1)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(-1)
