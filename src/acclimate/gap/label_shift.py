"""The target's class proportions, estimated without one of its labels."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError
from acclimate.gap.base import GapResult, Sample, check_sizes
from acclimate.gap.classify import Matrix, cross_fit
from acclimate.gap.permutation import p_value

#: A smallest singular value of the confusion matrix below this makes the estimate swing with every error (Lipton 2018, theorem 3).
ILL_CONDITIONED = 0.1


def class_proportions(confusion: Matrix, predicted: Matrix) -> Matrix:
    """The class proportions that best explain what a classifier predicts (Lipton 2018, eq. 2–3, held to the simplex).

    Minimises ``‖C q − μ‖²`` over ``q ≥ 0, Σ q = 1``. On the simplex ``C q − μ = (C − μ 1ᵀ) q``; non-negative least squares with one
    more row asking for ``Σ q = 1`` finds a multiple of the minimum, so scaling it to sum 1 is exact.

    Args:
        confusion: ``C (k, k)``, ``C[i, j] = P(predicted i | class j)``; columns sum to 1.
        predicted: ``μ (k,)``, the share of each predicted class in the target.
    Returns:
        ``q (k,)``, sums to 1.
    """
    from scipy.optimize import nnls

    k = len(predicted)
    system = np.vstack([confusion - predicted[:, None], np.ones((1, k))])
    solution, _ = nnls(system, np.append(np.zeros(k), 1.0))
    return np.asarray(solution / solution.sum())


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What a classifier of the source says about both sides.

    Attributes:
        counts: source rows by predicted class (row) and true class (column), each predicted by a classifier that has not seen it,
            ``(k, k)``.
        target: for each target row the share of the fold classifiers that predict each class, ``(m, k)``.
    """

    counts: Matrix
    target: Matrix

    @property
    def confusion(self) -> Matrix:
        """``P(predicted | class)``, columns sum to 1."""
        return np.asarray(self.counts / self.counts.sum(0))

    @property
    def source_proportions(self) -> Matrix:
        return np.asarray(self.counts.sum(0) / self.counts.sum())


class LabelShift:
    """Black-box shift estimation: the total variation distance between the classes of the source and those of the target.

    Use when: classes may be rarer or commoner in the target, and you want to weight or resample for it; no target label is read.
    Avoid when: the *content* of classes differs between the domains (a high ``mmd`` within a class). The method assumes that it
    does not, and then takes any difference for a difference of proportions.

    ``details`` holds the proportions by class with 95% bootstrap intervals. The p-value is the chance of a distance this large
    between two samples with the same proportions and this classifier.

    Args:
        folds: of the cross-fitting; fewer where the rarest class has fewer rows.
        resamples: of the bootstrap and of the test.
    """

    paper: ClassVar[str] = "Lipton et al. 2018"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Estimates the target's class proportions without its labels, and their distance from the source's."
    summary_zh: ClassVar[str] = "不看目标标签估计目标领域的类别比例，并给出与源领域比例的距离。"
    needs_embeddings: ClassVar[bool] = True
    uses_source_labels: ClassVar[bool] = True

    def __init__(self, folds: int = 5, resamples: int = 200) -> None:
        if folds < 2 or resamples < 1:
            raise InputError(f"folds {folds} and resamples {resamples}", expected="at least 2 folds and 1 resample, better 200")
        self.folds = folds
        self.resamples = resamples

    def measure(self, source: Sample, target: Sample, *, seed: int = 0) -> GapResult:
        """The total variation distance of the class proportions, 0 to 1."""
        warning = check_sizes(source, target)
        rows, labels, classes = _labelled(source)
        fewest = int(np.bincount(labels).min())
        predicted = cross_fit(source.embedded()[rows], labels, target.embedded(), folds=min(self.folds, fewest), seed=seed)
        counts = np.zeros((len(classes), len(classes)))
        np.add.at(counts, (predicted.held_out, labels), 1)
        evidence = Evidence(counts, predicted.votes)
        before = evidence.source_proportions
        after = class_proportions(evidence.confusion, evidence.target.mean(0))
        value = _total_variation(before, after)
        smallest = float(np.linalg.svd(evidence.confusion, compute_uv=False)[-1])
        if smallest < ILL_CONDITIONED:
            warning = "the classifier confuses the classes: their proportions cannot be told"
        rng = np.random.default_rng(seed)
        low, high = self._intervals(evidence, rng)
        details: dict[str, Any] = {
            "classes": classes,
            "source": before.tolist(),
            "target": after.tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
            "accuracy": float(np.trace(evidence.counts) / evidence.counts.sum()),
            "smallest_singular_value": smallest,
        }
        return GapResult(
            "label-shift", value, p_value=p_value(value, self._by_chance(evidence, rng)), warning=warning, details=details
        )

    def _intervals(self, evidence: Evidence, rng: np.random.Generator) -> tuple[Matrix, Matrix]:
        """95% percentile intervals of the target's proportions, resampling source rows within classes and target rows."""
        m = len(evidence.target)
        draws = [
            class_proportions(_resampled(evidence, rng), rng.multinomial(m, np.full(m, 1 / m)) @ evidence.target / m)
            for _ in range(self.resamples)
        ]
        low, high = np.percentile(draws, [2.5, 97.5], axis=0)
        return low, high

    def _by_chance(self, evidence: Evidence, rng: np.random.Generator) -> Matrix:
        """The distance for samples of these sizes whose classes have the source's proportions on both sides, ``(resamples,)``."""
        n, m = int(evidence.counts.sum()), len(evidence.target)
        same = evidence.source_proportions
        expected = evidence.confusion @ same
        values = []
        for _ in range(self.resamples):
            after = class_proportions(_resampled(evidence, rng), rng.multinomial(m, expected / expected.sum()) / m)
            values.append(_total_variation(rng.multinomial(n, same) / n, after))
        return np.array(values)


def _labelled(source: Sample) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """The rows that have a label, their class numbers, and the class names, sorted.

    Raises:
        InputError: fewer than two classes, or a class with one row.
    """
    known = [(row, label) for row, label in enumerate(source.domain.labels) if label is not None]
    classes, numbers, counts = np.unique([label for _, label in known], return_inverse=True, return_counts=True)
    if len(classes) < 2 or counts.min() < 2:
        found = ", ".join(f"{name}: {count}" for name, count in zip(classes, counts, strict=True)) or "none"
        raise InputError(
            f"Label shift from '{source.domain.name}', whose labelled rows by class are: {found}",
            expected="at least two classes with two labelled rows each",
            fix="name the label column, merge rare classes, or leave out label-shift",
        )
    return np.array([row for row, _ in known]), numbers.astype(np.int64), [str(name) for name in classes]


def _resampled(evidence: Evidence, rng: np.random.Generator) -> Matrix:
    """A confusion matrix with each class's rows drawn again."""
    sizes = evidence.counts.sum(0).astype(np.int64)
    columns = [rng.multinomial(size, column) / size for size, column in zip(sizes, evidence.confusion.T, strict=True)]
    return np.stack(columns, axis=1)


def _total_variation(p: Matrix, q: Matrix) -> float:
    return float(np.abs(p - q).sum() / 2)
