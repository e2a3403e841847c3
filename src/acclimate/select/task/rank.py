"""Every score of every source domain side by side, how far the scores agree, and how far to trust them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain
from acclimate.data.target import Target
from acclimate.engine.build import build
from acclimate.errors import InputError, unknown_name
from acclimate.select import METHODS
from acclimate.select.base import Learner, Scorer, Toolbox
from acclimate.select.needs import check_needs, lacks
from acclimate.select.task.base import DomainScore, numbers
from acclimate.select.task.models import train_domains
from acclimate.select.task.resample import score_domains

#: What is taken where no methods are named.
SCORES = ("logme", "leep", "nce", "h-score", "transrate", "otdd", "task2vec", "domain-rank")
#: The plain alternative, which is no selector: the accuracy of a domain's model on the target's labelled examples.
ACCURACY = "accuracy"
#: Spearman's correlation of each score with the accuracy that a probe trained on the domain reaches on the target's test: the mean
#: over 23 targets of four data sets, with 100 labelled examples and 10 seeds (benchmarks/domain_ranking.py). They are heeded in
#: this order.
MEASURED = {
    ACCURACY: 0.78,
    "logme": 0.74,
    "leep": 0.72,
    "h-score": 0.72,
    "nce": 0.71,
    "transrate": 0.52,
    "domain-rank": 0.44,
    "task2vec": 0.25,
    "otdd": 0.18,
}
#: Fewer domains than this cannot show a significant agreement.
FEW_DOMAINS = 5


class Ranks(Protocol):
    """A fitted selector with the trait ``whole-domains``."""

    @property
    def domains(self) -> list[DomainScore]: ...


@dataclasses.dataclass(frozen=True)
class TaskRanking:
    """What several methods say of the same source domains.

    Attributes:
        target: name.
        scores: by method, its domains best first.
        mean_rank: by domain, best first; 1 is best, equal scores share their ranks.
        agreement: Kendall's W between the methods, 0 to 1; None for one method or one domain.
        p_value: of such an agreement among methods that rank at random.
        notes: how far to trust all this.
    """

    target: str
    scores: Mapping[str, Sequence[DomainScore]]
    mean_rank: Mapping[str, float]
    agreement: float | None
    p_value: float | None
    notes: tuple[str, ...]

    @property
    def leading(self) -> str:
        """The score that foretold best where that was measured (:data:`MEASURED`); no mean of ranks was better."""
        return next(name for name in MEASURED if name in self.scores)

    @property
    def order(self) -> list[str]:
        """The domains, best first, by the leading score."""
        return [domain.name for domain in self.scores[self.leading]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "target": self.target,
            "leading": self.leading,
            "order": self.order,
            "scores": {name: [dataclasses.asdict(domain) for domain in found] for name, found in self.scores.items()},
            "mean_rank": dict(self.mean_rank),
            "agreement": self.agreement,
            "p_value": self.p_value,
            "notes": list(self.notes),
        }


def kendall_w(ranks: NDArray[np.float64]) -> float:
    """Kendall's coefficient of concordance of ranks ``(m, k)`` that ``m`` judges give to ``k`` things, corrected for ties.

    ``12 S / (m² (k³ - k) - m sum (t³ - t))``, S the sum of squares of the rank sums about their mean, t the sizes of ties.

    >>> kendall_w(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]))
    1.0
    """
    judges, things = ranks.shape
    sums = ranks.sum(axis=0)
    ties = sum(float((sizes**3 - sizes).sum()) for sizes in (np.unique(row, return_counts=True)[1] for row in ranks))
    most = judges**2 * (things**3 - things) - judges * ties
    return float(12 * np.square(sums - sums.mean()).sum() / most) if most > 0 else 0.0


def rank_domains(source: Domain, target: Target, tools: Toolbox, methods: Sequence[str] | None = None) -> TaskRanking:
    """Rank the source's domains by every score that applies.

    Args:
        source: a pool of at least two domains.
        target: of which labelled and unlabelled examples are seen.
        tools: an encoder and a learner, see :func:`acclimate.strategy.select.toolbox`.
        methods: of :data:`SCORES` and ``"accuracy"``; None takes all that apply, and notes why others do not.

    Raises:
        InputError: an unknown method, one asked for by name that does not apply, or none that applies.
    """
    for name in methods or ():
        if name not in (*SCORES, ACCURACY):
            raise unknown_name("domain score", name, (*SCORES, ACCURACY))
    tools = dataclasses.replace(tools, learner=None if tools.learner is None else remembering(tools.learner))
    scores: dict[str, list[DomainScore]] = {}
    notes: list[str] = []
    for name in methods or (*SCORES, ACCURACY):
        problem = _problem(name, source, target, tools)
        if not problem:
            scores[name] = _scores(name, source, target, tools)
        elif methods is None:
            notes.append(f"{name} was not computed: {problem}")
        else:
            _refuse(name, source, target, tools, problem)
    if not scores:
        raise InputError(
            f"No score of domains applies: {notes[0]}",
            expected="a source of at least two domains",
            fix="name the column that holds each row's domain (domain=..., --domain)",
        )
    return summarise(target.name, scores, len(target.labelled), notes)


def summarise(target: str, scores: Mapping[str, Sequence[DomainScore]], labels: int, notes: Sequence[str] = ()) -> TaskRanking:
    """Mean ranks, agreement and honest notes from the scores of each method."""
    from scipy.stats import chi2, rankdata

    names = sorted(domain.name for domain in next(iter(scores.values())))
    by_name = [{domain.name: domain.score for domain in found} for found in scores.values()]
    ranks = np.array([rankdata([-found[name] for name in names]) for found in by_name])
    means = dict(sorted(zip(names, ranks.mean(axis=0).tolist(), strict=True), key=lambda item: (item[1], item[0])))
    agreement = kendall_w(ranks) if len(scores) > 1 and len(names) > 1 else None
    chance = None if agreement is None else float(chi2.sf(len(scores) * (len(names) - 1) * agreement, len(names) - 1))
    said = [*notes, *_doubts(scores, names, agreement, chance, labels)]
    return TaskRanking(target, scores, means, agreement, chance, tuple(said))


def _doubts(
    scores: Mapping[str, Sequence[DomainScore]], names: Sequence[str], agreement: float | None, chance: float | None, labels: int
) -> list[str]:
    """What makes the ranking unreliable, in words."""
    figures = ", ".join(f"{name} {value:.2f}" for name, value in MEASURED.items() if name in scores)
    said = [f"how well each score foretold the order of sources for 23 targets (rank correlation, 1 is perfect): {figures}"]
    if len(names) < FEW_DOMAINS:
        said.append(f"{len(names)} domains can be in few orders: even a perfect agreement of scores may be chance")
    if labels < 50:
        said.append(f"{labels} labelled target examples: scores that read labels move a lot with other examples")
    unsure = [name for name, found in scores.items() if found[0].first is not None and found[0].first < 0.95]
    if unsure:
        said.append(f"the best domain of {', '.join(unsure)} is not the best in 95% of resamples")
    winners = sorted({found[0].name for found in scores.values()})
    if agreement is not None and chance is not None and (len(winners) > 1 or chance > 0.05):
        said.append(
            f"the scores {'disagree' if agreement < 0.5 else 'agree in part'} (Kendall's W {agreement:.2f}, p {chance:.2g}): "
            f"{', '.join(winners)} {'are each' if len(winners) > 1 else 'is'} first for some"
        )
    return said


def remembering(learner: Learner) -> Learner:
    """The same learner, which fits equal sets of examples once."""
    return _Remembering(learner)


class _Remembering:
    """A learner that fits each set of examples once: most scores ask for the same model of each domain."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._fitted: dict[tuple[str, tuple[str, ...]], Scorer] = {}
        self.trajectory = learner.trajectory

    def fit(self, examples: Domain, classes: Sequence[str], weights: NDArray[np.float64] | None = None) -> Scorer:
        if weights is not None:
            return self._learner.fit(examples, classes, weights)
        key = (examples.fingerprint, tuple(classes))
        if key not in self._fitted:
            self._fitted[key] = self._learner.fit(examples, classes)
        return self._fitted[key]


def _problem(name: str, source: Domain, target: Target, tools: Toolbox) -> str:
    """Why a score does not apply; empty where it does."""
    if name == ACCURACY:
        strange = not set(source.classes) & set(target.classes)
        return "the source has no label of the target" if strange else _problem("leep", source, target, tools)
    return next((found for found, _, _ in lacks(METHODS[name], source, target, tools)), "")


def _refuse(name: str, source: Domain, target: Target, tools: Toolbox, problem: str) -> None:
    if name in METHODS:
        check_needs(METHODS, name, source, target, tools)
    raise InputError(f"'{name}' cannot serve here: {problem}", fix="leave it out, or give what is missing")


def _scores(name: str, source: Domain, target: Target, tools: Toolbox) -> list[DomainScore]:
    if name == ACCURACY:
        return accuracies(cast("Learner", tools.learner), source, target, seed=tools.seed)
    selector = build(METHODS, "selector", name, {}, tools.provided).fit(source, target)
    return cast("Ranks", selector).domains


def accuracies(
    learner: Learner, source: Domain, target: Target, *, sample: int = 2000, resamples: int = 200, seed: int = 0
) -> list[DomainScore]:
    """The accuracy of each domain's model on the target's labelled examples, best first: the plain alternative to the scores."""
    models = train_domains(learner, source, sample=sample, seed=seed)
    wanted = np.array(target.labelled.labels, dtype=object)
    right = {}
    for name, model in models.items():
        predicted = np.array(model.classes, dtype=object)[model.probabilities(target.labelled).argmax(axis=1)]
        right[name] = (predicted == wanted).astype(np.float64)
    statistics = {name: lambda rows, right=right: float(right[rows].mean()) for name, right in right.items()}
    found = score_domains(
        statistics,
        {name: model.examples for name, model in models.items()},
        numbers(target.labelled.labels),
        resamples=resamples,
        seed=seed,
    )
    return sorted(found, key=lambda domain: (-domain.score, domain.name))
