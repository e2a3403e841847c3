"""Kernel mean matching (KMM): weights of the source under which its mean embedding is that of the target."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.engine.threads import one_thread
from acclimate.errors import InputError
from acclimate.features.base import Embed
from acclimate.select.base import Need, PoolScores, Trait
from acclimate.select.importance.gaussian import gaussian, gaussian_sums, median_distance, vectors

#: Steps of one programme at most.
STEPS = 2000
#: Source examples whose kernel matrix is held, 200 MB; larger pools are solved through working sets of this many and more.
WORKING = 5000
#: Examples that join the working set at a time, and how often at most.
_JOINING, _ROUNDS = 1000, 30
#: The squared maximum mean discrepancy may exceed its minimum by this share of itself, or by this much, whichever is more.
RELATIVE, ABSOLUTE = 1e-2, 1e-7


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The weights that are allowed: each from 0 to ``upper``, their sum from ``least`` to ``most`` (at most ``n upper``)."""

    upper: float
    least: float
    most: float


@dataclasses.dataclass(frozen=True, eq=False)
class Solution:
    """Weights and how good they are.

    Attributes:
        weights: ``(n,)``.
        gradient: of the objective there, ``(n,)``.
        objective: its value.
        gap: a bound on how far the objective is above its minimum.
        steps: products with the matrix that it took.
    """

    weights: NDArray[np.float64]
    gradient: NDArray[np.float64]
    objective: float
    gap: float
    steps: int


def duality_gap(weights: NDArray[np.float64], gradient: NDArray[np.float64], bounds: Bounds) -> float:
    """How far the objective is above its minimum, at most: ``max_s gradient'(weights - s)`` over allowed ``s`` (Jaggi 2013, eq. 2).

    The best ``s`` spends the sum on the smallest entries of the gradient: on negative ones as far as allowed, on others as needed.
    """
    order = np.sort(gradient)
    filled = np.minimum(bounds.upper * np.arange(1, len(order) + 1), bounds.most)
    spent = np.where(order < 0, filled, np.minimum(filled, bounds.least))
    amounts = np.diff(np.maximum.accumulate(spent), prepend=0.0)
    return float(gradient @ weights - order @ amounts)


def step(
    point: NDArray[np.float64], gradient: NDArray[np.float64], curvature: float, common: float, bounds: Bounds
) -> NDArray[np.float64]:
    """The allowed ``b`` that minimises ``gradient'b + curvature/2 |b - point|^2 + common/2 (sum(b) - sum(point))^2``.

    It is ``clip(point - (gradient + t) / curvature, 0, upper)`` for one number ``t``, in which its sum falls; found by bisection.
    """
    total = point.sum()

    def at(t: float) -> NDArray[np.float64]:
        clipped: NDArray[np.float64] = np.clip(point - (gradient + t) / curvature, 0, bounds.upper)
        return clipped

    def excess(t: float) -> float:
        """Negative below the right ``t``, positive above it: the sum has its own price and may not leave its bounds."""
        reached = at(t).sum()
        if reached > bounds.most:
            return -1.0
        return 1.0 if reached < bounds.least else t - common * (reached - total)

    spread = curvature * (bounds.upper + np.abs(point).max()) + np.abs(gradient).max()
    low, high = -spread - 1.0, spread + 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return at((low + high) / 2)


def minimise(
    matrix: NDArray[np.float64],
    linear: NDArray[np.float64],
    bounds: Bounds,
    start: NDArray[np.float64],
    *,
    tolerance: float,
    steps: int = STEPS,
) -> Solution:
    """The quadratic programme ``min b'Kb/2 - linear'b`` over the bounds (Huang et al. 2007, eq. 12), ``K`` positive semi-definite.

    Accelerated projected gradients (Beck & Teboulle 2009) with restarts (O'Donoghue & Candes 2015). A kernel matrix has one large
    eigenvalue, of nearly constant weights; steps bounded by ``K <= curvature I + common 11'`` leave it out and are some five times
    longer. The bound is checked at every step and raised where it does not hold.

    Args:
        matrix: ``K``, ``(n, n)``.
        linear: ``(n,)``.
        start: allowed weights, ``(n,)``.
        tolerance: ends where the duality gap is at most this, checked every ten steps.
        steps: ends after so many in any case; the gap then says how far it came.
    """
    common = float(matrix.mean())
    curvature = _largest_eigenvalue(matrix, common)
    weights = point = start
    product = product_at_point = multiply(matrix, start)
    momentum = 1.0
    for count in range(1, steps + 1):
        new = step(point, product_at_point - linear, curvature, common, bounds)
        new_product = multiply(matrix, new)
        move = new - point
        while move @ (new_product - product_at_point) > 1.0001 * (curvature * (move @ move) + common * move.sum() ** 2) + 1e-9:
            curvature *= 1.5
            new = step(point, product_at_point - linear, curvature, common, bounds)
            new_product = multiply(matrix, new)
            move = new - point
        uphill = curvature * (move @ (new - weights)) + common * move.sum() * (new - weights).sum() < 0
        following = 1.0 if uphill else (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        carry = 0.0 if uphill else (momentum - 1) / following
        point = new + carry * (new - weights)
        product_at_point = new_product + carry * (new_product - product)
        weights, product, momentum = new, new_product, following
        if count % 10 == 0 or count == steps:
            gap = duality_gap(weights, product - linear, bounds)
            if gap <= tolerance:
                break
    return Solution(weights, product - linear, float(weights @ (product / 2 - linear)), gap, count)


def _largest_eigenvalue(matrix: NDArray[np.float64], common: float) -> float:
    """Of ``K - common 11'``, roughly and from below; at least the mean of the diagonal, so that it is above 0."""
    vector = np.cos(np.arange(len(matrix), dtype=np.float64))
    length = 0.0
    for _ in range(10):
        vector = matrix @ vector - common * vector.sum()
        length = float(np.linalg.norm(vector))
        if length == 0:
            break
        vector /= length
    return max(length, float(np.diagonal(matrix).mean()))


@njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def multiply(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """A symmetric matrix times a vector, ``(n, n)`` and ``(n,)`` to ``(n,)``; its rows where the vector is 0 are not read."""
    total = np.zeros(len(vector))
    for row in range(len(vector)):
        if vector[row] != 0:
            total += vector[row] * matrix[row]
    return total


@dataclasses.dataclass(frozen=True, eq=False)
class Matching:
    """Weights under which the source matches the target.

    Attributes:
        weights: ``(n,)``, not negative.
        surplus: the weighted source's kernel mean minus the target's at each source row, ``(n,)``: negative where more weight would
            help, about 0 where there is weight, positive where there is too much already.
        before, after: the squared maximum mean discrepancy to the target with equal weights and with these.
        gap: how far ``after`` is above its minimum, at most.
    """

    weights: NDArray[np.float64]
    surplus: NDArray[np.float64]
    before: float
    after: float
    gap: float


def match(
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    bandwidth: float,
    bounds: Bounds,
    *,
    working: int = WORKING,
    relative: float = RELATIVE,
    absolute: float = ABSOLUTE,
) -> Matching:
    """Weights ``b`` that minimise ``||sum_i b_i phi(x_i) / n - mean_j phi(y_j)||^2`` over the bounds (Huang et al. 2007, eq. 10).

    Most weights are 0 at the optimum. So a programme over a working set, those rows closest to the target at first, is solved, the
    gradient of *all* rows taken, and the set changed for the rows with weight and those that would help most, until the duality gap
    over all rows is small: the full programme is solved, while only the kernel matrix of the working set is ever held.

    Args:
        source, target: ``(n, d)`` and ``(m, d)``.
        working: rows in the first working set.
    """
    n = len(source)
    linear = n * gaussian_sums(source, target, np.full(len(target), 1 / len(target)), bandwidth)  # kappa
    own = float(gaussian_sums(target, target, np.full(len(target), 1 / len(target)), bandwidth).mean())
    equal = np.ones(n)
    before = float(equal @ (gaussian_sums(source, source, equal, bandwidth) - 2 * linear) / n**2 + own)
    rows = np.sort(np.argsort(-linear, kind="stable")[: max(working, int(np.ceil(bounds.least / bounds.upper)))])
    weights = np.zeros(n)
    weights[rows] = min(bounds.upper, n / len(rows))
    after = before / 10
    for _ in range(_ROUNDS):
        allowed = max(absolute, relative * after)
        matrix = gaussian(source[rows], source[rows], bandwidth)
        solution = minimise(matrix, linear[rows], bounds, weights[rows], tolerance=allowed / 2 * n**2 / 2)
        weights = np.zeros(n)
        weights[rows] = solution.weights
        support = np.flatnonzero(weights)
        gradient = gaussian_sums(source, source[support], weights[support], bandwidth) - linear
        after = 2 * solution.objective / n**2 + own
        gap = 2 * duality_gap(weights, gradient, bounds) / n**2
        if gap <= max(absolute, relative * after):
            break
        outside = np.setdiff1d(np.arange(n), rows)
        joining = outside[np.argsort(gradient[outside], kind="stable")[:_JOINING]]
        rows = np.union1d(support, joining)
    return Matching(weights, gradient / n, before, after, gap)


def alike(x: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values ``(n,)`` averaged over equal rows of ``x (n, d)``. Weights stay allowed by it, and the match as good or better."""
    _, group = np.unique(x, axis=0, return_inverse=True)
    means: NDArray[np.float64] = np.bincount(group.ravel(), values) / np.bincount(group.ravel())
    return means[group.ravel()]


class Kmm:
    """Score of ``x``: its weight in the mix of source examples whose kernel mean is nearest to the target's (labels are not used).

    The weights solve a quadratic programme over the whole source at once, with a bound on how far they are from its optimum. Most
    are 0: what a few examples can stand for needs no others. Those without weight rank below, by how much too much of their kind
    the mix has already.

    Reference: Huang, Smola, Gretton, Borgwardt & Scholkopf 2007, "Correcting sample selection bias by unlabeled data".

    Use when: the kept examples should *together* look like the target, and weights are wanted.
    Avoid when: every relevant example is wanted: of many alike only some get weight. knn, classifier or kliep rank them all.

    Args:
        embed: examples to vectors.
        bandwidth: of the Gaussian kernel, as a multiple of the median squared distance, which is the usual choice; vectors of an
            encoder lie at much the same distance, and a smaller one tells them apart. With 500 relevant among 5,000 source texts
            (each ICWSM domain in turn, 300 target texts, MiniLM), the share of relevant ones in the best 500 is .63 / .67 / .72 /
            .80 / .78 at 1, 1/2, 1/4, 1/8 and 1/16, their share of the weight .75 / .75 / .73 / .66 / .46.
        upper: the largest weight, ``B``; 1000 as in the paper, where it hardly ever binds. Smaller is steadier and matches less.
        slack: how far the mean weight may be from 1; by default ``(sqrt(n) - 1) / sqrt(n)``, as in the paper.
        seed: of the rows in which the median distance is taken.

    Cost: up to 5,000 examples the whole kernel matrix (200 MB) is held; beyond, that of a working set, and the programme is still
    solved over all. 5,000 source and 500 target examples take 3 CPU seconds, 16,479 and 1,000 take 15 (see ``make bench-kmm``).
    Small bounds need larger working sets: ``8 (n / upper)^2`` bytes at least.
    """

    needs: ClassVar[tuple[Need, ...]] = ("embeddings",)
    traits: ClassVar[tuple[Trait, ...]] = ("of-pool", "weighs")
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Huang et al. 2007"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "weights under which the source's kernel mean is the target's"
    summary_zh: ClassVar[str] = "核均值匹配：使源域核均值与目标域一致的权重"

    def __init__(
        self, embed: Embed, bandwidth: float = 0.125, upper: float = 1000.0, slack: float | None = None, seed: int = 0
    ) -> None:
        if not 0 < bandwidth < float("inf") or not 1 <= upper < float("inf") or not 0 <= (slack or 0.0) <= 1:
            raise InputError(
                f"kmm with bandwidth={bandwidth}, upper={upper}, slack={slack}",
                expected="a bandwidth above 0, an upper bound of at least 1, and a slack from 0 to 1",
                fix="leave the defaults",
            )
        self.embed, self.bandwidth, self.upper, self.slack, self.seed = embed, bandwidth, upper, slack, seed

    def fit(self, source: Domain, target: Target) -> Self:
        with one_thread():
            ids, x = vectors(self.embed, source, self.seed)
            _, y = vectors(self.embed, target.inputs, self.seed)
            n = len(x)
            slack = 1 - 1 / np.sqrt(n) if self.slack is None else self.slack
            bounds = Bounds(self.upper, n * (1 - slack), n * (1 + slack))
            matching = match(x, y, self.bandwidth * median_distance(x, y), bounds)
            weights, surplus = alike(x, matching.weights), alike(x, matching.surplus)
        scores = np.where(weights > 0, weights, np.minimum(0, -surplus))
        lines = [f"weight={w:.2f}" if w > 0 else f"no weight, surplus={s:.4f}" for w, s in zip(weights, surplus, strict=True)]
        self._scores = PoolScores("kmm", dict(zip(ids, scores.tolist(), strict=True)), dict(zip(ids, lines, strict=True)))
        return self

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """The weight where there is one, ``(n,)``; else minus the surplus of its kind, at most 0."""
        return self._scores.score(batch)

    def weights(self, batch: Domain) -> NDArray[np.float64]:
        """The weight, ``(n,)``; the mean over the source is within the slack of 1."""
        return np.maximum(self._scores.score(batch), 0)

    def reasons(self, batch: Domain) -> list[str]:
        """The weight; of an example without one, by how much too much of its kind the mix has already."""
        return self._scores.reasons(batch)
