"""Filling a budget from groups, each with a share of it: equal, proportional, or as the user says."""

from __future__ import annotations

import dataclasses
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

from acclimate.errors import InputError, nearest

#: A share for each group by name, in order of name; or a rule that says it.
Shares = Literal["equal", "proportional"] | tuple[tuple[str, float], ...]
#: Groups that one note names.
_NAMED = 5


class Seen(Protocol):
    """What was taken so far, as far as repetition goes."""

    def repeats(self, row: int) -> bool:
        """Whether a row repeats one that was taken."""
        ...

    def add(self, row: int) -> None:
        """Count a row as taken."""
        ...


@dataclasses.dataclass
class Filled:
    """What was taken.

    Attributes:
        rows: in the order in which they were taken.
        spent: cost of what each group gave.
        exhausted: groups that had no more to give.
        skipped: rows passed over because they repeat one taken before.
        price: cost of the only row, where it alone is more than the limit; else 0.
    """

    rows: list[int]
    spent: dict[str, int]
    exhausted: set[str]
    skipped: int = 0
    price: int = 0


def fill(
    streams: Mapping[str, Iterator[int]],
    shares: Mapping[str, float],
    limit: int,
    cost: Callable[[int], int],
    seen: Seen | None = None,
) -> Filled:
    """Take rows from each group's stream, best first, until the limit is spent.

    The next row always comes from the group with the smallest ``(spent + cost / 2) / share``: the method of Webster and
    Sainte-Laguë, by which shares that come out even are met exactly, and a group that runs dry leaves its part to the others in
    proportion to their shares. A group whose next row no longer fits is closed: what it gives is the longest run of its best rows.
    At least one row is taken where there is one.

    Args:
        streams: rows of each group, best first.
        shares: of each group, above 0; their scale does not matter.
        limit: rows or tokens in all.
        cost: of a row: 1, or its tokens.
        seen: passes over rows that repeat one taken before.
    """
    done = Filled([], dict.fromkeys(shares, 0), set())
    heap: list[tuple[float, str, int, int]] = []

    def offer(name: str) -> None:
        row = next(streams[name], None)
        if row is None:
            done.exhausted.add(name)
            return
        price = cost(row)
        heapq.heappush(heap, ((done.spent[name] + price / 2) / shares[name], name, row, price))

    for name in sorted(shares):
        offer(name)
    left = limit
    while heap and left > 0:
        _, name, row, price = heapq.heappop(heap)
        if seen is not None and seen.repeats(row):
            done.skipped += 1
            offer(name)
            continue
        if price > left and done.rows:
            continue
        done.rows.append(row)
        done.spent[name] += price
        done.price = price if price > limit else 0
        left -= price
        if seen is not None:
            seen.add(row)
        if left > 0:
            offer(name)
    return done


def shares_of(groups: Sequence[str], shares: Shares, kind: str) -> dict[str, float]:
    """The share of each group that takes part, adding up to 1.

    Args:
        groups: the group of each row, ``n`` of them.
        kind: what a group is, for messages: ``"class"`` or ``"domain"``.

    Raises:
        InputError: a share for a group that the source does not have.
    """
    sizes = Counter(groups)
    if shares == "equal":
        return dict.fromkeys(sorted(sizes), 1 / len(sizes))
    weights = {name: float(sizes[name]) for name in sorted(sizes)} if shares == "proportional" else dict(shares)
    for name in weights:
        if name not in sizes:
            close = nearest(name, sizes)
            raise InputError(
                f"There is a share for the {kind} '{name}', which the source does not have",
                expected=f"one of {', '.join(sorted(sizes)[:20])}",
                fix=f"did you mean '{close}'?" if close else "leave it out",
            )
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items() if weight > 0}


def shortage_note(done: Filled, shares: Mapping[str, float], limit: int, kind: str, unit: str) -> str:
    """Which groups had less than their share of the limit; empty where none."""
    short = [
        f"'{name}' ({done.spent[name]:,} of {share * limit:,.0f})"
        for name, share in shares.items()
        if name in done.exhausted and done.spent[name] < int(share * limit)
    ]
    if not short:
        return ""
    more = f" and {len(short) - _NAMED} more" if len(short) > _NAMED else ""
    return f"{kind} short of its share of the {unit}, which the others fill: {', '.join(short[:_NAMED])}{more}"
