"""What runs a function over the pieces of a job: processes of this machine, or a Ray cluster; the results are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol, Self, TypeVar

from acclimate.errors import InputError, unknown_name

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")

EngineName = Literal["local", "ray"]
ENGINES = ("local", "ray")


class Engine(Protocol):
    """Runs ``function(shared, item)`` for every item.

    The function, what is shared and the items must be picklable; the function is a top-level one and may be called twice for an
    item, so what it writes it writes whole, under a name that follows from the item. It is used in a ``with`` statement.
    """

    @property
    def name(self) -> str:
        """As it is asked for."""
        ...

    @property
    def workers(self) -> int:
        """Items at once."""
        ...

    def __enter__(self) -> Self:
        """Keep what is costly to start from one ``run`` to the next."""
        ...

    def __exit__(self, *_: object) -> None: ...

    def run(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """(place of the item, result), as they come; a worker that dies is replaced and its item done again.

        Raises:
            RunError: workers keep dying. Whatever ``function`` raises is raised as it is.
        """
        ...


def engine(name: str = "local", *, workers: int = 1, address: str | None = None) -> Engine:
    """An engine by its name.

    Args:
        name: ``"local"`` or ``"ray"``.
        workers: processes at once.
        address: of a Ray cluster to join, such as ``auto`` or ``ray://head:10001``; one is started on this machine where not given.

    Raises:
        InputError: no such engine, less than one worker, an address without Ray, or Ray is not installed.
    """
    if workers < 1:
        raise InputError(f"{workers} workers were asked for", expected="at least 1", fix="set workers to 1 or more")
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    if name == "local":
        if address is not None:
            raise InputError(f"A Ray address ({address}) for the local engine", expected="the engine 'ray'", fix="add --engine ray")
        from acclimate.engine.local import Local

        return Local(workers)
    from acclimate.engine.ray import Ray

    return Ray(workers, address)
