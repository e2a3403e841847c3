"""Every random draw of training comes from (seed, what for, step), so that a resumed run draws what an undisturbed one does."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch

Purpose = Literal["order", "unlabelled-order", "dropout", "objectives", "companions", "views", "masking"]

_STREAM: dict[Purpose, int] = {
    "order": 0,
    "unlabelled-order": 1,
    "dropout": 2,
    "objectives": 3,
    "companions": 4,
    "views": 5,
    "masking": 6,
}


def derive(seed: int, purpose: Purpose, step: int = 0, rank: int = 0, *part: int) -> int:
    """An independent 63-bit seed for one purpose at one step on one process, and for a later part of that step's batch.

    >>> derive(0, "dropout", 1) == derive(0, "dropout", 1), derive(0, "dropout", 1) == derive(0, "dropout", 2)
    (True, False)
    """
    sequence = np.random.SeedSequence([seed, _STREAM[purpose], step, rank, *part])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


@contextlib.contextmanager
def untouched_randomness() -> Iterator[None]:
    """Training seeds the global generators (dropout draws from torch's); the caller's states are put back afterwards."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # the global state is what must be put back
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
