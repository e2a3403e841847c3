"""GraNd: the norm of the gradient that an example gives a classifier early in training."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.select.base import Learner, Need, Trait
from acclimate.select.importance.difficulty import Keep, check_runs, early_scorers, label_rows, mean_over_runs, usefulness
from acclimate.select.importance.el2n import error_norm


def gradient_norm(
    probabilities: NDArray[np.float64], labels: NDArray[np.float64], inputs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Norm of the gradient of each example's cross-entropy by the last layer (Paul et al. 2021, definition of GraNd), ``(n,)``.

    For logits ``W h + b`` the gradient by ``[W b]`` is the outer product of ``p - y`` and ``[h 1]``, whose norm is the product of
    theirs.

    Args:
        probabilities: ``(n, c)``.
        labels: rows with a single 1, ``(n, c)``.
        inputs: ``h``, what the last layer reads, ``(n, d)``.
    """
    norms: NDArray[np.float64] = error_norm(probabilities, labels) * np.sqrt((inputs * inputs).sum(axis=1) + 1.0)
    return norms


class Grand:
    """Score of ``x``: the mean over several early classifiers of the norm of the loss gradient by their last layer.

    An example with a large gradient moves the classifier most. The paper takes the gradient by all weights; here it is that of
    the last layer, in closed form, so no example is differentiated. The probe's representations all have length 1: under it
    GraNd is sqrt(2) times EL2N and picks the same examples. The two differ where the learner trains its representation. GraNd
    before any training, also in the paper, did not reproduce (Kirsch 2023), hence at least one epoch.

    Reference: Paul, Ganguli & Dziugaite 2021, "Deep learning on a data diet".

    Use when: as for ``el2n``, with a learner whose representations differ in length.
    Avoid when: labels are noisy, or the budget is small (see ``el2n``, and ``keep``).

    Args:
        learner: trains the classifiers.
        keep: ``"hard"``, as in the paper, ``"middle"`` (about the source's median) or ``"easy"``.
        epochs: trained before the gradient is taken, see ``el2n``.
        seeds: classifiers averaged over, as in the paper.
        seed: of the first.

    It costs what ``el2n`` costs.
    """

    needs: ClassVar[tuple[Need, ...]] = ("embeddings", "learner", "source labels")
    traits: ClassVar[tuple[Trait, ...]] = ("hard",)
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Paul et al. 2021; Kirsch 2023"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "gradient norm in early classifiers' last layer; the target is not looked at"
    summary_zh: ClassVar[str] = "训练早期分类器末层的梯度范数（不看目标域）"

    def __init__(self, learner: Learner, keep: Keep = "hard", epochs: int = 2, seeds: int = 10, seed: int = 0) -> None:
        check_runs("grand", epochs, seeds)
        self.learner, self.keep, self.epochs, self.seeds, self.seed = learner, keep, epochs, seeds, seed

    def fit(self, source: Domain, target: Target) -> Self:  # noqa: ARG002 (the target is not looked at)
        self._classes = source.classes
        self._scorers = early_scorers(self.learner, source, epochs=self.epochs, seeds=self.seeds, seed=self.seed)
        self._middle = float(np.median(self._difficulty(source)))
        return self

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """GraNd, ``(n,)``; its negative for ``keep="easy"``, minus the distance to the median for ``"middle"``."""
        return usefulness(self._difficulty(batch), self.keep, self._middle)

    def reasons(self, batch: Domain) -> list[str]:
        """The mean norm of the gradient."""
        return [f"gradient norm={value:.2f} after {self.epochs} epochs, {self.seeds} runs" for value in self._difficulty(batch)]

    def _difficulty(self, batch: Domain) -> NDArray[np.float64]:
        labels = label_rows(batch, self._classes, "grand")
        norms = [gradient_norm(scorer.predict_proba(batch), labels, scorer.represent(batch)) for scorer in self._scorers]
        return mean_over_runs(norms, len(batch))
