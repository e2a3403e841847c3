"""What is asked of a pool, as one value: the method, the budget, how rows are taken, what they may not repeat."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from acclimate.data.domain import Domain
from acclimate.data.hygiene import Sweeper
from acclimate.data.shards import Pool, rows_estimated
from acclimate.data.target import Target
from acclimate.engine.build import build
from acclimate.engine.storage import content_hash
from acclimate.errors import InputError
from acclimate.select import METHODS
from acclimate.select.base import Selector, Toolbox
from acclimate.select.budget import Budget, count_words
from acclimate.select.pick import Pick
from acclimate.select.stream.jobs import Job
from acclimate.select.stream.near import HYGIENE, near_bytes
from acclimate.select.stream.room import rewritten

#: Rows that a selector is fitted on, about, where what it learns does not add up. A pool of fewer rows is learned from whole.
FIT_ROWS = 50_000
#: Bytes of a word in a file, about; told where a budget of tokens finds no room.
_WORD_BYTES = 6


@dataclasses.dataclass(frozen=True, eq=False)
class Choice:
    """What to keep of a pool.

    Attributes:
        method, settings: a selector, and its settings.
        budget: how much is kept.
        pick: how rows are taken: ``top`` or ``gumbel``; distinct or not.
        seed: of whatever is drawn.
        also: further tests by name, that no kept row may repeat.
        models: names the models that the method may read with; scores of other models are other scores.
        count_tokens: the length of a text, for a budget of tokens; picklable.
        fit_rows: see :data:`FIT_ROWS`.
    """

    method: str = "classifier"
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    budget: Budget = dataclasses.field(default_factory=lambda: Budget.parse("20%"))
    pick: Pick = dataclasses.field(default_factory=Pick)
    seed: int = 0
    also: Mapping[str, Domain] = dataclasses.field(default_factory=dict)
    models: tuple[str, ...] = ()
    count_tokens: Callable[[str], int] = count_words
    fit_rows: int = FIT_ROWS

    def selector(self, tools: Toolbox) -> Selector:
        """The method with its settings, not fitted yet.

        Raises:
            InputError: a method or a way of taking rows that needs the pool in memory; an unknown method or setting.
        """
        made = build(METHODS, "selector", self.method, self.settings, tools.provided)
        streams = sorted(name for name, kind in METHODS.items() if not {"of-pool", "whole-domains"} & set(kind.traits))
        if {"of-pool", "whole-domains"} & set(made.traits):
            raise InputError(
                f"'{self.method}' scores a row among all others, so it needs the pool in memory",
                expected=f"a method whose score depends on the row alone: {', '.join(streams)}",
                fix="name one of them, or select from a sample of the pool",
            )
        if self.pick.how not in ("top", "gumbel") or self.pick.per is not None:
            raise InputError(
                f"Rows taken by '{self.pick}' are compared with one another, which needs the pool in memory",
                expected="top or gumbel, without groups; distinct or not",
                fix="keep more rows in this way first, then select among them in memory",
            )
        return made

    def job(self, pool: Pool, target: Target, work: Path, tools: Toolbox) -> Job:
        """What workers need to know, with a selector that is not fitted yet.

        Raises:
            InputError: as :meth:`selector`; also a column of the pool that the method needs is missing, or pictures that are to be
                distinct.
        """
        selector = self.selector(tools)
        if self.pick.distinct and pool.modality == "image":
            raise InputError(
                f"The pool '{pool.name}' holds pictures, and which of them look the same is only told in memory",
                expected="texts or conversations where a pick is distinct",
                fix="leave distinct out, then select among what is kept in memory with distinct=true",
            )
        return Job(
            pool=pool,
            roles=_roles(selector, pool),
            work=work,
            selector=selector,
            sweeper=self._sweeper(target),
            sampled=0.0 if "adds-up" in selector.traits else self._share(pool),
            seed=self.seed,
            temperature=self.pick.temperature if self.pick.how == "gumbel" else None,
            count_tokens=self.count_tokens if self.budget.kind == "tokens" else None,
            distinct=self.pick.distinct,
        )

    def key(self, pool: Pool, target: Target) -> str:
        """What everything up to the scores depends on."""
        shards = [dataclasses.astuple(shard) for shard in pool.shards]
        sealed = [print_of(target), [(name, domain.fingerprint) for name, domain in sorted(self.also.items())]]
        settled = orjson.dumps(dict(self.settings), option=orjson.OPT_SORT_KEYS, default=str).decode()
        read = [pool.stamps, shards, dataclasses.astuple(pool.columns), pool.on_bad_row]
        drawn = self.pick.temperature if self.pick.how == "gumbel" else None
        return content_hash(read, sealed, self.method, settled, self.seed, self.models, self.fit_rows, drawn)

    def most_bytes(self, pool: Pool) -> float:
        """What a job writes, about, at most: what it learns from, scores and places, and what is kept, which is written twice."""
        rows = max(1.0, rows_estimated(pool))
        words = pool.bytes / _WORD_BYTES
        kept = min(1.0, self.budget.limit(round(rows)) / (words if self.budget.kind == "tokens" else rows))
        learned = min(1.0, self.fit_rows / rows)
        placed = any(shard.kind == "jsonl" and not shard.compression for shard in pool.shards)
        columns = 1 + placed + (self.pick.how == "gumbel") + (self.budget.kind == "tokens")
        signed = near_bytes(pool, HYGIENE) if self.pick.distinct else 0.0
        return 8 * columns * rows + signed + (learned / 2 + kept) * rewritten(pool)

    def _sweeper(self, target: Target) -> Sweeper | None:
        sealed = len(target.test) + sum(map(len, self.also.values())) + (len(target.validation) if target.validation else 0)
        return Sweeper(target, self.also) if sealed else None

    def _share(self, pool: Pool) -> float:
        """The share of rows to fit on, by the mean size of a row at the beginning of the pool's first file; 1 for all."""
        rows = rows_estimated(pool)
        return 1.0 if rows <= self.fit_rows else self.fit_rows / rows


def print_of(target: Target) -> str:
    """A hash of everything of the target that a selection depends on; the sealed labels are not of it."""
    parts = [target.labelled, target.unlabelled, target.test.inputs, *([target.validation.inputs] if target.validation else [])]
    return content_hash([part.fingerprint for part in parts])


def _roles(selector: Selector, pool: Pool) -> tuple[str, ...]:
    needs = set(selector.needs)
    known = pool.columns.used()
    roles = {"label": "source labels" in needs, "domain": "source domains" in needs}
    for role, wanted in roles.items():
        if wanted and role not in known:
            raise InputError(
                f"The pool '{pool.name}' has no {role} column that was named or could be guessed",
                expected=f"source {role}s, which the method needs",
                fix=f"name it, for example --{role} COLUMN",
            )
    return tuple(role for role, wanted in roles.items() if wanted)
