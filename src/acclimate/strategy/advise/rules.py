"""The rules: what a figure of the data says for and against kinds of arms, and where that is known from.

A rule holds where all its checks do. It then moves every arm with one of its tags by so many points of accuracy. The amounts are
small on purpose: published and own measurements agree that most gains are (docs/advise.md), and a learned correction follows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from acclimate.strategy.advise.traits import Traits

Relation = Literal["below", "at least"]
Topic = Literal["first", "labels", "relation", "shift", "diversity", "means", "language-model"]


@dataclasses.dataclass(frozen=True)
class Check:
    """A trait against a bound."""

    trait: str
    relation: Relation
    bound: float

    def read(self, traits: Traits) -> Finding:
        """The trait's figure beside the bound; what was not measured does not hold."""
        value = traits.number(self.trait)
        holds = value is not None and (value < self.bound if self.relation == "below" else value >= self.bound)
        return Finding(self.trait, value, self.relation, self.bound, holds)


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a check found: the figure (None: not measured), the bound it was compared with, and whether it holds."""

    trait: str
    value: float | None
    relation: Relation
    bound: float
    holds: bool


@dataclasses.dataclass(frozen=True)
class Rule:
    """What follows from some traits.

    Attributes:
        name: its key in the report's words (``advise.rule.NAME``).
        topic: the branch of the tree that it stands on.
        checks: all of these have to hold.
        effects: points of accuracy by tag (:data:`acclimate.strategy.advise.tags.TAGS`).
        origin: the paper, or the measurement of acclimate's own, that it is taken from.
        risk: whether it warns of what may go wrong, rather than of what may help.
    """

    name: str
    topic: Topic
    checks: tuple[Check, ...]
    effects: Mapping[str, float]
    origin: str
    risk: bool = False

    def read(self, traits: Traits) -> Step:
        """Compare the traits with every bound."""
        findings = tuple(check.read(traits) for check in self.checks)
        return Step(self, all(finding.holds for finding in findings), findings)


@dataclasses.dataclass(frozen=True)
class Step:
    """A rule that was looked at: whether it holds, and the figures that say so."""

    rule: Rule
    holds: bool
    findings: tuple[Finding, ...]


def _check(trait: str, relation: Relation, bound: float) -> Check:
    return Check(trait, relation, bound)


RULES: tuple[Rule, ...] = (
    Rule(
        "repeats-across",
        "first",
        (_check("repeated_across", "at least", 0.01),),
        {},
        "Lee et al. 2022",
        risk=True,
    ),
    Rule("repeats-source", "first", (_check("repeated_source", "at least", 0.05),), {"select": 0.2}, "Lee et al. 2022", risk=True),
    Rule(
        "repeats-target",
        "first",
        (_check("repeated_target", "at least", 0.05),),
        {"augment": -0.2},
        "Lee et al. 2022",
        risk=True,
    ),
    Rule(
        "no-target-labels",
        "labels",
        (_check("target_labels", "below", 1),),
        {"self-training": 0.5},
        "Amazon, 12 pairs: self-training worse on 0 of 12; SKADA-Bench: 36 to 72% of cells are worse than no adaptation",
        risk=True,
    ),
    Rule(
        "few-target-labels",
        "labels",
        (_check("target_labels", "at least", 1), _check("labels_per_class", "below", 20)),
        {"source-none": -3.0, "augment": 0.3, "mix": 0.2},
        "Wei & Zou 2019: gains of augmentation are largest below 500 examples",
    ),
    Rule(
        "many-target-labels",
        "labels",
        (_check("labels_per_class", "at least", 100), _check("source_per_label", "below", 20)),
        {"source-none": 1.0, "augment": -0.2, "weighted": 0.4},
        "Rosenstein et al. 2005: transfer helps where target data are few",
    ),
    Rule(
        "large-related-source",
        "relation",
        (_check("source_per_label", "at least", 20), _check("gap", "below", 1.5), _check("same_script", "at least", 1)),
        {"source-all": 0.4, "source-selected": 0.4, "select": 0.3},
        "Xie et al. 2023; Gururangan et al. 2020, section 4",
    ),
    Rule(
        "mixed-source",
        "relation",
        (_check("source_domains", "at least", 2), _check("gap_spread", "at least", 0.3)),
        {"select": 0.3, "by-domain": 0.3},
        "Ruder & Plank 2017; Guo et al. 2018",
    ),
    Rule(
        "near-source",
        "relation",
        (_check("gap", "below", 0.8), _check("same_script", "at least", 1)),
        {"source-all": 0.3, "self-training": 0.3, "align": -0.3},
        "Ben-David et al. 2010; Amazon, 12 pairs: self-training helps where domains are near",
    ),
    Rule(
        "far-source",
        "relation",
        (_check("gap", "at least", 1.7),),
        {"source-all": -0.5, "source-selected": -0.2, "self-training": -0.3, "multi-task": 0.3},
        "Ben-David et al. 2010: the target's error is bounded by the source's and the distance",
        risk=True,
    ),
    Rule(
        "align-gap",
        "relation",
        (_check("gap", "at least", 1.2), _check("target_unlabelled", "at least", 100)),
        {"align": 0.5, "importance": 0.2},
        "Sun & Saenko 2016; Long et al. 2015",
    ),
    Rule(
        "source-misleads",
        "relation",
        (_check("target_labels", "at least", 20), _check("transfer_lead", "below", -0.05)),
        {"source-all": -1.0, "source-selected": -0.5, "select": 0.2, "weighted": 0.8, "multi-task": 1.0, "regularise": 0.5},
        "Wang et al. 2019 (negative transfer); Daumé 2007; Li et al. 2018",
        risk=True,
    ),
    Rule(
        "source-helps",
        "relation",
        (_check("target_labels", "at least", 20), _check("transfer_lead", "at least", 0.05)),
        {"source-all": 1.0, "source-selected": 0.8},
        "Bao et al. 2019: transferability is how well the source's features tell the target's classes apart",
    ),
    Rule(
        "other-script",
        "relation",
        (_check("same_script", "below", 1),),
        {"by-words": -1.0, "by-vectors": 0.2, "augment": 0.1},
        "words that two languages do not share cannot be compared (Ruder & Plank 2017, section 3.1)",
        risk=True,
    ),
    Rule(
        "style-gap",
        "relation",
        (_check("style_gap", "at least", 1.0), _check("content_gap", "below", 1.7)),
        {"style": 0.8, "align": 0.3},
        "Yang & Soatto 2020",
    ),
    Rule(
        "label-shift",
        "shift",
        (_check("label_shift", "at least", 0.1), _check("label_shift_p", "below", 0.05)),
        {"align": -1.0, "importance": 0.3, "self-training": -0.3},
        "Zhao et al. 2019, theorem 4.3; Lipton et al. 2018",
        risk=True,
    ),
    Rule(
        "uneven-classes",
        "shift",
        (_check("target_labels", "at least", 1), _check("target_balance", "below", 0.85)),
        {"balance": 0.3, "self-training": -0.2},
        "Chawla et al. 2002; Zou et al. 2018",
    ),
    Rule(
        "small-uniform-target",
        "diversity",
        (
            _check("target_labels", "at least", 1),
            _check("labels_per_class", "below", 100),
            _check("spread_ratio", "below", 0.95),
        ),
        {"augment": 0.4, "mix": 0.2},
        "Wei & Zou 2019; Shorten & Khoshgoftaar 2019",
    ),
    Rule(
        "small-diverse-target",
        "diversity",
        (
            _check("target_labels", "at least", 1),
            _check("labels_per_class", "below", 100),
            _check("spread_ratio", "at least", 0.95),
        ),
        {"augment": -0.2},
        "EDA on 20 Newsgroups: +0.6 points of 53.7 at 20 examples a class, +0.2 at 100 (docs/benchmarks.md)",
        risk=True,
    ),
    Rule(
        "long-texts",
        "means",
        (_check("length_ratio", "at least", 4),),
        {"by-words": -0.2},
        "Xie et al. 2023: counts grow with the length of a text",
        risk=True,
    ),
    Rule(
        "no-accelerator",
        "means",
        (_check("accelerated", "below", 1),),
        {"regularise": -0.1},
        "Hu et al. 2022; docs/benchmarks.md: a probe costs a hundredth of fine-tuning",
    ),
    Rule(
        "much-unlabelled-text",
        "means",
        (_check("target_unlabelled", "at least", 500), _check("word_gap", "at least", 0.05)),
        {"pretrain": 0.5},
        "Gururangan et al. 2020, table 5",
    ),
)

#: Of language models. The amounts only order the arms: they are no points of accuracy.
LANGUAGE_RULES: tuple[Rule, ...] = (
    *(rule for rule in RULES if rule.name in ("repeats-across", "repeats-source")),
    Rule(
        "mixed-corpus",
        "language-model",
        (_check("word_gap", "at least", 0.02),),
        {"select": 1.0, "random": -0.5},
        "Xie et al. 2023; Axelrod et al. 2011",
    ),
    Rule(
        "same-corpus",
        "language-model",
        (_check("word_gap", "below", 0.02),),
        {"select": -0.3, "source-all": 0.5},
        "arXiv 2503.01807: most selectors are no better than chance at equal budgets",
    ),
    Rule(
        "far-corpus",
        "language-model",
        (_check("gap", "at least", 1.0),),
        {"replay": 0.5},
        "Ibrahim et al. 2024; Rolnick et al. 2019: replay holds what continued pre-training forgets",
        risk=True,
    ),
    *(rule for rule in RULES if rule.name in ("other-script", "no-accelerator")),
)

#: Points of accuracy by tag before any rule: what kinds of arms give on average, against a control of the same source.
#: Selection at equal budget is seldom better than chance (arXiv 2503.01807); alignment of frozen vectors was worse than none on
#: 9 of 12 pairs of Amazon domains, self-training on 0 of 12; EDA gives +0.2 to +0.6; leaving out the target's labels costs.
BASE: Mapping[str, float] = {
    "source-none": -0.5,
    "select": -0.2,
    "random": -0.3,
    "without-target-labels": -2.0,
    "weighted": 0.2,
    "augment": 0.2,
    "mix": 0.1,
    "adversarial": 0.2,
    "align": -1.0,
    "self-training": 0.3,
    "multi-task": 0.1,
    "regularise": 0.1,
    "pretrain": 0.2,
    "balance": -0.2,
}


def rules_for(traits: Traits) -> tuple[Rule, ...]:
    """The rules of a task."""
    return LANGUAGE_RULES if traits.task == "causal-lm" else RULES


def walk(traits: Traits) -> tuple[Step, ...]:
    """Every rule of the task, compared with the traits, in order."""
    return tuple(rule.read(traits) for rule in rules_for(traits))
