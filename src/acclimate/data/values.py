"""A cell that cannot be used, and why."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Bad:
    """Stands in a column for a value that cannot be used: what was found there, and what was expected."""

    reason: str
    expected: str
