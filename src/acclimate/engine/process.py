"""For processes that are our own from their start, a command or a worker: what they need not spend."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

#: Objects made since the last collection of cycles, and collections until older objects are looked at.
_OBJECTS, _ROUNDS = 50_000, 20


def collect_rarely() -> None:
    """Look for cycles of garbage less often.

    Python looks after every 700 objects, among them the hundreds of thousands that importing makes and that stay for good: a tenth
    of the time of a command that takes seconds.
    """
    gc.set_threshold(_OBJECTS, _ROUNDS, _ROUNDS)


def start_light() -> None:
    """Keep two libraries from loading others that most commands have no use for, which takes .2 s and 80 MB in every process.

    The first array that ``pyarrow`` makes of a list imports all of pandas, to see whether the list is one of its series;
    ``to_pandas`` still works afterwards. Numba imports ``scipy.linalg``, and with it a second BLAS, for kernels that multiply
    matrices: ours do not, and in this process none can.
    """
    with _hidden("pandas"):
        import pyarrow as pa

        pa.array([0])  # looks for pandas once, and remembers
    with _hidden("scipy.linalg"):
        import numba.np.arraymath  # noqa: F401 - looks for a BLAS once


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    """A module that is not loaded yet is not there, for a moment."""
    if name in sys.modules:
        yield
        return
    finder = _Hides(name)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Hides(MetaPathFinder):
    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:  # noqa: ARG002
        """Says that the module is not there."""
        if name == self._name:
            raise ModuleNotFoundError("kept out for a moment", name=name)
