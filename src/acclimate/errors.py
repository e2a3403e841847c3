"""One exception family. Every message says what was found, what was expected and how to fix it.

Exit codes of the command line follow the class: 1 failed while running, 2 bad input or recipe, 3 interrupted (resumable).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class AcclimateError(Exception):
    """A failure that a user can understand and act on.

    Args:
        found: what was found, as a sentence without its full stop.
        expected: what was expected instead.
        fix: what the user can do about it.
    """

    exit_code = 1

    def __init__(self, found: str, *, expected: str = "", fix: str = "") -> None:
        self.found = found
        self.expected = expected
        self.fix = fix
        parts = [found, f"Expected: {expected}" if expected else "", f"Fix: {fix}" if fix else ""]
        super().__init__(" ".join(part if part.endswith((".", "?")) else f"{part}." for part in parts if part))

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross process borders whole: the constructor of a subclass may take other arguments."""
        return _restored, (type(self), self.found, self.expected, self.fix)


def _restored(kind: type[AcclimateError], found: str, expected: str, fix: str) -> AcclimateError:
    error = kind.__new__(kind)
    AcclimateError.__init__(error, found, expected=expected, fix=fix)
    return error


class RunError(AcclimateError):
    """Something failed while running: a locked run folder, no network for an asset, a full disk."""

    exit_code = 1


class NoRoomError(RunError):
    """A file could not be written because the disk is full, or a quota, or a limit on the size of files is reached."""


class InputError(AcclimateError):
    """The input, the recipe or the command line is wrong; nothing was changed."""

    exit_code = 2


class MissingExtraError(InputError):
    """An optional dependency is absent."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs packages that are not installed",
            expected=f"the extra '{extra}'",
            fix=f'pip install "acclimate[{extra}]"',
        )


class InterruptedRunError(AcclimateError):
    """The user stopped the run; starting it again continues where it stopped."""

    exit_code = 3


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The valid name closest to a misspelt one, or None when nothing is close."""
    matches = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.6)
    return matches[0] if matches else None


def unknown_name(kind: str, name: str, choices: Iterable[str]) -> InputError:
    """The error for a name that does not exist, with the nearest valid one."""
    names = sorted(set(choices))
    close = nearest(name, names)
    return InputError(
        f"Unknown {kind} '{name}'",
        expected=f"one of {', '.join(names)}",
        fix=f"did you mean '{close}'?" if close else "use one of these",
    )
