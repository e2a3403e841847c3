"""What a search is asked to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from acclimate.errors import InputError, unknown_name
from acclimate.strategy.search.pruners import METHODS as PRUNERS
from acclimate.strategy.search.samplers import METHODS as SAMPLERS
from acclimate.strategy.search.space import Dimension

if TYPE_CHECKING:  # an outcome knows gaps, and they torch, which reading a recipe does not need
    from acclimate.strategy.outcome import Fidelity

FIDELITIES: tuple[Fidelity, ...] = ("probe", "fine-tune")


@dataclasses.dataclass(frozen=True)
class Asked:
    """The budget, the manner and the space of a search.

    Attributes:
        fidelity: ``probe`` (frozen features) or ``fine-tune``.
        sampler: one of :data:`.samplers.METHODS`.
        pruner: one of :data:`.pruners.METHODS`.
        trials: how many; on a grid with fewer points, its points.
        seconds: no trial begins after so long; None for no limit.
        repeats: repetitions that a trial is averaged over; each draws labels, folds and seeds anew.
        finalists: the best trials, measured anew on repetitions that the search did not see. None of them: 0.
        fresh: how many such repetitions. Five, as a comparison has seeds.
        seed: of sampler, folds and everything else.
        space: what is varied, by name; a default for the arm and fidelity where empty.
    """

    fidelity: Fidelity = "probe"
    sampler: str = "tpe"
    pruner: str = "none"
    trials: int = 30
    seconds: float | None = None
    repeats: int = 1
    finalists: int = 3
    fresh: int = 5
    seed: int = 0
    space: Mapping[str, Dimension] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises InputError: an unknown name, or a number below what makes sense."""
        if self.fidelity not in FIDELITIES:
            raise unknown_name("fidelity", self.fidelity, FIDELITIES)
        if self.sampler not in SAMPLERS:
            raise unknown_name("sampler", self.sampler, SAMPLERS)
        if self.pruner not in PRUNERS:
            raise unknown_name("pruner", self.pruner, PRUNERS)
        for name, least in (("trials", 1), ("repeats", 1), ("finalists", 0), ("fresh", 1)):
            if getattr(self, name) < least:
                raise InputError(f"A search with {name}: {getattr(self, name)}", expected=f"at least {least}")
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"A search with seconds: {self.seconds}", expected="a number above 0, or none")
