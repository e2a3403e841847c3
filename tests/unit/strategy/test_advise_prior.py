"""The learned correction: predicts as scikit-learn does, is chosen on data sets left out, and its advice beats the average arm."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from advise_traits import ORDINARY, traits

from acclimate.errors import InputError
from acclimate.strategy.advise import prior
from acclimate.strategy.advise.design import Scale, columns, rows
from acclimate.strategy.advise.prior import Prior, predict, read
from acclimate.strategy.advise.run import advise_on
from acclimate.strategy.arms import EVERYTHING, SOURCE_ONLY, TARGET_ONLY, Arm, Method
from benchmarks.advise import RIVALS, Judged, best_on_average, interval, judge_all, summary
from benchmarks.advise_fit import WAYS, boosting, kernel_ridge, learn, ridge, rows_of, widths
from benchmarks.advise_table import Cell, arm_named, cells_of, read_cells
from benchmarks.tables import SECTIONS

ARMS = (
    "source-only",
    "everything",
    "target-only",
    "all source + target×10",
    "target + eda(times=4)",
    "all source + target + coral on features",
)
QUICK = {way: fit for way, fit in WAYS.items() if way == ("ridge", "penalty 300")}


def made_table(noise: float = 0.003) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Six data sets of six cells at four numbers of labels: a near source helps, a far one hurts, whatever the data set."""
    rng = np.random.default_rng(3)
    table, facts = [], []
    for number in range(6):
        offset = rng.normal(0, 0.01)
        for cell in range(6):
            gap = rng.uniform(0.2, 2.0)
            for labels in (0, 20, 100, 500):
                for seed in range(2):
                    key = {"data": f"data{number}", "cell": f"cell{cell}", "labels": labels, "seed": seed}
                    lead = None if labels == 0 else 0.2 * (1 - gap) + rng.normal(0, 0.02)
                    found = traits(target_labels=labels, labels_per_class=labels / 2, gap=gap, transfer_lead=lead)
                    facts.append({**key, "traits": found.to_dict()})
                    table += scores(key, gap, labels, offset, rng, noise)
    return table, facts


def scores(
    key: dict[str, Any], gap: float, labels: int, offset: float, rng: np.random.Generator, noise: float
) -> list[dict[str, Any]]:
    pull = 0.06 * (1 - gap)
    gains = {
        "source-only": -0.02 if labels else 0.0,
        "everything": pull,
        "target-only": -pull,
        "all source + target×10": pull + 0.01 * (labels >= 100),
        "target + eda(times=4)": -pull + 0.015 * (labels <= 100),
        "all source + target + coral on features": -0.04 + offset,
    }
    needs = [name for name in gains if labels or name == "source-only"]
    return [{**key, "arm": arm, "test": 0.7 + gains[arm] + rng.normal(0, noise), "control_test": 0.7} for arm in needs]


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return cells_of(*made_table())


@pytest.fixture(scope="module")
def judged(cells: list[Cell]) -> list[Judged]:
    return judge_all(cells, QUICK)


def design(cells: list[Cell]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = rows_of(cells, ARMS, Scale.of([one for cell in cells for one in cell.traits]))
    return table.x, table.gains, table.weights


@pytest.mark.parametrize(
    ("kind", "fit"), [("ridge", ridge(30)), ("kernel-ridge", kernel_ridge(1, 1)), ("boosting", boosting(20, 2))]
)
def test_what_is_shipped_predicts_as_the_library_did(cells: list[Cell], kind: str, fit: Any) -> None:
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import Ridge

    x, y, weights = design(cells)
    model = orjson.loads(orjson.dumps(fit(x, y, weights)))
    fresh = x[::3] + 0.01
    if kind == "boosting":
        shape = {"n_estimators": 20, "max_depth": 2, "learning_rate": 0.05, "max_features": 0.33, "subsample": 0.7}
        library = GradientBoostingRegressor(**shape, min_samples_leaf=20, random_state=0).fit(x, y, sample_weight=weights)
        assert predict(kind, model, fresh) == pytest.approx(library.predict(fresh), abs=1e-9)
        return
    middle = np.average(x, axis=0, weights=weights)
    spread = np.sqrt(np.average((x - middle) ** 2, axis=0, weights=weights))
    spread[spread <= 1e-9] = 1
    z, there = (x - middle) / spread, (fresh - middle) / spread
    if kind == "ridge":
        expected = Ridge(alpha=30).fit(z, y, sample_weight=weights).predict(there)
    else:
        centre = np.average(y, weights=weights)
        machine = KernelRidge(alpha=1, kernel="rbf", gamma=1 / z.shape[1]).fit(z, y - centre, sample_weight=weights)
        expected = machine.predict(there) + centre
    assert predict(kind, model, fresh) == pytest.approx(expected, abs=2e-2 if kind == "kernel-ridge" else 1e-9)


def test_advice_beats_the_average_arm_on_data_sets_it_never_saw_and_its_intervals_hold(judged: list[Judged]) -> None:
    figures = summary(judged)
    assert figures["cells"] == 6 * 6 * 4
    mean, low, _ = figures["lead"]["average"]
    assert mean > 0
    assert low > 0
    assert figures["coverage"]["all arms"] >= 0.85
    assert figures["coverage"]["advised"] >= 0.85
    assert all(one.regret[name] >= 0 for one in judged for name in ("advice", *RIVALS))


def test_where_traits_say_nothing_advice_does_not_beat_the_average_arm(judged: list[Judged]) -> None:
    table, facts = made_table()
    shuffled = np.random.default_rng(1).permutation(len(facts))
    by_labels = {labels: [f["traits"] for f in facts if f["labels"] == labels] for labels in (0, 20, 100, 500)}
    mixed = []
    for fact, number in zip(facts, shuffled, strict=True):
        pool = by_labels[fact["labels"]]
        mixed.append({**fact, "traits": pool[int(number) % len(pool)]})
    honest = summary(judged)["lead"]["average"][0]
    blind = summary(judge_all(cells_of(table, mixed), QUICK))["lead"]["average"][0]
    assert blind < honest / 2


def test_the_kind_is_chosen_by_the_error_on_data_sets_left_out(cells: list[Cell]) -> None:
    ways = {**QUICK, ("ridge", "penalty 1e+09"): ridge(1e9)}
    learned = learn(cells, ways)
    errors = learned.facts["errors"]
    assert learned.facts["settings"] == "penalty 300"
    assert errors["ridge, penalty 300"] < errors["ridge, penalty 1e+09"]
    assert errors["ridge, penalty 300"] < learned.facts["zero_error"]


def test_intervals_hold_the_stated_share_of_what_was_left_out(cells: list[Cell]) -> None:
    table = rows_of(cells, ARMS, Scale.of([one for cell in cells for one in cell.traits]))
    found = widths(table, table.gains + np.random.default_rng(0).normal(0, 2, len(table.gains)))
    assert found["labelled"] == pytest.approx(1.96 * 2, abs=0.4)


def test_a_correction_survives_its_file_and_moves_the_advice(cells: list[Cell], tmp_path: Path) -> None:
    learned = learn(cells, QUICK)
    (tmp_path / "prior.json").write_bytes(orjson.dumps(learned.to_dict()))
    again = read(orjson.loads((tmp_path / "prior.json").read_bytes()))
    arms = [arm_named(name) for name in ARMS]
    for gap, best in ((0.2, "all source + target×10"), (1.9, "target + eda(times=4)")):
        given = traits(gap=gap, transfer_lead=0.2 * (1 - gap), target_labels=100, labels_per_class=50.0)
        assert again.gains(given, arms) == pytest.approx(learned.gains(given, arms))
        advice = advise_on(given, arms=arms, fidelity="probe", prior=again)
        assert advice.basis == "learned"
        assert advice.level == learned.level
        assert advice.best.arm.name == best
        half = (advice.best.high - advice.best.low) / 2
        assert half == pytest.approx(learned.widths["labelled"])


def test_a_correction_is_not_used_for_what_it_was_not_learned_from(cells: list[Cell]) -> None:
    learned = learn(cells, QUICK)
    assert advise_on(ORDINARY, fidelity="fine-tune", prior=learned).basis == "rules"
    assert advise_on(traits(features="vectors"), fidelity="probe", prior=learned).basis == "rules"
    assert advise_on(traits(task="causal-lm"), prior=learned).basis == "rules"
    assert advise_on(ORDINARY, fidelity="probe", prior=learned).basis == "learned"


def test_a_correction_of_another_version_is_refused() -> None:
    with pytest.raises(InputError, match="version"):
        read({"version": 0})


def test_rows_have_the_named_columns_and_unmeasured_traits_count_as_the_mean() -> None:
    scale = Scale.of([traits(gap=0.5), traits(gap=1.5), traits(gap=None)])
    arms = [TARGET_ONLY, EVERYTHING]
    x = rows(traits(gap=None), arms, ("everything",), scale)
    names = columns(("everything",))
    assert x.shape == (2, len(names))
    assert x[:, names.index("gap")].tolist() == [0, 0]
    assert x[:, names.index("arm everything")].tolist() == [0, 1]
    assert rows(traits(gap=1.5), arms, (), scale)[0, names.index("gap")] == pytest.approx(1)


@pytest.mark.parametrize(
    "arm",
    [
        TARGET_ONLY,
        SOURCE_ONLY,
        EVERYTHING,
        Arm("selected", select=Method("random"), budget="20%", control="random 20%"),
        Arm("selected", select=Method("dsir", (("buckets", "1000"),)), budget="2M tokens", target_weight=5.0),
        Arm("none", augment=(Method("eda", (("times", "4"),)), Method("mixup", (("alpha", "0.2"),)))),
        Arm("all", target=False, features=Method("self-training")),
        Arm("all", objectives=(Method("dan"), Method("r-drop")), pretrain=(Method("tapt"),)),
        Arm("all", learn=Method("self-training")),
    ],
    ids=lambda arm: arm.name,
)
def test_an_arm_is_read_back_from_its_name(arm: Arm) -> None:
    from acclimate.strategy.advise.tags import tags_of

    again = arm_named(arm.name)
    assert again.name == arm.name
    assert tags_of(again) == tags_of(arm)


def test_cells_average_over_seeds_and_are_read_from_files(tmp_path: Path) -> None:
    key = {"data": "d", "cell": "a→b", "labels": 20}
    table = [
        {**key, "seed": seed, "arm": arm, "test": 0.6 + bonus + 0.1 * seed, "control_test": 0.6 + 0.1 * seed}
        for seed in (0, 1)
        for arm, bonus in (("everything", 0.0), ("target-only", 0.02))
    ]
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "evidence.parquet")
    (tmp_path / "traits.json").write_bytes(orjson.dumps([{**key, "seed": 0, "traits": ORDINARY.to_dict()}]))
    (cell,) = read_cells(tmp_path)
    assert [arm.name for arm in cell.arms] == ["everything", "target-only"]
    assert cell.test == pytest.approx([65.0, 67.0])
    assert cell.gain == pytest.approx([0.0, 2.0])
    assert cell.regret == pytest.approx([2.0, 0.0])


@pytest.mark.parametrize(("change", "said"), [({"test": 61.0}, "0 to 1"), ({"cell": "elsewhere"}, "traits")])
def test_a_table_that_cannot_be_meant_is_refused(change: dict[str, Any], said: str) -> None:
    row = {"data": "d", "cell": "c", "labels": 20, "seed": 0, "arm": "everything", "test": 0.6, "control_test": 0.6}
    with pytest.raises(InputError, match=said):
        cells_of([{**row, **change}], [{"data": "d", "cell": "c", "labels": 20, "seed": 0, "traits": ORDINARY.to_dict()}])


def test_a_missing_table_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bench-decide"):
        read_cells(tmp_path)


def test_the_average_arm_weighs_data_sets_the_same_and_never_takes_one_unmeasured() -> None:
    def cell(data: str, *gains: float) -> Cell:
        return Cell(data, "c", 20, (ORDINARY,), (EVERYTHING, TARGET_ONLY), np.array(gains), np.array(gains))

    cells = [cell("a", 1.0, 0.0), cell("a", 1.0, 0.0), cell("a", 1.0, 0.0), cell("b", 0.0, 1.5)]
    assert best_on_average([EVERYTHING, TARGET_ONLY], cells) == 1
    assert best_on_average([SOURCE_ONLY, EVERYTHING], cells) == 1


def test_the_interval_draws_data_sets_not_only_cells(judged: list[Judged]) -> None:
    apart = {name: float(number) for number, name in enumerate(sorted({one.data for one in judged}))}
    mean, low, high = interval(judged, lambda one: apart[one.data])
    assert mean == pytest.approx(2.5)
    assert low < 1.8
    assert high > 3.2


def test_the_page_of_benchmarks_has_a_section(judged: list[Judged]) -> None:
    text = SECTIONS["advise"](orjson.loads(orjson.dumps(summary(judged))))
    assert "make bench-advise" in text
    assert "| data5 | 24 |" in text


def test_the_package_ships_a_correction_of_this_version_or_none() -> None:
    found = prior.shipped()
    assert found is None or (isinstance(found, Prior) and dataclasses.is_dataclass(found.scale))
