"""The target domain behind its firewall: a few labels to learn from, texts without labels, and a sealed test."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, concatenate
from acclimate.data.split import k_folds, stratified_draw
from acclimate.errors import InputError


@dataclasses.dataclass
class Ledger:
    """Every opening of a seal, in order: what was opened, by whom, for what."""

    openings: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def write(self, *, purpose: str, reader: str, count: int) -> None:
        self.openings.append({"purpose": purpose, "reader": reader, "count": count})


class Sealed:
    """Examples whose labels only :mod:`acclimate.evaluate` may read, leaving a line in a ledger each time.

    Inputs (texts, ids) are open, since predicting and removing duplicates need them; labels are not an attribute at all.
    ``tests/contract/test_firewall.py`` asserts that no module outside ``acclimate.evaluate`` calls :meth:`unseal`.
    """

    def __init__(self, domain: Domain, purpose: str) -> None:
        if len(domain) and not domain.is_labelled:
            raise InputError(
                f"The {purpose} part of '{domain.name}' has examples without a label",
                expected="a label on every example that is measured on",
                fix="label those rows or remove them",
            )
        self._sealed = domain
        self.purpose = purpose
        self.inputs = domain.without_labels()

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        return f"Sealed({self.purpose}, {len(self)} examples)"

    @property
    def fingerprint(self) -> str:
        """A hash of the inputs and the hidden labels; says that labels changed, not what they are."""
        return self._sealed.fingerprint

    def unseal(self, ledger: Ledger, reader: str) -> Domain:
        """The examples with their labels. Written into ``ledger``; only ``evaluate`` may call it."""
        ledger.write(purpose=self.purpose, reader=reader, count=len(self))
        return self._sealed

    def keep(self, indices: NDArray[np.int64]) -> Sealed:
        """The seal over some of its rows (hygiene drops rows; it chooses them by inputs alone)."""
        return Sealed(self._sealed.take(indices), self.purpose)


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """The domain we want to be good at.

    Attributes:
        name: what reports call it.
        labelled: examples with labels that may be learned from.
        unlabelled: examples without a label column.
        test: sealed examples that measure the outcome.
        validation: sealed examples that choose settings, or None where K-fold over ``labelled`` serves.
        classes: the label space, sorted.
        hygiene: what was removed before anything ran: counts by reason (see ``data.hygiene``).
        notes: what reading its files announced: guessed columns, skipped rows.
        skipped: how many bad rows reading left out.
    """

    name: str
    labelled: Domain
    unlabelled: Domain
    test: Sealed
    classes: tuple[str, ...]
    validation: Sealed | None = None
    hygiene: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    skipped: int = 0

    @property
    def inputs(self) -> Domain:
        """Every text a method may look at without labels: labelled ones first, then unlabelled ones."""
        return concatenate(self.name, [self.labelled.without_labels(), self.unlabelled])

    def draw(self, labels: int | None, seed: int) -> Target:
        """A target with only ``labels`` labelled examples, drawn stratified by class; the rest lose their labels.

        ``None`` keeps all. Raises :class:`InputError` when there are fewer labelled examples than asked for.
        """
        if labels == 0:
            return dataclasses.replace(self, labelled=self.labelled.take([]), unlabelled=self.inputs)
        if labels is None or labels == len(self.labelled):
            return self
        chosen, rest = stratified_draw(self.labelled, labels, seed)
        hidden = self.labelled.take(rest).without_labels()
        unlabelled = concatenate(self.name, [hidden, self.unlabelled]) if len(self.unlabelled) else hidden
        return dataclasses.replace(self, labelled=self.labelled.take(chosen), unlabelled=unlabelled)

    def folds(self, k: int, seed: int) -> list[Target]:
        """K targets whose ``validation`` is one stratified fold of ``labelled`` and whose ``labelled`` is the rest."""
        return [
            dataclasses.replace(
                self, labelled=self.labelled.take(train), validation=Sealed(self.labelled.take(held_out), "validation")
            )
            for train, held_out in k_folds(self.labelled, k, seed)
        ]
