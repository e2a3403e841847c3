"""`centroid`, `herding` and `transport` against naive loops, POT's plan and the kernels of the features floor."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics.pairwise import cosine_similarity

from acclimate.data.domain import Domain, from_columns
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError, MissingExtraError
from acclimate.features.kernels import mmd2_biased, rbf
from acclimate.select.similarity.centroid import Centroid
from acclimate.select.similarity.herding import Herding, herd, rbf_of_cosines
from acclimate.select.similarity.knn import Knn
from acclimate.select.similarity.transport import Transport, log_mass, target_potentials

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(60, 6)).astype(np.float32)
VECTORS[:15] += np.array([3, 0, 0, 0, 0, 0], dtype=np.float32)
VECTORS[45:] += np.array([3, 0, 0, 0, 0, 0], dtype=np.float32)
POOL = from_columns("pool", [str(row) for row in range(45)])
WANTED = from_columns("t", [str(row) for row in range(45, 60)], ["a", "b", "b"] * 5)


def embed(contents: Sequence[str]) -> NDArray[np.float32]:
    """A text is the number of its vector."""
    return VECTORS[[int(text) for text in contents]]


def target_of(domain: Domain) -> Target:
    return Target("t", domain, domain.take([]).without_labels(), Sealed(domain, "test"), domain.classes)


def cosines(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(cosine_similarity(one.astype(np.float64), other.astype(np.float64)))


def test_centroid_is_the_mean_cosine_to_the_target_minus_that_to_the_pool() -> None:
    own, wanted = VECTORS[:45], VECTORS[45:]
    selector = Centroid(embed, contrast=0.5).fit(POOL, target_of(WANTED))
    expected = cosines(own, wanted).mean(axis=1) - 0.5 * cosines(own, own).mean(axis=1)
    assert selector.score(POOL) == pytest.approx(expected, abs=1e-6)


def test_without_contrast_centroid_ranks_by_the_cosine_to_the_centroid() -> None:
    units = VECTORS[45:] / np.linalg.norm(VECTORS[45:], axis=1, keepdims=True)
    scores = Centroid(embed, contrast=0).fit(POOL, target_of(WANTED)).score(POOL)
    assert np.argsort(scores).tolist() == np.argsort(cosines(VECTORS[:45], units.mean(axis=0)[None])[:, 0]).tolist()


def test_neighbours_can_be_contrasted_with_the_pool_as_centroids_are() -> None:
    own, wanted = VECTORS[:45], VECTORS[45:]
    scores = Knn(embed, k=15, contrast=0.5).fit(POOL, target_of(WANTED)).score(POOL)  # all 15: the centroid
    expected = cosines(own, wanted).mean(axis=1) - 0.5 * cosines(own, own).mean(axis=1)
    assert scores == pytest.approx(expected, abs=1e-6)


def test_a_centre_for_each_class_takes_the_nearest_one() -> None:
    selector = Centroid(embed, centres="classes", contrast=0).fit(POOL, target_of(WANTED))
    labels = np.array(WANTED.labels)
    by_class = [cosines(VECTORS[:45], VECTORS[45:][labels == name]).mean(axis=1) for name in ("a", "b")]
    assert selector.score(POOL) == pytest.approx(np.maximum(*by_class), abs=1e-6)
    nearest = "ab"[int(by_class[1][0] > by_class[0][0])]
    assert f"class '{nearest}'" in selector.reasons(POOL)[0]


def test_two_clusters_far_apart_each_get_a_centre() -> None:
    """Between two opposite clusters their common centroid points nowhere."""
    points = np.array([[5, 0.1], [5, -0.1], [-5, 0.1], [-5, -0.1], [0.1, 5], [1, 0], [-1, 0]], dtype=np.float32)
    texts = from_columns("two", [str(row) for row in range(4)], ["a"] * 4)
    pool = from_columns("p", ["4", "5", "6"])
    selector = Centroid(lambda contents: points[[int(text) for text in contents]], centres="clusters", clusters=2, contrast=0)
    assert selector.fit(pool, target_of(texts)).score(pool) == pytest.approx([0.02, 1, 1], abs=0.01)


def test_centres_of_classes_without_a_label_are_an_input_error() -> None:
    bare = WANTED.without_labels()
    target = Target("t", bare.take([]), bare, Sealed(WANTED, "test"), ("a", "b"))
    with pytest.raises(InputError, match="no labelled example"):
        Centroid(embed, centres="classes").fit(POOL, target)


def naive_herding(kernel: NDArray[np.float64], towards: NDArray[np.float64], steps: int) -> list[int]:
    """Each step tries every row left and takes the one with the smallest discrepancy to the target; ``k(x, x)`` is 1 for all."""
    picked: list[int] = []
    for _ in range(steps):
        costs = np.full(len(towards), np.inf)
        for row in set(range(len(towards))) - set(picked):
            some = [*picked, row]
            costs[row] = kernel[np.ix_(some, some)].mean() - 2 * towards[some].mean()
        picked.append(int(costs.argmin()))
    return picked


def test_herding_takes_at_each_step_what_lowers_the_discrepancy_most() -> None:
    kernel = np.exp(cosines(VECTORS[:45], VECTORS[:45]) - 1)
    towards = np.exp(cosines(VECTORS[:45], VECTORS[45:]) - 1).mean(axis=1)
    picked, witness = herd(towards, lambda rows: kernel[rows], 45)
    assert picked == naive_herding(kernel, towards, 45)
    assert witness == pytest.approx(towards - kernel.sum(axis=1) / 46)


def test_the_kernel_of_cosines_is_the_rbf_kernel_of_unit_vectors() -> None:
    units = torch.from_numpy(VECTORS[:9] / np.linalg.norm(VECTORS[:9], axis=1, keepdims=True)).double()
    expected = rbf(0.7)(torch.cdist(units, units).square())
    assert rbf_of_cosines(0.7)((units @ units.T).numpy()) == pytest.approx(expected.numpy(), abs=1e-6)


def test_a_herded_pick_is_closer_to_the_target_than_the_nearest_examples_are() -> None:
    kernel = rbf_of_cosines(0.3)

    def discrepancy(rows: NDArray[np.int64]) -> float:
        sides = VECTORS[rows], VECTORS[45:]
        matrices = [torch.from_numpy(kernel(cosines(x, y))) for x, y in ((sides[0],) * 2, (sides[1],) * 2, sides)]
        return float(mmd2_biased(*matrices))

    target = target_of(WANTED)
    best = {
        selector: np.argsort(-selector.fit(POOL, target).score(POOL))[:12]
        for selector in (Herding(embed, width=0.3), Centroid(embed))
    }
    herded, nearest = (discrepancy(rows) for rows in best.values())
    assert herded < nearest


def test_herding_does_not_depend_on_the_order_of_the_source_and_ranks_the_rest_by_the_gradient() -> None:
    forward = Herding(embed, steps=5).fit(POOL, target_of(WANTED))
    backward = Herding(embed, steps=5).fit(POOL.take(np.arange(44, -1, -1)), target_of(WANTED))
    assert forward.score(POOL).tobytes() == backward.score(POOL).tobytes()
    order = np.argsort(-forward.score(POOL))
    reasons = forward.reasons(POOL)
    assert [reasons[row].split()[0] for row in order[:5]] == [f"step={step}" for step in range(1, 6)]
    gradients = [float(reasons[row].split()[0].removeprefix("gradient=")) for row in order[5:]]
    assert gradients == sorted(gradients, reverse=True)


def test_a_linear_kernel_follows_the_mean_alone() -> None:
    scores = Herding(embed, kernel="linear", steps=1).fit(POOL, target_of(WANTED)).score(POOL)
    assert scores.argmax() == cosines(VECTORS[:45], VECTORS[45:]).mean(axis=1).argmax()


@pytest.mark.parametrize("relaxation", [0.0, 0.3, 5.0])
def test_masses_are_the_row_sums_of_pots_semi_relaxed_plan(relaxation: float) -> None:
    import ot

    costs = 1 - cosines(VECTORS[:45], VECTORS[45:])
    plan = ot.unbalanced.sinkhorn_unbalanced(
        np.full(45, 1 / 45), np.full(15, 1 / 15), costs, 0.1, (relaxation, float("inf")), numItermax=5000, stopThr=1e-12
    )
    assert plan.sum(axis=0) == pytest.approx(1 / 15)
    potentials = target_potentials(costs, 0.1, relaxation)
    masses = np.exp(log_mass(costs, potentials, 0.1, relaxation))
    assert masses / 45 == pytest.approx(plan.sum(axis=1), rel=1e-4)


def test_masses_of_the_whole_pool_add_up_to_the_targets() -> None:
    scores = Transport(embed).fit(POOL, target_of(WANTED)).score(POOL)
    assert np.exp(scores).mean() == pytest.approx(1, rel=1e-4)
    assert set(np.argsort(-scores)[:10].tolist()) <= set(range(15))


def test_a_drawn_part_of_the_pool_gives_nearly_the_scores_of_all_of_it() -> None:
    whole, part = (Transport(embed, source_rows=rows).fit(POOL, target_of(WANTED)).score(POOL) for rows in (45, 30))
    assert np.corrcoef(whole, part)[0, 1] > 0.98


def test_one_far_outlier_and_little_entropy_leave_the_masses_finite() -> None:
    costs = np.full((40, 3), 1e-3)
    costs[0] = 9.0
    potentials = target_potentials(costs, 0.001, 0.1)
    assert np.isfinite(log_mass(costs, potentials, 0.001, 0.1)).all()


def test_without_pot_transport_says_which_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(MissingExtraError, match=r"acclimate\[ot\]"):
        Transport(embed).fit(POOL, target_of(WANTED))


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (Knn, {"contrast": -1}),
        (Centroid, {"centres": "many"}),
        (Centroid, {"clusters": 0}),
        (Herding, {"width": 0}),
        (Herding, {"steps": 0}),
        (Transport, {"entropy": 0}),
        (Transport, {"relaxation": -1}),
    ],
)
def test_settings_that_mean_nothing_are_refused(method: type, settings: dict) -> None:
    with pytest.raises(InputError, match="with"):
        method(embed, **settings)
