"""LESS: source examples whose gradient points where that of the target's examples does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from acclimate.data.domain import Domain, Modality
from acclimate.data.target import Target
from acclimate.errors import InputError, unknown_name
from acclimate.models.causal import CausalModel
from acclimate.select.base import Learner, Need, Scorer, Trait
from acclimate.select.importance.difficulty import by_id, label_rows
from acclimate.select.importance.gradient_rows import GradientRows, PlainRows, loss_gradients, row_lengths

if TYPE_CHECKING:  # loads torch
    from acclimate.features.gradients import LoraGradients

Features = Literal["classifier", "lora"]


def task_directions(gradients: GradientRows, tasks: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean gradient of each task's examples, scaled to length 1, ``(k, p)``; zero where the mean is.

    Args:
        gradients: of ``m`` target examples.
        tasks: of each, ``(m,)``, 0 to k - 1.
    """
    means = np.stack([gradients.combined((tasks == task) / (tasks == task).sum()) for task in range(int(tasks.max()) + 1)])
    lengths = row_lengths(means)[:, None]
    return np.divide(means, lengths, out=np.zeros_like(means), where=lengths > 0)


def cosines(gradients: GradientRows, directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosines of gradients with directions of length 1, ``(n, k)``; 0 where a gradient is zero."""
    lengths = gradients.lengths()[:, None]
    products = gradients.products(directions)
    return np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)


class Gradient:
    """Score of ``z``: how well a step on ``z`` serves the target, ``max_j mean_i cos(g_ij, g_i(z))``.

    ``g_ij`` is the mean gradient of the examples of target task ``j``, ``g_i(z)`` that of ``z``, both at model ``i``. The mean
    runs over the models ``i`` along a training on the source, the maximum over the target's tasks ``j`` (Xia et al. 2024,
    definition 3.1 and section 4.2). Two kinds of gradients:

    - ``features="classifier"``: of the last layer of a classifier that ``learner`` trains on the source, in closed form,
      ``(p - y) h'``. Tasks are the target's classes. Its steps are those of plain gradient descent at one rate: every model
      counts the same, and no preconditioning is called for (the paper's equation for SGD).
    - ``features="lora"``: of the loss of the language model on the text or conversation itself, in low-rank factors, sketched.
      Needs no labels. Tasks are the target's domains where it has several. ``adapter`` and ``adam`` bring a warm-up: gradients
      are then taken at the adapter, and those of the source turned into the steps that Adam would take (the paper's equation for
      Adam).

    Reference: Xia, Malladi, Gururangan, Arora & Chen 2024, "LESS: Selecting influential data for targeted instruction tuning".

    Use when: what an example teaches matters more than what it is about: labels or answers that agree with the target's.
    Avoid when: the target has few labels, whose mean gradient is noise, and a cheaper method knows what is alike. Keeping 20% of
        the other three ICWSM domains beside 100 target labels, the probe reaches 77.5% with ``"classifier"`` (mean of 4 targets,
        3 seeds), where random picks give 79.1 and the method ``classifier`` 79.5.

    Args:
        learner: trains the classifier.
        language_model: whose gradients ``"lora"`` takes.
        features: see above.
        epochs: models along the classifier's training; 4 as in the paper.
        rank: of a fresh adapter. 8 here, 128 in the paper, whose models are fifty times as large.
        dim: length of sketches; 8,192 as in the paper. With ``adam`` take 65,536: scores of steps lie close together (see
            :class:`acclimate.features.gradients.LoraGradients`).
        adapter: folder of an adapter that peft trained on some of the source; the paper takes 5% of it, 4 epochs.
        adam: the optimiser's state after that training: ``optimizer.pt`` or safetensors, see
            :func:`acclimate.features.adam.read_adam`.
        seed: of the training, or of a fresh adapter.

    Cost: fitting and scoring 16,000 examples with vectors of length 384 takes 1 CPU second; ``"lora"`` one forward and backward
        pass of the
    language model for each example, about a second for 128 tokens of SmolLM2 on one core, remembered on disk.
    """

    needs: ClassVar[tuple[Need, ...]] = ("embeddings", "learner", "source labels", "target labels")
    traits: ClassVar[tuple[Trait, ...]] = ("adjusts",)
    extra: ClassVar[str] = ""
    paper: ClassVar[str] = "Xia et al. 2024"
    modality: ClassVar[tuple[Modality, ...]] = ("text", "image", "chat")
    summary: ClassVar[str] = "cosine of an example's gradient with the target's mean gradient"
    summary_zh: ClassVar[str] = "样本梯度与目标域平均梯度的余弦相似度"

    def __init__(
        self,
        learner: Learner | None = None,
        language_model: CausalModel | None = None,
        features: Features = "classifier",
        epochs: int = 4,
        rank: int = 8,
        dim: int = 8192,
        adapter: str | None = None,
        adam: str | None = None,
        seed: int = 0,
    ) -> None:
        check_features(features)
        if epochs < 1:
            raise InputError(f"gradient with epochs={epochs}", expected="at least 1 epoch", fix="leave the default")
        self.learner, self.language_model, self.features = learner, language_model, features
        self.epochs, self.rank, self.dim, self.seed = epochs, rank, dim, seed
        self.adapter, self.adam = adapter, adam
        self._scorers: list[Scorer] = []

    @property
    def needed(self) -> tuple[Need, ...]:
        """A language model alone, or what the classifier's gradients take."""
        return needed_for(self.features)

    def fit(self, source: Domain, target: Target) -> Self:
        if self.features == "lora":
            return self._fit_language_model(target)
        if self.learner is None or not target.labelled.is_labelled:
            raise labels_missing("gradient", target)
        self._classes = tuple(sorted({*source.classes, *target.labelled.classes}))
        rows = training_rows(source, target)
        self._scorers = list(self.learner.trajectory(rows, self._classes, epochs=self.epochs, seed=self.seed))
        self._tasks: Sequence[str] = target.labelled.classes
        labels = label_rows(target.labelled, self._classes, "gradient")
        tasks = label_rows(target.labelled, self._tasks, "gradient").argmax(axis=1)
        with threadpool_limits(1):  # sums over examples round alike whatever the number of threads
            self._directions = [task_directions(loss_gradients(scorer, target.labelled, labels), tasks) for scorer in self._scorers]
        return self

    def _fit_language_model(self, target: Target) -> Self:
        inputs = target.inputs
        several = any("domain" in part.table.column_names for part in (target.labelled, target.unlabelled))
        names = inputs.domains if several else [target.name] * len(inputs)
        self._tasks = sorted(set(names))
        tasks = np.array([self._tasks.index(name) for name in names], dtype=np.int64)
        rows = PlainRows(self._sketches(as_steps=False)(inputs).astype(np.float64))
        with threadpool_limits(1):
            self._directions = [task_directions(rows, tasks)]
        self._source_sketches = self._sketches(as_steps=True)
        return self

    def score(self, batch: Domain) -> NDArray[np.float64]:
        """The largest mean cosine over the target's tasks, ``(n,)``, in [-1, 1]; 0 where an example has no gradient."""
        best: NDArray[np.float64] = self._cosines(batch).max(axis=1)
        return best

    def reasons(self, batch: Domain) -> list[str]:
        """The task that the gradient serves most, and its cosine."""
        kind = "target" if self.features == "lora" else "class"
        found = self._cosines(batch)
        return [f"{kind}={self._tasks[row.argmax()]} cosine={row.max():.2f}".replace("\n", " ") for row in found]

    def _cosines(self, batch: Domain) -> NDArray[np.float64]:
        """Cosines with each task, mean over models, ``(n, k)``."""
        if not len(batch):
            return np.zeros((0, len(self._tasks)))
        if self.features == "lora":
            return cosines(PlainRows(self._source_sketches(batch).astype(np.float64)), self._directions[0])
        labels = label_rows(batch, self._classes, "gradient")
        total = np.zeros((len(batch), len(self._tasks)))
        for scorer, directions in zip(self._scorers, self._directions, strict=True):
            total += cosines(loss_gradients(scorer, batch, labels), directions)
        return total / len(self._scorers)

    def _sketches(self, *, as_steps: bool) -> LoraGradients:
        return lora_gradients(
            self.language_model,
            rank=self.rank,
            dim=self.dim,
            adapter=self.adapter,
            seed=self.seed,
            adam=self.adam,
            as_steps=as_steps,
        )


def training_rows(source: Domain, target: Target) -> Domain:
    """What the classifier whose gradients are taken learns from: the source, in an order of its own.

    A source of one class teaches no classifier; the target's labelled examples then do.
    """
    return by_id(source if len(source.classes) > 1 else target.labelled)


def lora_gradients(
    model: CausalModel | None,
    *,
    rank: int,
    dim: int,
    adapter: str | None,
    seed: int,
    adam: str | None = None,
    as_steps: bool = True,
) -> LoraGradients:
    """The sketched gradients of a language model, as selectors take them: alpha twice the rank."""
    from acclimate.features.gradients import LoraGradients

    if model is None:
        raise no_language_model()
    return LoraGradients(model, rank=rank, alpha=2 * rank, dim=dim, adapter=adapter, adam=adam, as_steps=as_steps, seed=seed)


def check_features(features: str) -> None:
    """Raises InputError: unknown features."""
    if features not in ("classifier", "lora"):
        raise unknown_name("kind of features", features, ("classifier", "lora"))


def needed_for(features: Features) -> tuple[Need, ...]:
    """What gradients of each kind take."""
    return ("language model",) if features == "lora" else Gradient.needs


def no_language_model() -> InputError:
    """The error where ``features="lora"`` has no model to take gradients of."""
    return InputError(
        "features='lora' without a language model",
        expected="the causal language model whose gradients are to be compared",
        fix="name one, language_model='asset:smollm2', or use features='classifier'",
    )


def labels_missing(method: str, target: Target) -> InputError:
    """The error where ``features="classifier"`` finds no labels to compare with."""
    return InputError(
        f"'{method}' found no labelled examples in the target '{target.name}'",
        expected="labelled target examples",
        fix="label some, or use features='lora' with a language model",
    )
