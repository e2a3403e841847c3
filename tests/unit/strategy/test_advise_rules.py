"""Rules hold where their figures say so and nowhere else; ranking follows from them alone."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from advise_traits import ORDINARY, traits

from acclimate.errors import InputError
from acclimate.strategy.advise.candidates import candidates
from acclimate.strategy.advise.cost import seconds
from acclimate.strategy.advise.rank import gains, worth
from acclimate.strategy.advise.rules import BASE, LANGUAGE_RULES, RULES, Rule, walk
from acclimate.strategy.advise.run import advise_on
from acclimate.strategy.advise.tags import TAGS, tags_of
from acclimate.strategy.advise.traits import TASKS, Traits
from acclimate.strategy.arms import EVERYTHING, SOURCE_ONLY, TARGET_ONLY, Arm, Method

NO_LABELS = {
    "target_labels": 0,
    "labels_per_class": 0.0,
    "transfer": None,
    "learnable": None,
    "transfer_lead": None,
    "chance": None,
}
#: What makes each rule hold on traits that are ordinary otherwise.
HOLDS: dict[str, dict[str, Any]] = {
    "repeats-across": {"repeated_across": 0.02},
    "repeats-source": {"repeated_source": 0.1},
    "repeats-target": {"repeated_target": 0.1},
    "no-target-labels": NO_LABELS,
    "few-target-labels": {"target_labels": 20, "labels_per_class": 10.0},
    "many-target-labels": {"target_labels": 1000, "labels_per_class": 500.0, "source_per_label": 2.0},
    "large-related-source": {"source_rows": 50_000, "source_per_label": 300.0},
    "mixed-source": {"source_domains": 3, "gap_spread": 0.5},
    "near-source": {"gap": 0.4},
    "far-source": {"gap": 1.9},
    "align-gap": {"gap": 1.5},
    "source-misleads": {"transfer": 0.6, "transfer_lead": -0.15},
    "source-helps": {"transfer": 0.9, "transfer_lead": 0.15},
    "other-script": {"same_script": False, "target_script": "han"},
    "style-gap": {"task": "image-classification", "style_gap": 1.6, "content_gap": 1.0},
    "label-shift": {"label_shift": 0.3, "label_shift_p": 0.01},
    "uneven-classes": {"target_balance": 0.5},
    "small-uniform-target": {"spread_ratio": 0.7},
    "small-diverse-target": {},
    "long-texts": {"length_ratio": 8.0},
    "no-accelerator": {"accelerated": False},
    "much-unlabelled-text": {"target_unlabelled": 5000, "word_gap": 0.2},
    "mixed-corpus": {"word_gap": 0.2},
    "same-corpus": {"word_gap": 0.001},
    "far-corpus": {"gap": 1.6},
}
#: What keeps a rule from holding that ordinary traits meet.
FAILS: dict[str, dict[str, Any]] = {
    "small-diverse-target": {"spread_ratio": 0.7},
    "mixed-corpus": {"word_gap": 0.001},
    "far-corpus": {"gap": 0.3},
}
ALL = [("text-classification", rule) for rule in RULES] + [("causal-lm", rule) for rule in LANGUAGE_RULES]


def held(found: Traits) -> set[str]:
    return {step.rule.name for step in walk(found) if step.holds}


@pytest.mark.parametrize(("task", "rule"), ALL, ids=[f"{task}-{rule.name}" for task, rule in ALL])
def test_a_rule_holds_where_its_figures_say_so_and_nowhere_else(task: str, rule: Rule) -> None:
    assert rule.name in held(traits(**{"task": task, **HOLDS[rule.name]}))
    assert rule.name not in held(traits(**{"task": task, **FAILS.get(rule.name, {})}))


@pytest.mark.parametrize(("task", "rule"), ALL, ids=[f"{task}-{rule.name}" for task, rule in ALL])
def test_every_check_of_a_rule_can_keep_it_from_holding(task: str, rule: Rule) -> None:
    given = traits(**{"task": task, **HOLDS[rule.name]})
    for check in rule.checks:
        beyond = check.bound if check.relation == "below" else check.bound - 1e-6
        step = rule.read(traits(**{"task": task, **HOLDS[rule.name], check.trait: beyond}))
        assert not step.holds
        at = check.bound - 1e-6 if check.relation == "below" else check.bound
        assert next(
            f for f in rule.read(traits(**{**given.to_dict(), "parts": (), check.trait: at})).findings if f.trait == check.trait
        ).holds


def test_what_was_not_measured_makes_no_rule_hold() -> None:
    step = next(rule for rule in RULES if rule.name == "near-source").read(traits(gap=None))
    assert not step.holds
    assert step.findings[0].value is None


def test_findings_say_the_figure_and_the_bound() -> None:
    found = next(step for step in walk(traits(gap=1.9)) if step.rule.name == "far-source").findings[0]
    assert (found.trait, found.value, found.relation, found.bound, found.holds) == ("gap", 1.9, "at least", 1.7, True)


@pytest.mark.parametrize("rule", [*RULES, *LANGUAGE_RULES], ids=lambda rule: rule.name)
def test_a_rule_names_its_source_and_moves_tags_that_exist(rule: Rule) -> None:
    assert rule.origin
    assert rule.checks
    assert set(rule.effects) <= set(TAGS)
    assert all(ORDINARY.number(check.trait) is not Ellipsis for check in rule.checks)


def test_the_base_speaks_of_tags_that_exist() -> None:
    assert set(BASE) <= set(TAGS)


@pytest.mark.parametrize("task", TASKS)
def test_candidates_have_known_tags_and_names_of_their_own(task: Any) -> None:
    arms = [candidate.arm for candidate in candidates(task)]
    assert len({arm.name for arm in arms}) == len(arms)
    assert all(tags_of(arm) <= set(TAGS) for arm in arms)


def test_gains_are_over_the_best_control() -> None:
    steps = walk(ORDINARY)
    arms = [TARGET_ONLY, SOURCE_ONLY, EVERYTHING, Arm("all", target_weight=10.0)]
    points = [worth(arm, steps).points for arm in arms]
    assert gains(arms, steps) == [value - max(points[:3]) for value in points]
    assert max(gains(arms, steps)[:3]) == 0


def test_worth_is_the_base_and_what_each_rule_that_holds_gives_or_takes() -> None:
    arm = Arm("all", features=Method("coral"))
    said = worth(arm, walk(traits(gap=1.5, label_shift=0.3, label_shift_p=0.01)))
    assert dict(said.gives) == {"align-gap": 0.5}
    assert dict(said.takes) == {"label-shift": -1.0}
    assert said.points == pytest.approx(BASE["align"] + 0.5 - 1.0)


def test_without_target_labels_only_arms_without_them_are_ranked_and_the_others_say_why() -> None:
    advice = advise_on(traits(**NO_LABELS, accelerated=False), prior=None)
    assert all(not suggestion.arm.target for suggestion in advice.suggestions)
    assert SOURCE_ONLY in [suggestion.arm for suggestion in advice.suggestions]
    lacking = {one.arm.name: one.lacks for one in advice.excluded}
    assert lacking["target-only"] is not None
    assert (lacking["target-only"].trait, lacking["target-only"].value) == ("target_labels", 0)


def test_a_small_uniform_target_ranks_augmentation_higher_than_a_diverse_one_does() -> None:
    def rank(ratio: float) -> float:
        advice = advise_on(traits(spread_ratio=ratio, accelerated=False), most=99, prior=None)
        return next(
            s.gain
            for s in advice.suggestions
            if s.arm == Arm("none", augment=s.arm.augment) and s.arm.augment[:1] and s.arm.augment[0].name == "eda"
        )

    assert rank(0.7) > rank(1.1)


def test_a_misleading_source_ranks_the_target_alone_first_among_controls() -> None:
    found = traits(transfer=0.5, transfer_lead=-0.25, gap=1.9, accelerated=False)
    advice = advise_on(found, most=99, prior=None)
    controls = [suggestion.arm.name for suggestion in advice.suggestions if suggestion.arm.is_control]
    assert controls.index("target-only") < controls.index("source-only")


def test_ranking_is_deterministic_whatever_the_order_of_arms() -> None:
    arms = [candidate.arm for candidate in candidates("text-classification") if not candidate.blind]
    said = {arm.name: gain for arm, gain in zip(arms, gains(arms, walk(ORDINARY)), strict=True)}
    for shuffled in itertools.islice(itertools.permutations(arms[:6]), 20):
        assert gains(shuffled, walk(ORDINARY)) == [
            said[arm.name] - max(said[a.name] for a in shuffled if a.is_control) for arm in shuffled
        ]
    first, second = (advise_on(ORDINARY, prior=None).to_dict() for _ in range(2))
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_suggestions_follow_their_gains_and_the_asked_arms_are_the_ones_ranked() -> None:
    arms = [EVERYTHING, Arm("all", features=Method("coral")), Arm("all", target_weight=10.0)]
    advice = advise_on(ORDINARY, arms=arms, fidelity="probe", prior=None)
    assert {suggestion.arm for suggestion in advice.suggestions} == set(arms)
    values = [suggestion.gain for suggestion in advice.suggestions]
    assert values == sorted(values, reverse=True)
    assert all(suggestion.low <= suggestion.gain <= suggestion.high for suggestion in advice.suggestions)


def test_what_takes_too_long_is_left_out_with_its_seconds_but_no_control() -> None:
    found = traits(source_rows=1_000_000, accelerated=False)
    advice = advise_on(found, minutes=1, most=99, fidelity="probe", prior=None)
    slow = [one for one in advice.excluded if one.limit is not None]
    assert slow
    assert all(one.seconds is not None and one.seconds > 60 for one in slow)
    assert {"target-only", "everything"} <= {suggestion.arm.name for suggestion in advice.suggestions}


def test_a_larger_source_costs_more_and_a_gpu_less() -> None:
    arm = Arm("all", objectives=(Method("dan"),))
    assert seconds(traits(source_rows=10_000), EVERYTHING, "probe") > seconds(ORDINARY, EVERYTHING, "probe")
    assert seconds(ORDINARY, arm, "fine-tune") < seconds(traits(accelerated=False), arm, "fine-tune")


def test_a_language_model_is_advised_to_select_and_go_on_pre_training_with_replay_where_it_is_far() -> None:
    far = advise_on(traits(task="causal-lm", word_gap=0.2, gap=1.5), prior=None)
    assert far.best.arm.select is not None
    assert far.best.arm.select.name in ("dsir", "classifier")
    assert tags_of(far.best.arm) >= {"pretrain", "replay", "select"}
    same = advise_on(traits(task="causal-lm", word_gap=0.001, gap=0.1), prior=None)
    assert same.best.arm.source == "all"


@pytest.mark.parametrize("wrong", [{"most": 0}, {"minutes": 0.0}, {"minutes": -1.0}])
def test_no_suggestions_or_no_time_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        advise_on(ORDINARY, prior=None, **wrong)


def test_traits_survive_json() -> None:
    import orjson

    assert Traits.of(orjson.loads(orjson.dumps(ORDINARY.to_dict()))) == ORDINARY
    with pytest.raises(InputError, match="gapp"):
        ORDINARY.number("gapp")
