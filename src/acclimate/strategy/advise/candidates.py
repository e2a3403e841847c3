"""The arms that advice ranks: a few of each kind, with what each of them needs."""

from __future__ import annotations

import dataclasses
from typing import Any

from acclimate.strategy.advise.rules import Check, Finding
from acclimate.strategy.advise.traits import Task, Traits
from acclimate.strategy.arms import EVERYTHING, SOURCE_ONLY, TARGET_ONLY, Arm, Method, settings
from acclimate.strategy.outcome import Fidelity

_LABELS = Check("target_labels", "at least", 1)
_SOURCE_LABELS = Check("source_labels", "at least", 1)
_DOMAINS = Check("source_domains", "at least", 2)
_UNLABELLED = Check("target_unlabelled", "at least", 20)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """An arm that may be suggested.

    Attributes:
        needs: checks that the traits have to pass; the first that fails says why the arm is left out.
        blind: it learns from no target label, and stands in where there are none; elsewhere it is not spoken of.
        fidelities: where the arm means something: on frozen features, in fine-tuning, or both.
    """

    arm: Arm
    needs: tuple[Check, ...] = ()
    fidelities: tuple[Fidelity, ...] = ("probe", "fine-tune")
    blind: bool = False

    def applies(self, traits: Traits) -> bool:
        """Whether these data ask for such an arm."""
        return not (self.blind and traits.target_labels)

    def missing(self, traits: Traits) -> Finding | None:
        """The first need that the traits do not meet."""
        return next((found for need in self.needs if not (found := need.read(traits)).holds), None)


def _method(name: str, **values: Any) -> Method:
    return Method(name, settings(values))


def _selected(name: str, budget: str = "20%", **more: Any) -> Arm:
    return Arm("selected", select=Method(name), budget=budget, **more)


def candidates(task: Task) -> tuple[Candidate, ...]:
    """The arms of a task, controls first, in the order in which equals are ranked."""
    if task == "causal-lm":
        return _language()
    picture = task == "image-classification"
    grown = _method("geometric", times=2) if picture else _method("eda", times=4)
    extra = _PICTURES if picture else _TEXTS
    return (*_CONTROLS, *_shared(grown), *_FEATURES, *extra, *_TUNED)


_CONTROLS = (
    Candidate(TARGET_ONLY, (_LABELS,)),
    Candidate(SOURCE_ONLY, (_SOURCE_LABELS,)),
    Candidate(EVERYTHING, (_LABELS, _SOURCE_LABELS)),
    Candidate(Arm("selected", select=Method("random"), budget="20%", control="random 20%"), (_LABELS, _SOURCE_LABELS)),
)


def _shared(grown: Method) -> tuple[Candidate, ...]:
    both = (_LABELS, _SOURCE_LABELS)
    return (
        Candidate(_selected("classifier"), both),
        Candidate(_selected("knn"), both),
        Candidate(_selected("domain-rank", "50%"), (*both, _DOMAINS)),
        Candidate(_selected("classifier", target_weight=5.0), both),
        Candidate(_selected("classifier", target=False), (_SOURCE_LABELS,), blind=True),
        Candidate(_selected("knn", target=False), (_SOURCE_LABELS,), blind=True),
        Candidate(_selected("domain-rank", "50%", target=False), (_SOURCE_LABELS, _DOMAINS), blind=True),
        Candidate(Arm("all", target_weight=10.0), both),
        Candidate(Arm("none", augment=(grown,)), (_LABELS,)),
        Candidate(Arm("none", augment=(_method("mixup", alpha=0.2),)), (_LABELS,)),
        Candidate(Arm("all", augment=(grown,), target_weight=5.0), both),
        Candidate(_selected("classifier", augment=(grown,), target_weight=5.0), both),
        Candidate(_selected("ulsif", "100%"), both),
        Candidate(_selected("ulsif", "100%", target=False), (_SOURCE_LABELS,), blind=True),
    )


_PROBE: tuple[Fidelity, ...] = ("probe",)
_FULL: tuple[Fidelity, ...] = ("fine-tune",)
_FEATURES = (
    Candidate(Arm("all", features=Method("self-training")), (_LABELS, _SOURCE_LABELS, _UNLABELLED), _PROBE),
    Candidate(Arm("all", target=False, features=Method("self-training")), (_SOURCE_LABELS, _UNLABELLED), _PROBE, blind=True),
    Candidate(Arm("none", features=Method("self-training")), (_LABELS, _UNLABELLED), _PROBE),
    Candidate(Arm("all", features=Method("easyadapt")), (_LABELS, _SOURCE_LABELS), _PROBE),
    Candidate(Arm("all", features=Method("coral")), (_LABELS, _SOURCE_LABELS, _UNLABELLED), _PROBE),
    Candidate(Arm("all", target=False, features=Method("coral")), (_SOURCE_LABELS, _UNLABELLED), _PROBE, blind=True),
    Candidate(Arm("all", target=False, features=Method("subspace")), (_SOURCE_LABELS, _UNLABELLED), _PROBE, blind=True),
)
_TEXTS = (
    Candidate(Arm("none", augment=(_method("balance", by="eda"),)), (_LABELS,)),
    Candidate(Arm("all", pretrain=(Method("tapt"),)), (_LABELS, _SOURCE_LABELS, _UNLABELLED), _FULL),
    Candidate(Arm("all", target=False, pretrain=(Method("tapt"),)), (_SOURCE_LABELS, _UNLABELLED), _FULL, blind=True),
)
_PICTURES = (
    Candidate(Arm("none", augment=(_method("balance", by="geometric"),)), (_LABELS,)),
    Candidate(Arm("all", augment=(_method("fourier", times=1),), target_weight=5.0), (_LABELS, _SOURCE_LABELS)),
    Candidate(Arm("all", augment=(_method("mean-std", times=1),), target_weight=5.0), (_LABELS, _SOURCE_LABELS)),
)
_TUNED = (
    Candidate(Arm("all", objectives=(Method("l2-sp"),)), (_LABELS, _SOURCE_LABELS), _FULL),
    Candidate(Arm("all", objectives=(Method("multi-task"),)), (_LABELS, _SOURCE_LABELS), _FULL),
    Candidate(Arm("all", objectives=(Method("dan"),)), (_LABELS, _SOURCE_LABELS, _UNLABELLED), _FULL),
    Candidate(Arm("all", target=False, objectives=(Method("mcc"),)), (_SOURCE_LABELS, _UNLABELLED), _FULL, blind=True),
    Candidate(Arm("all", learn=Method("self-training")), (_LABELS, _SOURCE_LABELS, _UNLABELLED), _FULL),
    Candidate(Arm("all", target=False, learn=Method("self-training")), (_SOURCE_LABELS, _UNLABELLED), _FULL, blind=True),
)


def _language() -> tuple[Candidate, ...]:
    """Continued pre-training on what was chosen, on a random part, and on everything; with and without replay."""
    dapt, replayed = (Method("dapt"),), (_method("dapt", replay=0.1),)
    arms = (
        Arm("selected", target=False, select=Method("random"), budget="20%", pretrain=dapt, control="random 20%"),
        Arm("selected", target=False, select=Method("dsir"), budget="20%", pretrain=dapt),
        Arm("selected", target=False, select=Method("dsir"), budget="20%", pretrain=replayed),
        Arm("selected", target=False, select=Method("classifier"), budget="20%", pretrain=dapt),
        Arm("selected", target=False, select=Method("classifier"), budget="20%", pretrain=replayed),
        Arm("all", target=False, pretrain=dapt),
    )
    return tuple(Candidate(arm, fidelities=_FULL) for arm in arms)
