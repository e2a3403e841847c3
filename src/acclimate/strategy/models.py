"""Which base model suits the target: encoders ranked by what a few labelled examples say of their vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from acclimate.data.domain import Modality
from acclimate.data.split import k_folds
from acclimate.data.target import Target
from acclimate.errors import InputError, RunError
from acclimate.features.base import Embed
from acclimate.features.embeddings import Embedder
from acclimate.select.task.base import numbers
from acclimate.select.task.h_score import h_score
from acclimate.select.task.logme import logme
from acclimate.select.task.rank import kendall_w
from acclimate.select.task.resample import half_interval, shares_first, stratified_halves
from acclimate.select.task.transrate import transrate
from acclimate.tune.probe import Probe, unit_rows

#: The packaged encoders that read each kind of example.
PACKAGED: Mapping[Modality, tuple[str, ...]] = {
    "text": ("asset:minilm", "asset:e5-small"),
    "chat": ("asset:minilm", "asset:e5-small"),
    "image": ("asset:efficientnet-lite0",),
}
#: The scores of a model, the plainest first.
SCORES = ("probe", "logme", "h-score", "transrate")
FOLDS = 5

#: Unit-length features ``(n, d)`` and class numbers ``(n,)`` to a score.
_Measure = Callable[[NDArray[np.float64], NDArray[np.int64]], float]
_MEASURES: Mapping[str, _Measure] = {
    "logme": lambda features, labels: logme(features, labels, int(labels.max()) + 1),
    "h-score": h_score,
    "transrate": transrate,
}


@dataclasses.dataclass(frozen=True)
class ModelScore:
    """One score of one base model.

    Attributes:
        score: higher is better.
        low, high: a 95% interval over the labelled examples, from random halves of them.
        first: the share of resamples in which it scored best.
    """

    score: float
    low: float
    high: float
    first: float


@dataclasses.dataclass(frozen=True)
class ModelRanking:
    """What several scores say of the same base models.

    Attributes:
        target: name.
        examples: labelled examples that the scores were computed on.
        scores: by model, best first by the probe's accuracy, each with its scores by name (see :data:`SCORES`).
        dimensions: length of the vectors, by model.
        mean_rank: over the scores, by model; 1 is best.
        agreement: Kendall's W between the scores, None for one model.
        notes: how far to trust all this; models that could not be had.
    """

    target: str
    examples: int
    scores: Mapping[str, Mapping[str, ModelScore]]
    dimensions: Mapping[str, int]
    mean_rank: Mapping[str, float]
    agreement: float | None
    notes: tuple[str, ...]

    @property
    def best(self) -> str:
        """The model with the best cross-validated probe."""
        return next(iter(self.scores))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return dataclasses.asdict(self)


def rank_models(
    candidates: Sequence[str] | Mapping[str, Embed] | None,
    target: Target,
    *,
    resamples: int = 200,
    seed: int = 0,
) -> ModelRanking:
    """Rank base models for a target by the vectors that they give its labelled examples, without training any of them.

    The scores: accuracy of a probe in cross-validation, LogME, H-score (with a shrunk covariance) and TransRate. LEEP and NCE ask
    for the class probabilities of a source task, which an encoder does not have. The order is that of the probe: it is what a
    frozen model would reach, while the others are stand-ins made for when training a probe is too much work, which it is not here.

    Args:
        candidates: names of encoders (``asset:NAME``, a local folder or a hub name), or encoders by name; None takes the packaged
            ones that read the target's kind of example, and notes those that cannot be had.
        target: of which the labelled examples are seen, and nothing else.
        resamples: for the intervals.
        seed: of folds and resamples.

    Raises:
        InputError: no candidate, or fewer than two classes or two examples of a class among the labelled examples.
        RunError: a candidate that was named could not be fetched, or none of the packaged ones could.
    """
    labels = numbers(target.labelled.labels)
    folds = _folds(target, seed)
    vectors, notes = _vectors(candidates, target)
    drawn = stratified_halves(labels, resamples, seed)
    with threadpool_limits(1):  # the same bits whatever the number of threads
        tables = {name: _tables(unit_rows(rows), labels, folds, drawn) for name, rows in vectors.items()}
    scores = _scores(tables, taken=drawn.shape[1] / len(labels))
    order = sorted(scores, key=lambda name: (-scores[name]["probe"].score, -scores[name]["logme"].score, name))
    ranks = np.array([rankdata([-scores[name][score].score for name in order]) for score in SCORES])
    agreement = kendall_w(ranks) if len(order) > 1 else None
    ranked = {name: scores[name] for name in order}
    return ModelRanking(
        target.name,
        len(labels),
        ranked,
        {name: vectors[name].shape[1] for name in order},
        dict(zip(order, ranks.mean(axis=0).tolist(), strict=True)),
        agreement,
        (*notes, *_doubts(ranked, vectors, agreement, len(labels))),
    )


def _folds(target: Target, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    fewest = min((target.labelled.labels.count(name) for name in target.labelled.classes), default=0)
    if len(target.labelled.classes) < 2 or fewest < 2:
        raise InputError(
            f"Models cannot be ranked on the {len(target.labelled)} labelled examples of '{target.name}'",
            expected="at least two classes, and two examples of each",
            fix="label more examples",
        )
    return k_folds(target.labelled, min(FOLDS, fewest), seed)


def _vectors(
    candidates: Sequence[str] | Mapping[str, Embed] | None, target: Target
) -> tuple[dict[str, NDArray[np.float32]], list[str]]:
    """The vectors of the labelled examples by model, and a note for each packaged model that could not be had."""
    contents = target.labelled.contents
    problems: list[str] = []
    if isinstance(candidates, Mapping):
        found = {name: embed(contents) for name, embed in candidates.items()}
    elif candidates is not None:
        found = {name: Embedder(name)(contents) for name in candidates}
    else:
        found = {}
        for name in PACKAGED[target.labelled.modality]:
            try:
                found[name] = Embedder(name)(contents)
            except RunError as error:
                problems.append(f"{name} was left out: {error.found}")
        if not found:
            raise RunError(f"No packaged model could be had; {problems[0]}", fix="name a model of this machine: a local folder")
    if not found:
        raise InputError("No base model to rank", expected="at least one", fix="name models, or none for the packaged ones")
    return found, problems


def _tables(
    features: NDArray[np.float64],
    labels: NDArray[np.int64],
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    drawn: NDArray[np.int64],
) -> dict[str, tuple[float, NDArray[np.float64]]]:
    """Each score over all examples, and over each half of them ``(b,)``.

    The probe's halves are of its held-out predictions: they tell how far other examples to measure on would move the
    figure, not how far other examples to learn from would.
    """
    right = np.zeros(len(labels))
    for train, held in folds:
        probe = Probe().fit(features[train], labels[train], int(labels.max()) + 1)
        right[held] = probe.predict_proba(features[held]).argmax(axis=1) == labels[held]
    tables = {"probe": (float(right.mean()), right[drawn].mean(axis=1))}
    for name, measure in _MEASURES.items():
        again = np.array([measure(features[rows], labels[rows]) for rows in drawn])
        tables[name] = measure(features, labels), again
    return tables


def _scores(
    tables: Mapping[str, Mapping[str, tuple[float, NDArray[np.float64]]]], taken: float
) -> dict[str, dict[str, ModelScore]]:
    scores: dict[str, dict[str, ModelScore]] = {name: {} for name in tables}
    for score in SCORES:
        first = shares_first(np.array([table[score][1] for table in tables.values()]))
        for (name, table), share in zip(tables.items(), first.tolist(), strict=True):
            value, again = table[score]
            scores[name][score] = ModelScore(value, *half_interval(value, again, taken), share)
    return scores


def _doubts(
    scores: Mapping[str, Mapping[str, ModelScore]],
    vectors: Mapping[str, NDArray[np.float32]],
    agreement: float | None,
    examples: int,
) -> list[str]:
    """What makes the ranking unreliable, in words."""
    said = []
    best = next(iter(scores))
    if len(scores) > 1 and scores[best]["probe"].first < 0.95:
        said.append(f"{best} has the best probe in {scores[best]['probe'].first:.0%} of resamples only: the order may be chance")
    if examples < 50:
        said.append(f"{examples} labelled examples: every score here moves a lot with other examples")
    winners = {score: max(scores, key=lambda name: scores[name][score].score) for score in SCORES}
    others = [f"{score} prefers {name}" for score, name in winners.items() if name != best]
    if others and agreement is not None:
        said.append(f"the scores disagree (Kendall's W {agreement:.2f}): {', '.join(others)}")
    if len({rows.shape[1] for rows in vectors.values()}) > 1:
        said.append("the models' vectors differ in length: H-score and TransRate rise with it and should not decide")
    said.append("all of this is about frozen vectors: a model that is fine-tuned may end elsewhere")
    return said
