"""Classes brought to equal counts with any expander."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson
import pyarrow as pa

from acclimate.augment.base import Augmenter, Count, Predict, check_times
from acclimate.data.domain import Domain, unify
from acclimate.engine.build import build
from acclimate.engine.storage import content_hash
from acclimate.errors import InputError


@dataclasses.dataclass(frozen=True)
class Balance:
    """New examples of the smaller classes until, with their parents, all classes have as many as the largest.

    With ``times`` above 1 all classes are brought to ``times`` the largest. Within a class the copies are spread evenly over the
    parents; which parents get one more is drawn by their ids, and their texts depend on seed, parent and copy as the expander
    makes them.

    Reference: Chawla et al. 2002, "SMOTE", for oversampling the minority with synthetic rather than repeated examples.

    Use when: classes are uneven and the measure treats them alike (macro-averages).
    Avoid when: accuracy on data as uneven as the training data is what counts: the shift of proportions then costs.

    Args:
        by: the expander that makes the new examples.
        settings: of the expander.
        style, training, predict: handed on to the expander.
    """

    method: ClassVar[str] = "balance"
    paper: ClassVar[str] = "Chawla et al. 2002"
    modality: ClassVar[tuple[str, ...]] = ("text", "image", "chat")
    needs: ClassVar[tuple[str, ...]] = ("target labels",)
    #: New examples of the largest class are made with ``times`` above 1 only.
    default_times: ClassVar[int] = 1
    whole: ClassVar[bool] = True
    summary: ClassVar[str] = "brings classes to equal counts with any expander"
    summary_zh: ClassVar[str] = "用任一扩增方法使各类别数量均衡"

    by: str = "eda"
    settings: Mapping[str, Any] | None = None
    style: Domain | None = None
    training: Domain | None = None
    predict: Predict | None = dataclasses.field(default=None, metadata={"provided": True})

    def __post_init__(self) -> None:
        """Raises InputError: no such expander, or settings that it does not have."""
        self._expander()

    def expand(self, examples: Domain, times: int, seed: int, workers: int = 1) -> Domain:
        """New examples until each class has ``times`` as many as the largest has now.

        Raises:
            InputError: an example without label, or what the expander raises.
            RunError: what the expander raises.
        """
        from acclimate.augment.run import check_modality

        check_times(times, workers)
        expander = self._expander()
        check_modality(expander, examples)
        if len(examples) and not examples.is_labelled:
            raise InputError(
                "'balance' was given examples without a label", expected="a label on every example", fix="name the column"
            )
        copies = copies_needed(examples.ids, examples.labels, times, seed)
        parts = []
        for count in sorted(set(copies) - {0}) or [1]:
            rows = [row for row, wanted in enumerate(copies) if wanted == count]
            parts.append((rows, expander.expand(examples.take(rows), count, seed, workers)))
        position = {name: row for row, name in enumerate(examples.ids)}
        table = unify([part.table for _, part in parts])
        origins = [orjson.loads(origin) for origin in table.column("origin").to_pylist()]
        order = sorted(range(len(origins)), key=lambda at: (position[origins[at]["parents"][0]], origins[at]["copy"]))
        notes = Count.total(note for _, part in parts for note in part.notes)
        return self._renamed(
            Domain(examples.name, table.take(pa.array(order, pa.int64())), tuple(notes)), [origins[at] for at in order]
        )

    def refill(self, examples: Domain, kept: Domain, tried: Mapping[str, int], times: int, seed: int, workers: int = 1) -> Domain:
        """Further copies of a class's examples for those of its new ones that guards refused, spread evenly as the first ones.

        Raises:
            RunError: what the expander raises.
        """
        labels = [*examples.labels, *kept.labels]
        extra = copies_needed(examples.ids, examples.labels, times, seed, have=Counter(labels))
        copies = [(tried.get(name, 0), more) for name, more in zip(examples.ids, extra, strict=True)]
        expander, parts = self._expander(), []
        for before, more in sorted({pair for pair in copies if pair[1]}):
            rows = [row for row, pair in enumerate(copies) if pair == (before, more)]
            part = expander.expand(examples.take(rows), before + more, seed, workers)
            origins = [orjson.loads(origin) for origin in part.table.column("origin").to_pylist()]
            parts.append(part.take([at for at, origin in enumerate(origins) if origin["copy"] > before]))
        if not parts:
            return kept.take([])
        whole = Domain(examples.name, unify([part.table for part in parts]))
        return self._renamed(whole, [orjson.loads(origin) for origin in whole.table.column("origin").to_pylist()])

    def _expander(self) -> Augmenter:
        from acclimate.augment import METHODS

        if self.by == self.method:
            raise InputError("'balance' was asked to balance by itself", expected="an expander, such as eda", fix="set by=eda")
        handed = {"style": self.style, "training": self.training, "predict": self.predict}
        return build(METHODS, "augmenter", self.by, dict(self.settings or {}), handed)

    def _renamed(self, grown: Domain, origins: Sequence[dict[str, Any]]) -> Domain:
        """The examples as this method's: ids and origins name it, and it the expander among its settings."""
        ids = [f"{origin['parents'][0]}~{self.method}~{origin['copy']}" for origin in origins]
        whole = [
            {**origin, "method": self.method, "settings": {"by": self.by, "settings": origin["settings"]}} for origin in origins
        ]
        told = [orjson.dumps(origin, option=orjson.OPT_SORT_KEYS).decode() for origin in whole]
        return grown.with_strings("id", ids).with_strings("origin", told)


def copies_needed(
    ids: Sequence[str], labels: Sequence[str | None], times: int, seed: int, have: Mapping[str | None, int] | None = None
) -> list[int]:
    """How many new examples each one gets, so that every class, with them, has ``times`` as many as the largest has.

    ``have``: how many examples there are of each class already; those with ``labels`` where not given.

    >>> copies_needed(["a", "b", "c", "d"], ["x", "x", "x", "y"], 1, 0)
    [0, 0, 0, 2]
    """
    rows: dict[str | None, list[int]] = {}
    for row, label in enumerate(labels):
        rows.setdefault(label, []).append(row)
    wanted = times * max(map(len, rows.values()), default=0)
    copies = [0] * len(labels)
    for members in rows.values():
        there = len(members) if have is None else have.get(labels[members[0]], 0)
        each, more = divmod(wanted - there, len(members))
        for rank, row in enumerate(sorted(members, key=lambda row: content_hash(seed, ids[row]))):
            copies[row] = each + (rank < more)
    return copies
