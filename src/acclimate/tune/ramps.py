"""How the weight of a term moves while training goes on: functions of the share that is done."""

from __future__ import annotations

import math
from collections.abc import Callable

#: Ganin 2016, section 5.2.2.
GAMMA = 10.0


def ganin(progress: float, gamma: float = GAMMA) -> float:
    """``λ_p = 2 / (1 + exp(−γ p)) − 1`` (Ganin 2016, section 5.2.2): 0 at first, so that an untrained opponent does no harm.

    >>> ganin(0.0), round(ganin(0.5), 4)
    (0.0, 0.9866)
    """
    return 2 / (1 + math.exp(-gamma * progress)) - 1


#: Shapes by the name that recipes use; each is a factor of the weight.
RAMPS: dict[str, Callable[[float], float]] = {
    "constant": lambda _: 1.0,
    "ganin": ganin,
    "linear": lambda progress: progress,
    "falling": lambda progress: 1 - progress,
}
