"""Arms are values; controls are always there."""

from __future__ import annotations

from acclimate.strategy.arms import EVERYTHING, SOURCE_ONLY, TARGET_ONLY, Arm, Method, controls, settings


def _selecting(budget: str) -> Arm:
    return Arm("selected", select=Method("dsir"), budget=budget)


def test_the_four_controls_are_added_with_a_random_pick_per_budget() -> None:
    names = [arm.name for arm in controls([_selecting("20%"), _selecting("500"), _selecting("20%")])]
    assert names == ["target-only", "source-only", "everything", "random 20%", "random 500"]


def test_a_random_control_exists_even_where_no_arm_selects() -> None:
    assert "random 20%" in [arm.name for arm in controls([Arm("none", augment=(Method("eda"),))])]


def test_equal_arms_are_equal_and_hash_alike() -> None:
    first = Arm("none", augment=(Method("eda", settings({"times": 4, "operations": ["swap"]})),))
    second = Arm("none", augment=(Method("eda", settings({"operations": ["swap"], "times": 4})),))
    assert first == second
    assert len({first, second}) == 1


def test_one_line_says_what_an_arm_does() -> None:
    arm = Arm("selected", select=Method("dsir"), budget="20%", augment=(Method("eda", settings({"times": 4})),), target_weight=5)
    assert str(arm) == "dsir 20% + target×5 + eda(times=4)"
    assert [str(c) for c in (TARGET_ONLY, SOURCE_ONLY, EVERYTHING)] == ["target", "all source", "all source + target"]


def test_nested_settings_are_hashable_and_equal_whatever_their_order():
    one = settings({"methods": [{"method": "knn", "k": 3}, "dsir"]})
    other = settings({"methods": [{"k": 3, "method": "knn"}, "dsir"]})
    assert hash(Method("combine", one)) == hash(Method("combine", other))
