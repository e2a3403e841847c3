"""What happens after scoring: in which order rows are taken, from which groups, and whether repetitions are passed over."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.data.target import Target
from acclimate.errors import InputError, nearest, unknown_name
from acclimate.select.base import Toolbox
from acclimate.select.budget import Budget, count_words
from acclimate.select.distinct import nothing_seen
from acclimate.select.facility_location import facility_location
from acclimate.select.gumbel import flatness_note, gumbel_keys
from acclimate.select.k_center import k_center
from acclimate.select.quotas import Filled, Shares, fill, shares_of, shortage_note
from acclimate.select.random import uniform
from acclimate.select.similarity.cosine import unit_rows

How = Literal["top", "gumbel", "facility-location", "k-center"]
Per = Literal["class", "domain"]
#: Examples that facility location covers; of more, this many are drawn, which bounds the memory.
REFERENCES = 2_000

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class _Pool:
    """What rows are taken from: examples with their scores ``(n,)``, what they are to serve, and what a row costs."""

    source: Domain
    target: Target
    tools: Toolbox
    scores: Floats
    cost: Callable[[int], int]


@dataclasses.dataclass(frozen=True)
class Pick:
    """How rows are taken once they have scores.

    Attributes:
        how: ``"top"``: the best first. ``"gumbel"``: drawn without replacement with odds ``exp(score / temperature)``.
            ``"facility-location"``: rows that between them lie close to everything in the target. ``"k-center"``: rows far apart.
            The last two need an encoder, and choose among the best ``pool_factor`` times as many rows as the budget affords.
        per: fill the budget from each class or each domain of the source by its own best rows.
        shares: of the groups: ``"equal"``, ``"proportional"`` to their rows, or numbers by name, of which only the proportions
            matter; groups without a number give nothing.
        distinct: pass over rows that nearly repeat one already taken.
        temperature: of ``gumbel``. At 1, scores that are log density ratios (``dsir``, ``classifier``) give importance resampling
            (Xie et al. 2023); for cosines (``knn``) a twentieth is about right.
        pool_factor: candidates of the two spreading methods, as a multiple of what the budget affords; 1 is ``top``.
        tradeoff: of ``facility-location``: 1 looks at coverage alone, 0 at scores alone.
        cover: what ``facility-location`` covers: the ``"target"``, or the candidates themselves (``"pool"``).

    Measured: of the other three ICWSM domains 20% by ``classifier``, beside 100 target labels, give a logistic regression on MiniLM
    the following mean accuracy (4 targets, 3 seeds, in per cent): ``top`` 77.9, ``gumbel`` 77.7, ``facility-location`` 77.9 (78.0
    with a ``pool_factor`` of 1.5), ``k-center`` 78.4 (78.3), ``top`` per class 77.8, per domain 78.2. Differences this small are no
    reason to leave ``top``; they are no reason to change the other defaults either.

    >>> Pick.parse("gumbel"), str(Pick.parse({"per": "class", "distinct": True}))
    (Pick(how='gumbel', ...), 'top, per class, distinct')
    """

    how: How = "top"
    per: Per | None = None
    shares: Shares = "equal"
    distinct: bool = False
    temperature: float = 1.0
    pool_factor: float = 3.0
    tradeoff: float = 0.5
    cover: Literal["target", "pool"] = "target"

    @classmethod
    def parse(cls, value: str | Mapping[str, Any] | Pick | None) -> Pick:
        """A pick as people write it: a way of taking rows (``"gumbel"``), or any of the attributes by name.

        Raises:
            InputError: an unknown name, or a value out of its range.
        """
        if isinstance(value, Pick):
            return value
        given: dict[str, Any] = {"how": value} if isinstance(value, str) else dict(value or {})
        known = [field.name for field in dataclasses.fields(cls)]
        for name in given:
            if name not in known:
                close = nearest(str(name), known)
                raise InputError(
                    f"A pick has no setting '{name}'",
                    expected=f"one of {', '.join(known)}",
                    fix=f"did you mean '{close}'?" if close else "leave it out",
                )
        shares = given.get("shares", "equal")
        if isinstance(shares, Mapping):
            given["shares"] = tuple(sorted((str(name), _number("a share", share)) for name, share in shares.items()))
        return cls(**given)

    def __post_init__(self) -> None:
        _check_name("way of taking rows", self.how, get_args(How))
        if self.per is not None:
            _check_name("group", self.per, get_args(Per))
        _check_name("thing to cover", self.cover, ("target", "pool"))
        if isinstance(self.shares, str):
            _check_name("rule for shares", self.shares, ("equal", "proportional"))
        elif any(share < 0 for _, share in self.shares) or sum(share for _, share in self.shares) <= 0:
            raise InputError(
                f"The shares are {dict(self.shares)}", expected="numbers from zero up, one above zero", fix="correct them"
            )
        if self.shares != "equal" and self.per is None:
            raise InputError("There are shares, but nothing to share among", expected="per: class or domain", fix="add per=...")
        _check_range("temperature", self.temperature, low=0, low_counts=False)
        _check_range("pool_factor", self.pool_factor, low=1)
        _check_range("tradeoff", self.tradeoff, low=0, high=1)
        if not isinstance(self.distinct, bool):
            raise InputError(f"distinct is {self.distinct!r}", expected="true or false", fix="write one of them")

    def __str__(self) -> str:
        """What is done, in one line; settings at their defaults are not named."""
        settings = {
            "gumbel": ("temperature",),
            "facility-location": ("tradeoff", "cover", "pool_factor"),
            "k-center": ("pool_factor",),
        }.get(self.how, ())
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        inside = ", ".join(f"{name}={getattr(self, name)}" for name in settings if getattr(self, name) != defaults[name])
        parts = [f"{self.how}({inside})" if inside else self.how]
        if self.per is not None:
            rule = self.shares if isinstance(self.shares, str) else " ".join(f"{name}:{share:g}" for name, share in self.shares)
            parts.append(f"per {self.per}" + ("" if rule == "equal" else f" ({rule})"))
        return ", ".join([*parts, *(["distinct"] if self.distinct else [])])

    @property
    def needs_vectors(self) -> bool:
        """Whether an encoder has to be given."""
        return self.how in ("facility-location", "k-center")

    def take(
        self,
        budget: Budget,
        scores: Floats,
        source: Domain,
        target: Target,
        *,
        tools: Toolbox,
        count_tokens: Callable[[str], int] = count_words,
    ) -> tuple[Rows, tuple[str, ...]]:
        """The rows that the budget affords, best first.

        With ``top``, equal scores are taken in order of position; every other way of taking does not depend on the order of rows.

        Args:
            budget: how much to keep.
            scores: ``(n,)``, higher is better; not NaN.
            source: the ``n`` examples.
            target: read for what it is like, never for labels.
            tools: the seed, and an encoder where :attr:`needs_vectors`.
            count_tokens: the length of a text, for a budget of tokens.

        Returns:
            Indices ``(k,)``, and notes on what did not go as written.

        Raises:
            InputError: a group or an encoder is needed that is not there, or a budget of tokens for images.
        """
        if not len(source) or self == Pick():
            indices, note = budget.take(scores, source.texts if budget.kind == "tokens" else (), count_tokens=count_tokens)
            return indices, (note,) if note else ()
        pool = _Pool(source, target, tools, scores, _cost(budget, source, count_tokens))
        order = self._order(pool)
        groups = self._groups(source)
        shares = shares_of(groups, self.shares, self.per or "source")
        limit = budget.limit(len(source))
        members = _by_group(groups, order)
        streams = {name: self._stream(members[name], share * limit, pool) for name, share in shares.items()}
        done = fill(streams, shares, limit, pool.cost, nothing_seen(source) if self.distinct else None)
        rows = np.array(done.rows, dtype=np.int64)
        if not self.needs_vectors:  # groups took turns; what they gave is put back in order
            place = np.empty(len(order), dtype=np.int64)
            place[order] = np.arange(len(order))
            rows = rows[np.argsort(place[rows], kind="stable")]
        return rows, tuple(note for note in self._notes(done, shares, groups, limit, budget.unit, scores) if note)

    def _order(self, pool: _Pool) -> Rows:
        """All rows, best first."""
        if self.how == "top":
            return np.argsort(-pool.scores, kind="stable").astype(np.int64)
        ids = pool.source.ids
        keys = pool.scores
        if self.how == "gumbel":
            keys = gumbel_keys(keys, ids, seed=pool.tools.seed, temperature=self.temperature)
        by_id = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
        return by_id[np.argsort(-keys[by_id], kind="stable")]

    def _groups(self, source: Domain) -> list[str]:
        """The group of each row; one for all where there are no quotas."""
        if self.per == "domain":
            return source.domains
        if self.per is None:
            return [""] * len(source)
        labels = [label for label in source.labels if label is not None]
        if len(labels) < len(source):
            raise InputError(
                f"{len(source) - len(labels)} of {len(source)} examples of the source '{source.name}' have no label",
                expected="a label on each, to fill the budget by class",
                fix="name the label column of the source, or leave per=class out",
            )
        return labels

    def _stream(self, order: Rows, allowance: float, pool: _Pool) -> Iterator[int]:
        """The rows of one group in the order in which they are to be taken."""
        if not self.needs_vectors:
            return iter(order.tolist())
        count = _affordable(order, allowance, pool.cost)
        candidates, rest = np.split(order, [min(len(order), math.ceil(self.pool_factor * count))])
        spread = (int(candidates[position]) for position in self._spread(candidates, count, pool))
        return itertools.chain(spread, rest.tolist())

    def _spread(self, candidates: Rows, count: int, pool: _Pool) -> Iterator[int]:
        """Positions of the candidates, those first that are worth most together."""
        from scipy.stats import rankdata

        embed = pool.tools.embed
        if embed is None:
            raise InputError(
                f"'{self.how}' compares vectors, and no encoder was given",
                expected="an encoder",
                fix="name a model, or take the best rows as they come (top)",
            )
        examples = pool.source.take(candidates)
        units = unit_rows(embed(examples.contents))
        if self.how == "k-center":
            return k_center(units)
        if self.cover == "pool":
            covered = units[_sample(examples.ids, pool.tools.seed)]
        else:
            inputs = pool.target.inputs
            covered = unit_rows(embed(inputs.take(_sample(inputs.ids, pool.tools.seed)).contents))
        values = rankdata(pool.scores[candidates]) / len(candidates)
        return facility_location(units @ covered.T, values, tradeoff=self.tradeoff, count=count)

    def _notes(
        self, done: Filled, shares: Mapping[str, float], groups: list[str], limit: int, unit: str, scores: Floats
    ) -> Iterator[str]:
        if self.how == "gumbel":
            yield flatness_note(scores, self.temperature)
        spent, kept = sum(done.spent.values()), len(done.rows)
        if done.price:
            yield f"the best example alone has {done.price} tokens, more than the budget of {limit} tokens; it is kept"
        elif done.exhausted == set(shares) and spent < limit:
            which = "distinct examples" if done.skipped else "examples"
            yield f"the budget of {limit:,} {unit} is more than what there is ({spent:,}): all {kept:,} {which} are kept"
        elif self.per is not None:
            yield shortage_note(done, shares, limit, self.per, unit)
        left_out = set(groups) - set(shares)
        if left_out:
            yield f"{len(left_out)} {_plural(self.per, len(left_out))} without a share give nothing, such as '{min(left_out)}'"
        if done.skipped:
            yield f"{done.skipped:,} examples were passed over because they nearly repeat a better one"


def _plural(kind: str | None, count: int) -> str:
    many = {"class": "classes", "domain": "domains"}
    return str(kind) if count == 1 else many[str(kind)]


def _cost(budget: Budget, source: Domain, count_tokens: Callable[[str], int]) -> Callable[[int], int]:
    """What a row takes of the budget."""
    if budget.kind != "tokens":
        return lambda _: 1
    texts = source.texts
    return functools.cache(lambda row: count_tokens(texts[row]))


def _by_group(groups: list[str], order: Rows) -> dict[str, Rows]:
    """The rows of each group, in order."""
    members: dict[str, list[int]] = {}
    for row in order.tolist():
        members.setdefault(groups[row], []).append(row)
    return {name: np.array(rows, dtype=np.int64) for name, rows in members.items()}


def _affordable(order: Rows, allowance: float, cost: Callable[[int], int]) -> int:
    """How many of the best rows the allowance pays for, at least 1."""
    spent = itertools.accumulate(cost(row) for row in order.tolist())
    return max(1, sum(1 for _ in itertools.takewhile(lambda total: total <= allowance, spent)))


def _sample(ids: list[str], seed: int) -> Rows:
    """Rows to cover, in order of id; where there are more than ``REFERENCES``, a draw made from the ids."""
    rows = sorted(range(len(ids)), key=ids.__getitem__)
    if len(rows) > REFERENCES:
        draw = uniform(seed, ids, "cover")
        rows = sorted(sorted(rows, key=lambda row: draw[row])[:REFERENCES], key=ids.__getitem__)
    return np.array(rows, dtype=np.int64)


def _check_name(kind: str, name: object, choices: tuple[str, ...]) -> None:
    if name not in choices:
        raise unknown_name(kind, str(name), choices)


def _number(what: str, value: Any) -> float:
    """A finite number; ``30%`` is one too."""
    try:
        number = float(value[:-1]) / 100 if isinstance(value, str) and value.endswith("%") else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise InputError(f"{what[0].upper()}{what[1:]} is {value!r}", expected="a number", fix="such as 0.3 or 30%")
    return number


def _check_range(name: str, value: Any, *, low: float, low_counts: bool = True, high: float = math.inf) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if number and (value > low or (low_counts and value == low)) and value <= high:
        return
    bound = f"{'at least' if low_counts else 'above'} {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
    raise InputError(f"{name} is {value!r}", expected=f"a number {bound}", fix="leave the default")
