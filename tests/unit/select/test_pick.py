"""How rows are taken after scoring: each way against its definition, and all of them together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from acclimate.data.domain import Domain, from_columns, from_images
from acclimate.data.images import encoded
from acclimate.data.target import Sealed, Target
from acclimate.errors import InputError
from acclimate.select.base import Toolbox
from acclimate.select.budget import Budget
from acclimate.select.facility_location import coverage, facility_location
from acclimate.select.gumbel import gumbel_keys
from acclimate.select.k_center import k_center
from acclimate.select.pick import Pick
from acclimate.select.quotas import fill

HOWS = ["top", "gumbel", "facility-location", "k-center"]


def _vectors(contents: Sequence[Any]) -> NDArray[np.float32]:
    """A point on the circle for each text, its angle in degrees being the text's number."""
    angles = np.radians([float(str(text).split()[-1]) for text in contents])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def _target(texts: list[str]) -> Target:
    domain = from_columns("ward", texts, ["x"] * len(texts))
    return Target("ward", domain, domain.take([]).without_labels(), Sealed(domain.take([]), "test"), ("x",))


def _pool(count: int = 30, seed: int = 0) -> tuple[Domain, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    texts = [f"text number {angle}" for angle in rng.choice(360, count, replace=False)]
    labels = [("a", "b", "c")[k] for k in rng.choice(3, count, p=[0.6, 0.3, 0.1])]
    domains = [("shop", "bank")[k] for k in rng.choice(2, count)]
    return from_columns("pool", texts, labels, domains=domains), rng.normal(size=count)


def _take(
    pick: Any, budget: str, scores: NDArray[np.float64], source: Domain, *, seed: int = 0, **kept: Any
) -> tuple[list[int], tuple[str, ...]]:
    tools = Toolbox(_vectors, seed)
    rows, notes = Pick.parse(pick).take(Budget.parse(budget), scores, source, _target(["near 10", "near 200"]), tools=tools, **kept)
    return rows.tolist(), notes


def _placket_luce(scores: list[float], k: int) -> NDArray[np.float64]:
    """The chance of each row to be among ``k`` draws without replacement, by adding up every order of drawing."""
    odds, chances = np.exp(scores), np.zeros(len(scores))
    for drawn in itertools.permutations(range(len(scores)), k):
        left, chance = odds.sum(), 1.0
        for row in drawn:
            chance *= odds[row] / left
            left -= odds[row]
        chances[list(drawn)] += chance
    return chances


def test_gumbel_draws_rows_with_the_exact_chances_of_drawing_without_replacement() -> None:
    scores = np.array([0.0, 1.0, -1.0, 0.5, 2.0])
    ids = [f"row {row}" for row in range(5)]
    draws = np.zeros(5)
    for seed in range(4000):
        draws[np.argsort(-gumbel_keys(scores, ids, seed=seed, temperature=2.0))[:2]] += 1
    assert np.abs(draws / 4000 - _placket_luce((scores / 2).tolist(), 2)).max() < 0.025  # three standard errors


def test_a_low_temperature_is_the_top_and_a_high_one_a_draw_that_is_noted() -> None:
    source, scores = _pool()
    top, _ = _take("top", "8", scores, source)
    assert _take({"how": "gumbel", "temperature": 1e-6}, "8", scores, source) == (top, ())
    drawn, notes = _take({"how": "gumbel", "temperature": 1e3}, "8", scores, source)
    assert set(drawn) != set(top)
    assert "close to random; try temperature=1" in notes[0]


def test_facility_location_is_what_the_naive_greedy_algorithm_picks_and_within_its_bound() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        similarities, values = rng.normal(size=(9, 7)), rng.random(9)

        def worth(rows: Sequence[int], similarities: Any = similarities, values: Any = values) -> float:
            return 0.6 * coverage(similarities[list(rows)]) + 0.4 * float(values[list(rows)].sum()) / 3

        lazy = list(facility_location(similarities, values, tradeoff=0.6, count=3))
        naive: list[int] = []
        for _ in range(9):
            left = [row for row in range(9) if row not in naive]
            naive.append(max(left, key=lambda row: (round(worth([*naive, row]), 12), -row)))
        assert lazy == naive
        best = max(worth(rows) for rows in itertools.combinations(range(9), 3))
        assert worth(lazy[:3]) >= (1 - 1 / np.e) * best


def test_k_center_is_farthest_first_and_at_most_twice_the_best_radius() -> None:
    for seed in range(20):
        points = np.random.default_rng(seed).normal(size=(10, 3))
        units = points / np.linalg.norm(points, axis=1, keepdims=True)
        distances = np.linalg.norm(units[:, None] - units[None], axis=2)
        order = list(k_center(units))
        naive = [0]
        while len(naive) < 10:
            naive.append(int(np.argmax(distances[:, naive].min(axis=1))))
        assert order == naive

        def radius(rows: Sequence[int], distances: Any = distances) -> float:
            return float(distances[:, list(rows)].min(axis=1).max())

        assert radius(order[:3]) <= 2 * min(radius(rows) for rows in itertools.combinations(range(10), 3)) + 1e-12


def test_facility_location_covers_both_sides_of_the_target_where_the_top_takes_one() -> None:
    source = from_columns("pool", [f"text {angle}" for angle in (8, 9, 10, 11, 12, 199, 201, 90)])
    scores = np.array([8.0, 7, 6, 5, 4, 3, 2, 1])
    assert _take("top", "2", scores, source)[0] == [0, 1]
    spread, _ = _take({"how": "facility-location", "pool_factor": 10}, "2", scores, source)
    assert {int(source.texts[row].split()[1]) > 100 for row in spread} == {True, False}
    apart, _ = _take({"how": "k-center", "pool_factor": 10}, "2", scores, source)
    assert apart == [0, 5]  # the best one, and of those across the circle the one that is farthest
    assert _take({"how": "k-center", "pool_factor": 1}, "2", scores, source)[0] == [0, 1]


@pytest.mark.parametrize("budget", ["7", "25%", "20 tokens"])
@pytest.mark.parametrize("more", [{}, {"per": "class"}, {"per": "domain", "shares": "proportional"}, {"distinct": True}], ids=str)
@pytest.mark.parametrize("how", HOWS)
def test_a_pick_depends_on_the_seed_and_not_on_the_order_of_rows(how: str, more: dict[str, Any], budget: str) -> None:
    source, scores = _pool()
    rows, notes = _take({"how": how, **more}, budget, scores, source)
    assert len(set(rows)) == len(rows) > 0
    order = np.random.default_rng(9).permutation(len(source))
    again, noted = _take({"how": how, **more}, budget, scores[order], source.take(order))
    assert [source.ids[order[row]] for row in again] == [source.ids[row] for row in rows]
    assert noted == notes


@pytest.mark.parametrize("how", HOWS)
def test_every_way_keeps_to_the_budget_and_fills_it(how: str) -> None:
    source, scores = _pool()
    assert len(_take(how, "10", scores, source)[0]) == 10
    rows, notes = _take(how, "29 tokens", scores, source)
    assert len(rows) == 9  # three words each
    assert notes == ()
    rows, notes = _take({"how": how, "distinct": True, "per": "class"}, "100", scores, source)
    assert sorted(rows) == list(range(30))
    assert "the budget of 100 examples is more than what there is (30)" in notes[0]


def test_equal_shares_take_the_best_of_each_class_and_say_which_class_is_short() -> None:
    labels = ["a"] * 20 + ["b"] * 20 + ["c"] * 2
    source = from_columns("pool", [f"text {row}" for row in range(42)], labels)
    scores = np.concatenate([np.arange(20.0) + 100, np.arange(20.0), [-1.0, -2.0]])
    rows, notes = _take({"per": "class"}, "12", scores, source)
    assert rows == [19, 18, 17, 16, 15, 39, 38, 37, 36, 35, 40, 41]
    assert notes == ("class short of its share of the examples, which the others fill: 'c' (2 of 4)",)
    rows, notes = _take({"per": "class", "shares": "proportional"}, "21", scores, source)
    assert [labels[row] for row in rows] == ["a"] * 10 + ["b"] * 10 + ["c"]
    assert notes == ()
    rows, notes = _take({"per": "class", "shares": {"b": "75%", "a": 0.25}}, "8", scores, source)
    assert [labels[row] for row in rows] == ["a"] * 2 + ["b"] * 6
    assert notes == ("1 class without a share give nothing, such as 'c'",)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 60))
def test_even_shares_are_met_exactly_and_uneven_ones_within_one(sizes: list[int], limit: int) -> None:
    names = [f"group {number}" for number in range(len(sizes))]
    ends = np.cumsum(sizes)
    streams = {name: iter(range(end - size, end)) for name, size, end in zip(names, sizes, ends.tolist(), strict=True)}
    done = fill(streams, dict.fromkeys(names, 1 / len(names)), limit, lambda _: 1)
    assert len(done.rows) == min(limit, sum(sizes))
    free = [done.spent[name] for name, size in zip(names, sizes, strict=True) if done.spent[name] < size]
    assert max(free, default=0) - min(free, default=0) <= 1  # groups with more to give gave the same
    assert all(given <= max(free, default=given) + 1 for given in done.spent.values())


def test_token_budgets_are_shared_by_tokens() -> None:
    source = from_columns(
        "pool", ["w " * 10 + str(row) for row in range(10)] + ["w " + str(row) for row in range(40)], ["long"] * 10 + ["short"] * 40
    )
    rows, _ = _take({"per": "class"}, "88 tokens", np.zeros(50), source)
    assert sum(row < 10 for row in rows) == 4
    assert sum(row >= 10 for row in rows) == 22


@pytest.mark.parametrize("how", HOWS)
def test_a_distinct_pick_skips_what_nearly_repeats_a_better_row_counts_it_and_still_fills_the_budget(how: str) -> None:
    base = "the patient was seen on the ward this morning and had a mild fever at"
    texts = [f"{base} {angle}" for angle in (1, 2, 3, 4)] + [
        "Yes: 5",
        "yes, 5",
        "a bed by the window 40",
        "rain at noon on the hills 80",
    ]
    source, scores = from_columns("pool", texts), np.arange(8.0)[::-1]
    rows, notes = _take({"how": how, "distinct": True, "temperature": 1e-6, "pool_factor": 8}, "4", scores, source)
    assert len(rows) == 4
    assert len({row for row in rows if row < 4}) == 1
    assert len({row for row in rows if row in (4, 5)}) == 1
    if how in ("top", "gumbel"):
        assert rows == [0, 4, 6, 7]
        assert notes == ("4 examples were passed over because they nearly repeat a better one",)


def test_images_repeat_one_another_by_what_they_look_like() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (300, 8, 8), dtype=np.uint8)
    brighter = np.clip(pictures[0].astype(np.int64) // 2 + 90, 0, 255).astype(np.uint8)
    images = [encoded(picture) for picture in (pictures[0], pictures[0], brighter, *pictures[1:])]
    source, target = from_images("pool", images), _target(["near 10"])
    rows, notes = Pick(distinct=True).take(Budget.parse("301"), -np.arange(302.0), source, target, tools=Toolbox())
    assert rows.tolist() == [0, *range(3, 302)]
    assert notes == (
        "the budget of 301 examples is more than what there is (300): all 300 distinct examples are kept",
        "2 examples were passed over because they nearly repeat a better one",
    )
    with pytest.raises(InputError, match="are images, without texts"):
        Pick(distinct=True).take(Budget.parse("3 tokens"), -np.arange(302.0), source, target, tools=Toolbox())


def test_the_plain_pick_is_the_budget_alone() -> None:
    source, scores = _pool()
    scores = np.round(scores)
    for budget in ("7", "20%", "20 tokens", "900", "900 tokens", "2 tokens"):
        expected, note = Budget.parse(budget).take(scores, source.texts)
        assert _take(None, budget, scores, source) == (expected.tolist(), (note,) if note else ())
        assert _take({"how": "top", "pool_factor": 2}, budget, scores, source)[0] == expected.tolist()


def test_infinite_and_equal_scores_are_taken_too() -> None:
    source = from_columns("pool", [f"text {row}" for row in range(6)])
    for how in HOWS:
        assert sorted(_take(how, "6", np.array([np.inf, -np.inf, 0, 0, np.inf, 1]), source)[0]) == list(range(6))
        assert len(_take(how, "2", np.zeros(6), source)[0]) == 2
        assert _take(how, "2", np.zeros(0), source.take([]))[0] == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("gumble", "did you mean 'gumbel'"),
        ({"hwo": "top"}, "no setting 'hwo'.*did you mean 'how'"),
        ({"per": "classes"}, "did you mean 'class'"),
        ({"shares": "proportional"}, "nothing to share among"),
        ({"per": "class", "shares": "equally"}, "did you mean 'equal'"),
        ({"per": "class", "shares": {"a": "much"}}, "'much'.*a number"),
        ({"per": "class", "shares": {"a": -1}}, "numbers from zero up"),
        ({"per": "class", "shares": {}}, "one above zero"),
        ({"temperature": 0}, "temperature is 0.*above 0"),
        ({"temperature": "hot"}, "temperature is 'hot'"),
        ({"pool_factor": 0.5}, "at least 1"),
        ({"tradeoff": 2}, "between 0 and 1"),
        ({"distinct": "yes"}, "true or false"),
        ({"cover": "all"}, "'target'|one of pool, target"),
    ],
)
def test_a_pick_that_means_nothing_is_refused_with_what_would_serve(wrong: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Pick.parse(wrong)


def test_groups_and_encoders_that_are_not_there_are_named() -> None:
    source, scores = _pool()
    with pytest.raises(InputError, match="share for the class 'd'"):
        _take({"per": "class", "shares": {"d": 1}}, "3", scores, source)
    with pytest.raises(InputError, match=r"30 of 30 examples .* have no label"):
        _take({"per": "class"}, "3", scores, source.without_labels())
    with pytest.raises(InputError, match="no encoder was given"):
        Pick("k-center").take(Budget.parse("3"), scores, source, _target(["near 1"]), tools=Toolbox())


def test_a_pick_reads_back_from_what_it_is_and_says_itself_in_one_line() -> None:
    pick = Pick.parse({"how": "gumbel", "temperature": 0.05, "per": "class", "shares": {"b": "75%", "a": 25}, "distinct": True})
    assert str(pick) == "gumbel(temperature=0.05), per class (a:25 b:0.75), distinct"
    assert hash(pick) == hash(Pick.parse(pick))
    assert str(Pick.parse(None)) == "top"
