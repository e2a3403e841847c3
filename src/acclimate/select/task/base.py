"""What the methods for whole domains share: scores of domains, and how the score of an example follows from that of its domain."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.errors import InputError
from acclimate.select.random import uniform

#: Ties inside a domain are broken by less than this, and by less than half the distance between two domains.
_LARGEST_STEP = 1e-6


@dataclasses.dataclass(frozen=True)
class DomainScore:
    """What one method says of one source domain.

    Attributes:
        name: of the domain.
        score: higher is more useful for the target.
        low, high: a 95% interval of the score, None where the method has none.
        examples: how many the pool has of this domain.
        first: the share of resamples in which the domain scored best, None where there are none.
        note: why the score is not to be trusted, empty where nothing is wrong.
    """

    name: str
    score: float
    low: float | None
    high: float | None
    examples: int
    first: float | None = None
    note: str = ""

    def describe(self, method: str) -> str:
        """One line.

        >>> DomainScore("books", 0.31, 0.22, 0.4, 2000).describe("logme")
        'domain=books logme=0.31 (0.22 to 0.40)'
        """
        spread = "" if self.low is None or self.high is None else f" ({_short(self.low)} to {_short(self.high)})"
        note = f", {self.note}" if self.note else ""
        return f"domain={' '.join(self.name.split())} {method}={_short(self.score)}{spread}{note}"


def _short(value: float) -> str:
    return f"{value:.2f}" if 0.1 <= abs(value) < 100 else f"{value:.3g}"


@dataclasses.dataclass(frozen=True)
class ScoredDomains:
    """The scores of a fitted source's domains, and those of examples: what the methods for whole domains answer from.

    Attributes:
        method: its name, for messages and reasons.
        domains: best first.
        seed: of the order of examples inside a domain.
    """

    method: str
    domains: Sequence[DomainScore]
    seed: int

    @classmethod
    def of(cls, method: str, domains: Sequence[DomainScore], seed: int) -> ScoredDomains:
        """Sort the domains: best first, ties by name."""
        return cls(method, sorted(domains, key=lambda domain: (-domain.score, domain.name)), seed)

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """The score of each example's domain, ``(n,)``, and a tie-breaker that is random but follows from the seed and the id.

        So a budget that ends inside a domain takes a random part of it, whatever the order of its file.

        Raises:
            InputError: an example of a domain that the source did not have.
        """
        known = self._known(batch)
        scores = np.array([known[name].score for name in batch.domains], dtype=np.float64)
        return scores + self._step() * uniform(self.seed, batch.ids, self.method)

    def reasons(self, batch: Domain) -> list[str]:
        """The domain, its score and its interval."""
        known = self._known(batch)
        lines = {name: domain.describe(self.method) for name, domain in known.items()}
        return [lines[name] for name in batch.domains]

    def _step(self) -> float:
        """Large enough to tell examples apart, too small to bring one past an example of a better domain."""
        steps = np.diff(np.unique([domain.score for domain in self.domains]))
        return float(min(_LARGEST_STEP, *(steps / 2), _LARGEST_STEP))

    def _known(self, batch: Domain) -> Mapping[str, DomainScore]:
        known = {domain.name: domain for domain in self.domains}
        stranger = next((name for name in batch.domains if name not in known), None)
        if stranger is not None:
            raise InputError(
                f"'{self.method}' was asked to score an example of the domain '{stranger}', which it was not fitted on",
                expected=f"one of {', '.join(sorted(known)[:10])}",
                fix="fit it on a source that holds that domain",
            )
        return known


def parts(source: Domain, sample: int, seed: int) -> dict[str, tuple[Domain, int]]:
    """For each sub-domain, by name: at most ``sample`` of its examples, sorted by id, and how many it has.

    Which ones follows from the seed and the ids, not from the order of the rows.
    """
    keys = uniform(seed, source.ids, "domain sample")
    ids = np.array(source.ids, dtype=object)
    names = np.array(source.domains, dtype=object)
    found = {}
    for name in sorted(set(source.domains)):
        rows = np.flatnonzero(names == name)
        drawn = rows[np.argsort(keys[rows], kind="stable")][:sample]
        found[name] = source.take(drawn[np.argsort(ids[drawn], kind="stable")], name), len(rows)
    return found


def sample_of(domain: Domain, sample: int, seed: int) -> Domain:
    """At most ``sample`` examples of one domain, chosen by the seed and the ids, in the order of their ids."""
    keys = uniform(seed, domain.ids, "domain sample")
    drawn = np.argsort(keys, kind="stable")[:sample]
    return domain.take(sorted(drawn.tolist(), key=lambda row: domain.ids[row]))


def numbers(labels: Sequence[str | None]) -> NDArray[np.int64]:
    """Labels as the numbers of their sorted distinct values, ``(n,)``.

    >>> numbers(["spam", "ham", "spam"])
    array([1, 0, 1])
    """
    return np.unique([str(label) for label in labels], return_inverse=True)[1].astype(np.int64)


def check_at_least(method: str, **settings: tuple[float, float]) -> None:
    """Refuse settings below their least value, each given as (value, least)."""
    wrong = {name: (value, least) for name, (value, least) in settings.items() if not value >= least}
    if wrong:
        raise InputError(
            f"{method} with {', '.join(f'{name}={value:g}' for name, (value, _) in wrong.items())}",
            expected=", ".join(f"{name} of at least {least:g}" for name, (_, least) in wrong.items()),
            fix="leave the defaults",
        )
