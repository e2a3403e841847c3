"""LogME: the evidence that a linear model on some features has for the target's labels."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.select.base import Learner, Need, Trait
from acclimate.select.task.base import DomainScore, ScoredDomains, check_at_least
from acclimate.select.task.models import Features, score_outputs

#: Keeps precisions finite where the fit is perfect or the weights vanish; the authors' value.
_EPSILON = 1e-5
#: The fixed point counts as reached when the ratio of precisions moves by less than this share: the evidence then is within .00001
#: of its maximum on features from hopeless to perfect. With the authors' .01 and 11 rounds it is up to .0025 below it.
_TOLERANCE, _ROUNDS = 1e-3, 300


def logme(features: NDArray[np.floating], labels: NDArray[np.int64], classes: int) -> float:
    """The maximised log evidence per example, averaged over one-against-rest regressions (You et al. 2021, eq. 2, algorithm 1).

    For each class, ``y = F w + noise`` with ``w ~ N(0, 1/alpha)``, noise of precision ``beta``; alpha and beta are brought to
    the maximum of the evidence by the fixed point ``gamma = sum_i beta s_i² / (alpha + beta s_i²)``,
    ``alpha = gamma / |m|²``, ``beta = (n - gamma) / |F m - y|²``. Costs one singular value decomposition.

    Unlike in the authors' code, ``alpha`` counts as often as there are singular values, also where those are fewer than dimensions
    (the others cancel in the evidence), and features are scaled to a mean square length of 1, so that the small constant that keeps
    alpha finite means the same for every model; the evidence itself does not depend on the scale.

    Args:
        features: ``F (n, d)``.
        labels: class numbers ``(n,)`` below ``classes``. A class without examples has no evidence and is left out of the average.

    Raises:
        InputError: a class number outside 0 to ``classes - 1``.
    """
    left, singular, _ = np.linalg.svd(np.asarray(features, dtype=np.float64), full_matrices=False)
    singular = singular * np.sqrt(len(labels)) / max(float(np.linalg.norm(singular)), np.finfo(np.float64).tiny)
    present = np.unique(labels)
    if len(present) and not 0 <= present[0] <= present[-1] < classes:
        raise InputError(f"Class numbers {present.tolist()}", expected=f"numbers from 0 to {classes - 1}")
    kept = singular > singular.max(initial=0.0) * 1e-10
    left, squares = left[:, kept], singular[kept] ** 2
    wanted = (labels[:, None] == present).astype(np.float64)
    return float(np.mean([_evidence(left.T @ y, y @ y, squares, len(labels)) for y in wanted.T]))


def _evidence(projected: NDArray[np.float64], total: float, squares: NDArray[np.float64], count: int) -> float:
    """The log evidence per example from ``U'y (k,)``, ``|y|²`` and the squared singular values ``(k,)``."""
    alpha = beta = 1.0
    outside = max(total - float(projected @ projected), 0.0)  # the part of y that no weights can reach
    for _ in range(_ROUNDS):
        misfit, length, gamma = _posterior(projected, outside, squares, alpha, beta)
        last = alpha / beta
        alpha, beta = gamma / (length + _EPSILON), (count - gamma) / (misfit + _EPSILON)
        if alpha <= 0 or abs(alpha / beta - last) <= _TOLERANCE * last:
            break
    alpha = max(alpha, np.finfo(np.float64).tiny)  # no features at all: the evidence does not depend on it
    misfit, length, _ = _posterior(projected, outside, squares, alpha, beta)
    log_prior = 0.5 * len(squares) * np.log(alpha) - 0.5 * np.log(alpha + beta * squares).sum()
    log_fit = 0.5 * count * np.log(beta / (2 * np.pi)) - 0.5 * beta * misfit - 0.5 * alpha * length
    return float(log_prior + log_fit) / count


def _posterior(
    projected: NDArray[np.float64], outside: float, squares: NDArray[np.float64], alpha: float, beta: float
) -> tuple[float, float, float]:
    """``|F m - y|²``, ``|m|²`` and the effective number of weights at the posterior mean ``m``."""
    precision = alpha + beta * squares
    misfit = outside + float(np.square(alpha * projected / precision).sum())
    length = float((beta**2 * squares * np.square(projected / precision)).sum())
    return misfit, length, float((beta * squares / precision).sum())


class LogMe:
    """Score of a domain: the log evidence of the target's labels under a linear model on what the domain's model says of them.

    Evidence, unlike accuracy on the same examples, does not reward overfitting: it averages over all linear models.

    Reference: You, Liu, Wang & Long 2021, "LogME: Practical assessment of pre-trained models for transfer learning", algorithm 1.

    Measured on 23 targets (:data:`acclimate.select.task.rank.MEASURED`): rank correlation with the accuracy that a domain's probe
    reaches on the target's test .74, that of the plain accuracy on the same 100 labels .78.

    Use when: ranking models by their features (:func:`acclimate.strategy.models.rank_models`), or domains by their models.
    Avoid when: the target has a dozen labels or fewer: the evidence of all domains is then about the same.

    Args:
        learner: trains the model of a domain.
        features: what of that model is evaluated: its ``"outputs"`` (class probabilities), or its ``"representation"``, which
            differs between domains only where the learner trains one (the probe does not).
        sample: most examples of a domain that it learns from.
        resamples: of the target's labelled examples, for the intervals.
        seed: of samples, resamples and the order inside a domain.
    """

    needs: ClassVar[tuple[Need, ...]] = ("source domains", "source labels", "target labels", "learner")
    traits: ClassVar[tuple[Trait, ...]] = ("whole-domains", "ranks")
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "You et al. 2021"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "whole domains: evidence of the target's labels given a domain model's outputs"
    summary_zh: ClassVar[str] = "整域选择：以源域模型输出为特征时目标标签的对数证据（LogME）"

    def __init__(
        self, learner: Learner, features: Features = "outputs", sample: int = 2000, resamples: int = 200, seed: int = 0
    ) -> None:
        check_at_least("logme", sample=(sample, 2), resamples=(resamples, 2))
        self.learner, self.features = learner, features
        self.sample, self.resamples, self.seed = sample, resamples, seed

    def fit(self, source: Domain, target: Target) -> Self:
        found = score_outputs(
            lambda values, labels: logme(values, labels, int(labels.max()) + 1),
            self.learner,
            source,
            target,
            features=self.features,
            sample=self.sample,
            resamples=self.resamples,
            seed=self.seed,
        )
        self._scored = ScoredDomains.of("logme", found, self.seed)
        return self

    @property
    def domains(self) -> list[DomainScore]:
        """The scored domains, best first."""
        return list(self._scored.domains)

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """Log evidence per target example for each example's domain, ``(n,)``; ties inside a domain in random order."""
        return self._scored.score(batch)

    def reasons(self, batch: Domain) -> list[str]:
        """The domain, its LogME and a 95% interval."""
        return self._scored.reasons(batch)
