"""Measures a candidate on the validation of a target, repeatedly: on K folds, or on a part held out. Never on the test."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.data.target import Ledger, Target
from acclimate.engine.storage import content_hash
from acclimate.engine.threads import one_thread
from acclimate.evaluate.measure import Predictor, validate
from acclimate.strategy.outcome import Fidelity
from acclimate.strategy.search.candidate import Candidate
from acclimate.strategy.units import Bench
from acclimate.tune.adapted import Adapted
from acclimate.tune.watch import Watch

#: Reports of a fine-tuning whose length is said in steps: 9 = 3², so that thirds of the trials are left after the first and the
#: third. One whose length is said in epochs reports after each of them.
PARTS = 9

#: Told (how many reports this is, the mean accuracy so far); raises to give the trial up.
Report = Callable[[int, float], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """What a candidate got right.

    Attributes:
        items: examples ``(n,)``, by draw and fold; equal for all candidates.
        draws: the repetition of each ``(n,)``.
        right: 0 or 1 ``(n,)``.
    """

    items: list[str]
    draws: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """The mean."""
        return float(self.right.mean())


@dataclasses.dataclass(frozen=True, eq=False)
class Judge:
    """Measures candidates, all of them on the same labels, folds and seeds.

    A repetition draws the target's labels (where the recipe asks for fewer than there are), the folds, and the seeds of selection,
    augmentation and training anew.

    What pruning counts: on frozen features a fit takes no time, so that a trial reports after each fold. A fine-tuned one reports
    while its first training lasts, after every epoch where epochs are searched, else after every ninth of its steps; then after
    each further fold.

    Attributes:
        bench: shares selections and vectors among candidates.
        fidelity: of all of them.
        folds: K; 0 where the target's own validation part, or one held out of K = 5, measures.
        most_epochs: the longest training of the space in epochs, None where it is said in steps.
        seed: moves every draw.
    """

    bench: Bench
    fidelity: Fidelity
    folds: int
    most_epochs: int | None = None
    seed: int = 0
    ledger: Ledger = dataclasses.field(default_factory=Ledger)

    def reports(self, repeats: int) -> int:
        """How often a trial of so many repetitions reports at most."""
        return self._training_reports + self._parts * repeats - (1 if self._training_reports else 0)

    @property
    def _training_reports(self) -> int:
        return 0 if self.fidelity == "probe" else self.most_epochs or PARTS

    @property
    def _parts(self) -> int:
        return self.folds or 1

    def measure(self, candidate: Candidate, draws: Sequence[int], report: Report | None = None) -> Measured:
        """What a candidate gets right in some repetitions; ``report`` hears of it as it goes."""
        found: list[Measured] = []
        with one_thread():
            for draw in draws:
                for view in self._views(draw):
                    watch = report if not found and self.fidelity == "fine-tune" else None
                    model = self._fit(candidate, view, self.drawn(draw), watch)
                    scores = validate(model, view, ledger=self.ledger)
                    right = scores.correct.astype(np.int64)
                    found.append(Measured(scores.ids, np.full(len(right), draw), right))
                    if report is not None:
                        number = len(found) if self.fidelity == "probe" else self._training_reports + len(found) - 1
                        report(number, _joined(found).accuracy)
        return _joined(found)

    def _views(self, draw: int) -> Iterator[Target]:
        """The target of one repetition: less each of its folds, or with its validation part, or less one fifth."""
        seed = self.drawn(draw)
        target = self.bench.plan.target.draw(self.bench.plan.labels, seed)
        if self.folds:
            yield from dataclasses.replace(target, validation=None).folds(self.folds, seed)
        elif target.validation is not None:
            yield target
        else:
            yield target.folds(HELD_OUT, seed)[0]

    def drawn(self, draw: int) -> int:
        """The seed of a repetition."""
        return int(content_hash("draw", self.seed, draw), 16) % 2**31

    def _fit(self, candidate: Candidate, view: Target, seed: int, report: Report | None) -> Predictor:
        material = self.bench.workshop.material(candidate.arm, view, seed)
        learned = sum(material.counts.values())
        ready = candidate.with_steps(learned)
        bench = self.bench.adjusted(tune=ready.tune, C=ready.C)
        if report is None:
            return bench.fitted(ready.arm, material, self.fidelity, seed)
        every = math.ceil((learned / ready.tune.batch_size) if candidate.epochs else ready.tune.steps / PARTS)

        def look(step: int, model: Adapted) -> None:
            report(step // every, float(validate(model, view, ledger=self.ledger).correct.mean()))

        return bench.fitted(ready.arm, material, self.fidelity, seed, Watch(every, look))


#: One of so many parts is held out where a target has no validation part and no folds are asked for.
HELD_OUT = 5


def _joined(parts: Sequence[Measured]) -> Measured:
    return Measured(
        [item for part in parts for item in part.items],
        np.concatenate([part.draws for part in parts]),
        np.concatenate([part.right for part in parts]),
    )
