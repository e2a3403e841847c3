"""`confusion`: the learned space keeps what tells labels apart and loses what tells domains apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from acclimate.data.domain import from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.features.kernels import median_bandwidth, mmd2_biased, rbf, squared_distances
from acclimate.select.similarity.confusion import Confusion, confused_map

RNG = np.random.default_rng(0)
LABELS = np.tile([0, 1], 60)
#: Axis 0 tells labels apart, axis 1 domains, the others nothing.
SOURCE, TARGET = RNG.normal(size=(120, 5)) * 0.3, RNG.normal(size=(80, 5)) * 0.3
SOURCE[:, 0] += np.where(LABELS == 1, 1.0, -1.0)
TARGET[:, 0] += np.tile([-1.0, 1.0], 40)
SOURCE[:, 1] += 1.0
TARGET[:, 1] -= 1.0
MEAN = np.concatenate([SOURCE, TARGET]).mean(axis=0)
SETTINGS = {"width": 4, "steps": 60, "rate": 0.04, "batch_size": 64, "seed": 0}


def learned(confusion: float, keep: float) -> NDArray[np.float64]:
    return confused_map(SOURCE - MEAN, LABELS, TARGET - MEAN, confusion=confusion, keep=keep, **SETTINGS)


def discrepancy(layer: NDArray[np.float64]) -> float:
    x, y = (torch.from_numpy((side - MEAN) @ layer.T) for side in (SOURCE, TARGET))
    both = torch.cat([x, y])
    kernel = rbf(median_bandwidth(squared_distances(both, both)))
    return float(mmd2_biased(*(kernel(squared_distances(a, b)) for a, b in ((x, x), (y, y), (x, y)))))


def gain(layer: NDArray[np.float64], axis: int) -> float:
    """How much of an axis the map lets through."""
    return float(np.linalg.norm(layer[:, axis]))


def test_confusion_hides_the_domain_and_keeps_the_labels() -> None:
    plain, confused = learned(0.0, 0.1), learned(5.0, 0.1)
    assert discrepancy(confused) < 0.2 * discrepancy(plain)
    assert gain(confused, 1) < 0.5 * gain(plain, 1)
    assert gain(confused, 0) > 1


def test_without_labels_to_learn_and_confusion_the_map_stays_with_the_principal_components() -> None:
    layer = confused_map(SOURCE - MEAN, np.zeros(120, dtype=np.int64), TARGET - MEAN, confusion=0.0, keep=1.0, **SETTINGS)
    centred = np.concatenate([SOURCE, TARGET]) - MEAN
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    best = ((centred - centred @ directions[:4].T @ directions[:4]) ** 2).sum()
    assert ((centred - centred @ layer.T @ layer) ** 2).sum() < 1.1 * best


def test_what_the_map_forgets_costs() -> None:
    centred = np.concatenate([SOURCE, TARGET]) - MEAN
    lost = [((centred - centred @ layer.T @ layer) ** 2).sum() for layer in (learned(5.0, 0.0), learned(5.0, 1.0))]
    assert lost[1] < lost[0]


def selector_on_vectors(vectors: NDArray[np.float64], labels: list[str], wanted: int, **settings: float) -> NDArray[np.float64]:
    """Scores of all but the last ``wanted`` rows, which are the target."""

    def embed(contents: Sequence[str]) -> NDArray[np.float32]:
        return vectors[[int(text) for text in contents]].astype(np.float32)

    names = [str(row) for row in range(len(vectors))]
    pool, part = from_columns("p", names[:-wanted], labels), from_columns("t", names[-wanted:], ["a"] * wanted)
    target = Target("t", part, part.take([]).without_labels(), Sealed(part, "test"), ("a",))
    scores = Confusion(embed, steps=60, **settings).fit(pool, target).score(pool)
    backward = Confusion(embed, steps=60, **settings).fit(pool.take(np.arange(len(pool) - 1, -1, -1)), target).score(pool)
    assert scores.tobytes() == backward.tobytes()
    return scores


def test_examples_of_the_targets_class_are_nearer_than_those_of_the_other_whatever_their_domain() -> None:
    """The target is of one class; the whole pool stands apart from it on axis 1."""
    vectors = np.concatenate([SOURCE, TARGET[1::2]])
    scores = selector_on_vectors(vectors, ["ab"[label] for label in LABELS], 40)
    assert np.median(scores[LABELS == 1]) > np.quantile(scores[LABELS == 0], 0.95)


@pytest.mark.parametrize("labels", [["a"] * 10, ["a", "b"] * 5])
def test_a_pool_of_one_class_or_of_equal_vectors_scores_finitely(labels: list[str]) -> None:
    assert np.isfinite(selector_on_vectors(SOURCE[:20], labels, 10)).all()
    assert np.isfinite(selector_on_vectors(np.ones((20, 5)), labels, 10)).all()
    assert np.isfinite(selector_on_vectors(np.zeros((20, 5)), labels, 10)).all()


@pytest.mark.parametrize("settings", [{"k": 0}, {"width": 0}, {"rate": 0}, {"confusion": -1}, {"keep": -1}, {"steps": 0}])
def test_settings_that_mean_nothing_are_refused(settings: dict) -> None:
    with pytest.raises(InputError, match="confusion with"):
        Confusion(lambda contents: np.zeros((len(contents), 2), np.float32), **settings)
