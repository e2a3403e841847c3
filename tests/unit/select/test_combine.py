"""Several selectors as one: the merging against its definition, the cascade, members by name and with settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gmean, rankdata
from test_selector_contract import make_pool, make_target, tools

from acclimate.cli.options import parse_settings
from acclimate.errors import InputError
from acclimate.recipe import parse_recipe
from acclimate.select import METHODS
from acclimate.select.base import Selector
from acclimate.select.combine import rank_average, rank_product, survivors_of
from acclimate.select.run import select

RECIPE = """
model: tiny
source: {path: pool.csv}
target: {path: target.csv}
arms:
  - select: {method: combine, methods: [classifier, {method: knn, %s: 3}], how: cascade, survivors: 0.5}
"""


def _scores(method: str, **settings: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    return select(make_pool(), make_target(), method=method, tools=tools(), **settings).scores


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_ranks_are_merged_as_defined_and_equal_rows_stay_equal(pairs: list[tuple[int, int]]) -> None:
    both = np.array(pairs, dtype=np.float64).T
    shares = np.stack([rankdata(one) / len(pairs) for one in both])
    assert np.allclose(rank_average(both), shares.mean(axis=0))
    assert np.allclose(rank_product(both), gmean(shares, axis=0))
    for merged in (rank_average(both), rank_product(both)):
        for first, one in zip(pairs, merged, strict=True):
            assert {value for second, value in zip(pairs, merged, strict=True) if second == first} == {one}


def test_survivors_are_the_best_share_and_those_that_tie_with_its_last() -> None:
    scores = np.array([5.0, 1, 4, 4, 0, 2, 3, 4])
    assert survivors_of(scores, 0.25).tolist() == [0, 2, 3, 7]
    assert survivors_of(scores, 0.001).tolist() == [0]
    assert survivors_of(scores, 1.0).tolist() == list(range(8))
    assert survivors_of(scores[:0], 0.5).tolist() == []


def test_the_average_is_that_of_its_members() -> None:
    members = [_scores("classifier"), _scores("knn", k=3)]
    both = _scores("combine", methods=["classifier", {"method": "knn", "k": 3}])
    assert both.tobytes() == rank_average(members).tobytes()
    assert _scores("combine", methods=["classifier", (("k", 3), ("method", "knn"))]).tobytes() == both.tobytes()
    assert _scores("combine", methods=["classifier", {"method": "knn", "k": 3}], how="product").tobytes() == (
        rank_product(members).tobytes()
    )


def test_a_cascade_asks_the_second_member_about_survivors_only_and_ranks_the_others_below() -> None:
    pool, first = make_pool(), _scores("classifier")
    picked = select(
        pool, make_target(), method="combine", methods=["classifier", "dsir"], how="cascade", tools=tools(), budget="100%"
    )
    alive = survivors_of(first, 0.3)
    dropped = np.setdiff1d(np.arange(len(pool)), alive)
    by_id = sorted(alive.tolist(), key=pool.ids.__getitem__)
    second = select(pool.take(by_id), make_target(), method="dsir", tools=tools()).scores
    assert np.array_equal(rankdata(picked.scores[by_id]), rankdata(second))
    assert np.array_equal(rankdata(picked.scores[dropped]), rankdata(first[dropped]))
    assert picked.scores[alive].min() > 1 >= picked.scores[dropped].max()
    reasons = dict(zip(picked.indices.tolist(), picked.reasons, strict=True))
    assert all("; dsir " in reasons[row] for row in alive)
    assert all(reasons[row].startswith("classifier ") and "dsir" not in reasons[row] for row in dropped)


def test_a_combination_can_be_a_member() -> None:
    inner = {"method": "combine", "methods": ["dsir", "knn"]}
    scores = _scores("combine", methods=["classifier", inner])
    assert scores.tobytes() == rank_average([_scores("classifier"), _scores("combine", methods=["dsir", "knn"])]).tobytes()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["classifier", "knnn"], "did you mean 'knn'"),
        (["classifier", {"method": "knn", "kk": 3}], "no setting 'kk'.*did you mean 'k'"),
        (["classifier", {"method": "knn", "k": 0}], "knn with k=0"),
        (["classifier", {"k": 3}], "the name under 'method'"),
        (["knn"], "at least 2 methods"),
        ("classifier", "'methods' of the selector 'combine'"),
    ],
)
def test_a_mistake_in_a_member_is_said_before_anything_is_fitted(wrong: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        _scores("combine", methods=wrong)


def test_a_member_that_cannot_serve_is_named() -> None:
    with pytest.raises(InputError, match="'el2n' cannot serve here: the source has examples without a label"):
        select(make_pool().without_labels(), make_target(), method="combine", methods=["classifier", "el2n"], tools=tools())


def test_members_with_settings_survive_a_recipe_and_the_command_line() -> None:
    spec = parse_recipe(RECIPE % "k").arms[0].select
    assert spec is not None
    assert _scores(spec.method, **spec.settings).tobytes() == (
        _scores(
            "combine", **parse_settings(["methods=[classifier, {method: knn, k: 3}]", "how=cascade", "survivors=0.5"])
        ).tobytes()
    )
    with pytest.raises(InputError, match=r"line 6: arms.0.select.methods: .*no setting 'kay'"):
        parse_recipe(RECIPE % "kay")


def test_every_listed_method_can_be_a_member() -> None:
    """Nothing is fitted: members are built, each with its defaults and what the box provides."""
    build: type[Selector] = METHODS["combine"]
    for name in METHODS:
        assert build(tools=tools(), methods=[name, "random"])  # type: ignore[call-arg]
