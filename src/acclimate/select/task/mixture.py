"""A mixture of domains: how much of each to keep, and examples drawn by it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from acclimate.data.domain import Domain, Modality, concatenate
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.features.base import Embed
from acclimate.select.base import Learner, Need, Scorer, Trait
from acclimate.select.gumbel import gumbel_keys
from acclimate.select.task.base import DomainScore, ScoredDomains, check_at_least, parts
from acclimate.select.task.domain_rank import domain_gaps
from acclimate.select.task.resample import with_intervals

Weights = Literal["gap-softmax", "excess-loss", "regmix"]

#: Smallest weight of a domain: its examples come last, in random order.
_LEAST = 1e-9
#: DoReMi's rate and smoothing (Xie et al. 2023, §2); steps are few, since each trains a probe to its optimum.
_RATE, _SMOOTHING, _STEPS = 1.0, 1e-3, 20
#: RegMix's range of Dirichlet concentrations, simulated mixtures, and how many of the best are averaged (Liu et al. 2024, §3).
_CONCENTRATIONS, _SIMULATED, _AVERAGED = (0.1, 5.0), 20_000, 100
#: Penalties of the regression, chosen by leave-one-out.
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def gap_softmax(gaps: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Weights ``(..., k)`` from distances ``(..., k)``: ``softmax(-gap / (temperature * largest gap))`` over the last axis.

    Gaps count as shares of the largest, whatever the measure and its unit: where all domains are about as far, all weigh about
    the same. A distance below 0, as unbiased estimates give, counts as 0.

    >>> gap_softmax(np.array([0.0, 0.2, 0.2]), temperature=0.5).round(2)
    array([0.79, 0.11, 0.11])
    """
    positive = np.maximum(gaps, 0.0)
    largest = positive.max(axis=-1, keepdims=True)
    shares = np.divide(positive, largest, out=np.zeros_like(positive), where=largest > 0)
    powers = np.exp(-shares / temperature)
    weights: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return weights


def exponentiated_step(
    weights: NDArray[np.float64], excess: NDArray[np.float64], rate: float, smoothing: float
) -> NDArray[np.float64]:
    """``w exp(rate * excess)``, brought to sum 1 and mixed with the uniform mixture, ``(k,)`` (Xie et al. 2023, algorithm 1)."""
    moved = weights * np.exp(rate * (excess - excess.max()))
    mixed: NDArray[np.float64] = (1 - smoothing) * moved / moved.sum() + smoothing / len(weights)
    return mixed


def dirichlet_mixtures(shares: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Random mixtures ``(count, k)`` around the pool's own ``shares (k,)``, from nearly one domain to nearly that of the pool."""
    low, high = np.log(_CONCENTRATIONS)
    concentrations = np.exp(rng.uniform(low, high, count))
    gammas = rng.standard_gamma(concentrations[:, None] * shares * len(shares)) + np.finfo(np.float64).tiny
    mixtures: NDArray[np.float64] = gammas / gammas.sum(axis=1, keepdims=True)
    return mixtures


def best_mixture(
    tried: NDArray[np.float64], losses: NDArray[np.float64], candidates: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The mean of the candidate mixtures with the lowest predicted losses, and how much of the losses the prediction explains.

    A ridge regression on weights and their products of two stands in for RegMix's gradient-boosted trees (Liu et al. 2024, §3.2).

    Args:
        tried: mixtures ``(p, k)`` whose ``losses (p,)`` were measured.
        candidates: ``(c, k)``.

    Returns:
        ``(k,)`` and the leave-one-out R², below 0 where the mean of the losses predicts them better.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.preprocessing import PolynomialFeatures

    products = PolynomialFeatures(2, include_bias=False)
    standard = (losses - losses.mean()) / (float(losses.std()) or 1.0)
    with threadpool_limits(1):  # the same bits whatever the number of threads
        model = RidgeCV(_PENALTIES, store_cv_results=True).fit(products.fit_transform(tried), standard)
        predicted = model.predict(products.transform(candidates))
    explained = 1 - float(model.cv_results_[:, _PENALTIES.index(model.alpha_)].mean())
    best = candidates[np.argsort(predicted, kind="stable")[:_AVERAGED]]
    return best.mean(axis=0), explained


def _weighed(
    weights: NDArray[np.float64], counts: Mapping[str, int], resampled: NDArray[np.float64], note: str = ""
) -> list[DomainScore]:
    """Domains with their weights ``(k,)``, and intervals where there are resampled weights ``(b, k)``."""
    floored = np.maximum(weights, _LEAST)
    values = dict(zip(counts, (floored / floored.sum()).tolist(), strict=True))
    found = with_intervals(values, counts, resampled.T, [note] * len(counts))
    return [dataclasses.replace(domain, low=_share(domain.low), high=_share(domain.high)) for domain in found]


def _share(value: float | None) -> float | None:
    return None if value is None else min(max(value, 0.0), 1.0)


class Mixture:
    """Draws examples so that the kept ones follow a mixture of domains.

    The score of an example is ``log(w_d / n_d)`` plus Gumbel noise: the best ``k`` are a draw without replacement in which domain
    ``d`` with ``n_d`` examples has weight ``w_d`` (see :func:`acclimate.select.gumbel.gumbel_keys`). A domain that is used up
    leaves its part to the others. The weights:

    - ``gap-softmax``: fall with the measured distance to the target (:func:`gap_softmax`). No labels.
    - ``excess-loss``: rise where a model of the mixture predicts held-out labels worse than a model of the target does, by
      exponentiated gradient, averaged over its steps. After DoReMi, whose reference model is trained on the pool and whose excess
      is cut at 0. Here the reference is what makes it aim at the target, and an excess below 0 says that a domain contradicts it;
      the model of the mixture is given as many examples as the target has labels, so that neither is the bolder one.
    - ``regmix``: of many random mixtures, those that a regression predicts to be best for the target. The regression learns from
      small runs: a model is trained on each of ``proxies`` mixtures and its log-loss measured on the target's labelled examples.

    Reference: Xie, Pham, Dong et al. 2023, "DoReMi: Optimizing data mixtures", algorithm 1; Liu, Zheng, Muennighoff et al. 2024,
    "RegMix: Data mixture as regression for language model pre-training", §3.

    Use when: the budget is larger than the best domain, or one domain alone is too narrow.
    Avoid when: domains are no better than rows drawn from the pool: compare with ``random`` at the same budget.

    Args:
        embed: examples to vectors, for the distances.
        learner: trains the models of ``excess-loss`` and ``regmix``, which need labels on both sides, and the same ones.
        weights: how the mixture is found.
        measure: of ``gap-softmax``, a name in ``acclimate.gap.METHODS``.
        temperature: of ``gap-softmax``; at .2 a domain at half the largest distance weighs 12 times as much as the farthest.
        proxies: runs of ``regmix``.
        sample: most examples of a domain that are measured or learned from.
        resamples: of the distances or of the small runs, for the intervals; ``excess-loss`` has none.
        seed: of samples, mixtures and the draw.
    """

    needs: ClassVar[tuple[Need, ...]] = ("embeddings", "source domains")
    traits: ClassVar[tuple[Trait, ...]] = ("ranks",)
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Xie et al. 2023 (DoReMi); Liu et al. 2024 (RegMix)"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "a draw by mixture weights over domains: by gap, excess loss or small runs"
    summary_zh: ClassVar[str] = "按领域混合权重抽取：差距 softmax、超额损失或小规模代理实验回归"

    def __init__(
        self,
        embed: Embed,
        learner: Learner | None = None,
        weights: Weights = "gap-softmax",
        measure: str = "mmd",
        temperature: float = 0.2,
        proxies: int = 64,
        sample: int = 500,
        resamples: int = 20,
        seed: int = 0,
    ) -> None:
        check_at_least(
            "mixture", temperature=(temperature, 1e-6), proxies=(proxies, 8), sample=(sample, 4), resamples=(resamples, 0)
        )
        self.embed, self.learner, self.kind, self.measure = embed, learner, weights, measure
        self.temperature, self.proxies, self.sample = temperature, proxies, sample
        self.resamples, self.seed = resamples, seed

    def fit(self, source: Domain, target: Target) -> Self:
        if self.kind == "gap-softmax":
            found = self._by_gap(source, target)
        else:
            there = parts(source, self.sample, self.seed)
            rows = {name: part for name, (part, _) in there.items()}
            counts = {name: count for name, (_, count) in there.items()}
            learner = self._checked_learner(source, target)
            if self.kind == "excess-loss":
                found = _weighed(by_excess_loss(learner, list(rows.values()), target), counts, np.zeros((0, len(counts))))
            else:
                shares = np.array(list(counts.values())) / len(source)
                found = self._by_regression(learner, list(rows.values()), shares, counts, target)
        self._scored = ScoredDomains.of("mixture", found, self.seed)
        return self

    def _by_gap(self, source: Domain, target: Target) -> list[DomainScore]:
        gaps = domain_gaps(
            self.measure, self.embed, source, target.inputs, sample=self.sample, resamples=self.resamples, seed=self.seed
        )
        farthest = max(-gap.score for gap in gaps if not gap.note)
        distances = np.array([farthest if gap.note else -gap.score for gap in gaps])
        found = []
        weights = np.maximum(gap_softmax(distances, self.temperature), _LEAST)
        for row, (gap, weight) in enumerate(zip(gaps, weights, strict=True)):
            low, high = (self._moved(distances, row, end) for end in (gap.low, gap.high))
            found.append(DomainScore(gap.name, float(weight), low, high, gap.examples, gap.first, gap.note))
        return found

    def _by_regression(
        self, learner: Learner, rows: Sequence[Domain], shares: NDArray[np.float64], counts: Mapping[str, int], target: Target
    ) -> list[DomainScore]:
        """Small runs, a regression of their losses, and the best of many mixtures by it; runs are resampled for the intervals."""
        rng = np.random.default_rng(self.seed)
        tried = dirichlet_mixtures(shares, self.proxies, rng)
        losses = np.array([proxy_loss(learner, mixed(rows, mixture, self.sample, rng), target) for mixture in tried])
        candidates = dirichlet_mixtures(shares, _SIMULATED, rng)
        weights, explained = best_mixture(tried, losses, candidates)
        again = [rng.integers(0, len(tried), len(tried)) for _ in range(self.resamples)]
        resampled = np.array([best_mixture(tried[runs], losses[runs], candidates)[0] for runs in again]).reshape(-1, len(rows))
        warning = "" if explained > 0 else ", which is less than nothing: do not trust these weights"
        return _weighed(weights, counts, resampled, f"its regression explains {explained:.0%} of held-out runs{warning}")

    def _moved(self, distances: NDArray[np.float64], row: int, score: float | None) -> float | None:
        """The weight of a domain whose distance is at an end of its interval, the others where they are."""
        if score is None:
            return None
        there = distances.copy()
        there[row] = -score
        return float(gap_softmax(there, self.temperature)[row])

    def _checked_learner(self, source: Domain, target: Target) -> Learner:
        if self.learner is None:
            raise InputError(f"weights='{self.kind}' without a learner", expected="learner=...", fix="use weights='gap-softmax'")
        if not source.is_labelled or len(target.labelled.classes) < 2:
            raise InputError(
                f"weights='{self.kind}' with examples without a label",
                expected="labels on every source example, and labelled target examples of two classes",
                fix="use weights='gap-softmax', which needs no labels",
            )
        strange = sorted(set(source.classes) - set(target.classes))
        if strange:
            raise InputError(
                f"weights='{self.kind}' with source labels that the target does not have: {', '.join(strange[:5])}",
                expected=f"only {', '.join(target.classes)}",
                fix="rename or leave out those examples, or use weights='gap-softmax'",
            )
        return self.learner

    @property
    def domains(self) -> list[DomainScore]:
        """The domains with their weights, largest first."""
        return list(self._scored.domains)

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """``log(w_d / n_d)`` plus Gumbel noise, ``(n,)``: the order of a draw by the mixture."""
        self._scored.score(batch)  # refuses a domain that it does not know
        odds = {domain.name: np.log(domain.score / domain.examples) for domain in self._scored.domains}
        keys = np.array([odds[name] for name in batch.domains], dtype=np.float64)
        return gumbel_keys(keys, batch.ids, seed=self.seed, temperature=1.0)

    def reasons(self, batch: Domain) -> list[str]:
        """The domain and its weight."""
        return self._scored.reasons(batch)


def by_excess_loss(learner: Learner, rows: Sequence[Domain], target: Target) -> NDArray[np.float64]:
    """Weights of the domains ``(k,)`` by exponentiated gradient on the excess loss of their halves; see :class:`Mixture`.

    A model of each half of the pool is measured on the other half, in which every domain counts by its own mean.
    """
    reference = learner.fit(target.labelled, target.classes)
    halves = [[part.take(np.arange(side, len(part), 2)) for part in rows] for side in (0, 1)]
    theirs = [np.array([_mean_loss(reference, part) for part in side]) for side in halves]
    weights = np.full(len(rows), 1 / len(rows))
    path = []
    for _ in range(_STEPS):
        proxies = [_fit_weighted(learner, side, weights * len(target.labelled), target.classes) for side in halves]
        ours = [np.array([_mean_loss(proxy, part) for part in halves[1 - side]]) for side, proxy in enumerate(proxies)]
        excess = (ours[0] - theirs[1] + ours[1] - theirs[0]) / 2
        weights = exponentiated_step(weights, excess, _RATE, _SMOOTHING)
        path.append(weights)
    averaged: NDArray[np.float64] = np.mean(path, axis=0)
    return averaged


def mixed(rows: Sequence[Domain], mixture: NDArray[np.float64], size: int, rng: np.random.Generator) -> Domain:
    """``size`` examples drawn with replacement from the domains, by the mixture ``(k,)``."""
    counts = rng.multinomial(size, mixture)
    drawn = [part.take(rng.integers(0, len(part), count)) for part, count in zip(rows, counts, strict=True) if count]
    return concatenate("mixture", drawn)


def proxy_loss(learner: Learner, examples: Domain, target: Target) -> float:
    """Mean log-loss on the target's labelled examples of a model trained on ``examples``."""
    if len(examples.classes) < 2:  # nothing was learned: every class is as likely
        return float(np.log(len(target.classes)))
    return _mean_loss(learner.fit(examples, target.classes), target.labelled)


def _mean_loss(scorer: Scorer, examples: Domain) -> float:
    """Mean log-loss of the labels, at most 14; 0 without examples."""
    if not len(examples):
        return 0.0
    probabilities = scorer.predict_proba(examples)
    columns = [scorer.classes.index(str(label)) for label in examples.labels]
    return float(-np.log(np.maximum(probabilities[np.arange(len(examples)), columns], 1e-6)).mean())


def _fit_weighted(learner: Learner, rows: Sequence[Domain], weights: NDArray[np.float64], classes: Sequence[str]) -> Scorer:
    """A model of the domains together, in which each weighs as many examples as ``weights (k,)`` say, whatever it has."""
    each = [np.full(len(part), weight / max(len(part), 1)) for part, weight in zip(rows, weights, strict=True)]
    return learner.fit(concatenate("pool", rows), classes, np.concatenate(each))
