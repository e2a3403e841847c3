"""What kind of arm an arm is: the few words in which rules, and the learned correction, speak of arms."""

from __future__ import annotations

from acclimate.augment import METHODS as EXPANDERS
from acclimate.augment.adversarial import METHODS as ADVERSARIAL
from acclimate.augment.mix import METHODS as MIX
from acclimate.strategy.arms import Arm
from acclimate.tune.align import METHODS as ALIGN
from acclimate.tune.regularize import METHODS as REGULARIZE
from acclimate.tune.shallow import METHODS as SHALLOW

#: Every tag, in the order of the columns that a learned correction reads.
TAGS = (
    "source-none",
    "source-all",
    "source-selected",
    "select",
    "by-words",
    "by-vectors",
    "by-domain",
    "random",
    "importance",
    "without-target-labels",
    "weighted",
    "augment",
    "style",
    "balance",
    "mix",
    "adversarial",
    "align",
    "self-training",
    "multi-task",
    "regularise",
    "pretrain",
    "replay",
)
_STYLE = frozenset({"fourier", "mean-std", "histogram"})
_IMPORTANCE = frozenset({"kmm", "kliep", "ulsif"})
_WORDS = frozenset({"dsir", "tfidf", "ngram", "moore-lewis", "cynical", "learned", "classifier"})
_DOMAINS = frozenset({"domain-rank", "mixture", "logme", "leep", "nce", "h-score", "transrate", "otdd", "task2vec"})
_SELF = frozenset({"self-training", "fixmatch", "mt-tri"})
_TASKS = frozenset({"multi-task", "easyadapt"})


def tags_of(arm: Arm) -> frozenset[str]:
    """The tags of an arm, in no order.

    >>> from acclimate.strategy.arms import SOURCE_ONLY, Arm, Method
    >>> sorted(tags_of(SOURCE_ONLY))
    ['source-all', 'without-target-labels']
    >>> sorted(tags_of(Arm("selected", select=Method("dsir"), budget="20%", augment=(Method("eda"),))))
    ['augment', 'by-words', 'select', 'source-selected']
    """
    tags = {f"source-{arm.source}"}
    if not arm.target:
        tags.add("without-target-labels")
    elif arm.target_weight > 1 and arm.source != "none":
        tags.add("weighted")
    if arm.select is not None:
        tags |= _of_selector(arm.select.name)
    for method in arm.augment:
        tags |= _of_augmenter(method.name)
    adapted = [*arm.objectives, *([arm.features] if arm.features else []), *([arm.learn] if arm.learn else [])]
    for method in adapted:
        tags |= _of_way(method.name)
    if arm.pretrain:
        tags.add("pretrain")
    if any(dict(stage.settings).get("replay") for stage in arm.pretrain):
        tags.add("replay")
    return frozenset(tags)


def _of_selector(name: str) -> set[str]:
    if name == "random":
        return {"random"}
    if name in _IMPORTANCE:
        return {"importance"}
    return {"select", "by-words" if name in _WORDS else "by-domain" if name in _DOMAINS else "by-vectors"}


def _of_augmenter(name: str) -> set[str]:
    if name in _STYLE:
        return {"augment", "style"}
    if name == "balance":
        return {"augment", "balance"}
    if name in MIX:
        return {"mix"}
    if name in ADVERSARIAL:
        return {"adversarial"}
    return {"augment"} if name in EXPANDERS or name == "policy" else set()


def _of_way(name: str) -> set[str]:
    for kind, names in (("self-training", _SELF), ("multi-task", _TASKS), ("mix", MIX), ("adversarial", ADVERSARIAL)):
        if name in names:
            return {kind}
    if name in REGULARIZE:
        return {"regularise"}
    return {"align"} if name in ALIGN or name in SHALLOW else set()
