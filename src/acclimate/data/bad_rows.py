"""What happens to a row that cannot be used: one clear message, or a skip that is counted. Never a silent drop."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal, get_args

from acclimate.errors import InputError, unknown_name

OnBadRow = Literal["fail", "skip"]

#: How many skipped rows are described one by one in the notes of a domain; the rest are only counted.
DESCRIBED = 5


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a row stands: a file and its 1-based line (text formats) or row (the others)."""

    file: str
    unit: Literal["line", "row"]
    number: int

    def __str__(self) -> str:
        return f"'{self.file}', {self.unit} {self.number}"


@dataclasses.dataclass
class BadRows:
    """Collects the rows that one reading rejects.

    Attributes:
        policy: ``"fail"`` stops at the first bad row; ``"skip"`` leaves it out and counts it.
        reasons: one line for each rejected row, in the order met.
    """

    policy: OnBadRow = "fail"
    reasons: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        if self.policy not in get_args(OnBadRow):
            raise unknown_name("value of on_bad_row", str(self.policy), get_args(OnBadRow))

    def reject(self, place: Place, reason: str, *, expected: str, fix: str = "correct that row") -> None:
        """Count a bad row, or raise.

        Raises:
            InputError: the policy is ``"fail"``.
        """
        if self.policy == "fail":
            raise InputError(f"{place}: {reason}", expected=expected, fix=f"{fix}, or leave such rows out with --on-bad-row skip")
        self.reasons.append(f"{place}: {reason}")

    @property
    def count(self) -> int:
        """How many rows were left out."""
        return len(self.reasons)

    def notes(self) -> list[str]:
        """What reading announces about the rows it left out: a count and the first reasons."""
        if not self.reasons:
            return []
        more = f" (and {self.count - DESCRIBED} more)" if self.count > DESCRIBED else ""
        counted = "1 bad row was skipped: " if self.count == 1 else f"{self.count} bad rows were skipped: "
        return [counted + "; ".join(self.reasons[:DESCRIBED]) + more]


def display(path: Path) -> str:
    """A path as messages show it: relative to the working folder where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
