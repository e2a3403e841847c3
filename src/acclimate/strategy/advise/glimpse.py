"""A look into a pool that is read in pieces: some rows from places all over it, and how many it has about."""

from __future__ import annotations

import dataclasses

import numpy as np

from acclimate.data.bad_rows import BadRows
from acclimate.data.blocks import Reading, blocks
from acclimate.data.domain import Domain, unify
from acclimate.data.pieces import Wanted
from acclimate.data.shards import Pool, Shard, rows_estimated
from acclimate.errors import InputError
from acclimate.strategy.advise.traits import Traits

#: Places of a pool that are looked at, and rows read at each.
PLACES, ROWS = 16, 500


def glimpse(pool: Pool, seed: int = 0) -> Domain:
    """At most :data:`ROWS` rows at each of :data:`PLACES` places: the beginnings of pieces spread over the pool, and rows drawn
    by the seed among the first that are read there.

    Raises:
        InputError: no usable row was met.
    """
    wanted = Wanted.of(pool, ("label", "domain"))
    rng = np.random.default_rng(seed)
    chosen = np.unique(np.linspace(0, len(pool.shards) - 1, min(PLACES, len(pool.shards))).astype(int))
    # A pool of few pieces is looked at in more depth.
    each = ROWS * PLACES // len(chosen)
    parts = [_first(pool.shards[number], wanted, pool, each, rng) for number in chosen]
    tables = [part.table for part in parts if part is not None]
    if not tables:
        raise InputError(
            f"The pool '{pool.name}' has no usable row where it was looked at", expected="examples", fix="check the files"
        )
    return Domain(pool.name, unify(tables), (*pool.notes, f"{pool.name}: {len(chosen)} places of it were looked at"))


def _first(shard: Shard, wanted: Wanted, pool: Pool, count: int, rng: np.random.Generator) -> Domain | None:
    """Rows of the beginning of a piece; None where no row there is usable."""
    found: list[Domain] = []
    # How many records come before a piece is not known without reading them: ids only have to differ.
    for block in blocks(shard, wanted, Reading(BadRows(pool.on_bad_row)), first_row=shard.number << 32):
        found += [block.domain] if len(block.domain) else []
        if sum(map(len, found)) >= count:
            break
    if not found:
        return None
    whole = Domain(pool.name, unify([domain.table for domain in found]))
    return whole.take(np.sort(rng.permutation(len(whole))[:count]))


def scaled(traits: Traits, pool: Pool, seen: Domain) -> Traits:
    """Traits of the rows that were seen with the counts of the whole pool, estimated."""
    factor = rows_estimated(pool) / max(len(seen), 1)
    return dataclasses.replace(
        traits,
        source_rows=round(traits.source_rows * factor),
        source_labels=round(traits.source_labels * factor),
        source_per_label=traits.source_per_label * factor,
        parts=tuple(dataclasses.replace(part, rows=round(part.rows * factor)) for part in traits.parts),
    )
