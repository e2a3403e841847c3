"""Objectives by name, with their weights."""

from __future__ import annotations

import pytest

from acclimate.augment.mix.mixup import Mixup
from acclimate.errors import InputError
from acclimate.tune import OBJECTIVES
from acclimate.tune.terms import Term, build_terms


def test_names_mappings_and_ready_terms_all_serve() -> None:
    ready = Term("mine", Mixup())
    terms = build_terms([{"method": "coral", "weight": 0.5}, ready])
    assert [(term.name, term.weight) for term in terms] == [("coral", 0.5), ("mine", 1.0)]
    assert build_terms([{"method": "mixup", "alpha": 0.7}])[0].objective == Mixup(alpha=0.7)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["mixupp"], "did you mean 'mixup'"),
        ([{"method": "mixup", "alfa": 1}], "did you mean 'alpha'"),
        ([{"method": "mixup", "weight": 0}], "weight"),
        ([{"alpha": 1}], "Unknown objective"),
        (["coral", "coral"], "twice"),
        (["mixup", Term("other", Mixup())], "each contain the task loss"),
    ],
)
def test_wrong_objectives_are_explained(specs: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_terms(specs)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_every_objective_can_be_built_and_says_what_it_is(name: str) -> None:
    method = OBJECTIVES[name]
    build_terms([name])
    for attribute in ("paper", "summary", "summary_zh", "modality"):
        assert getattr(method, attribute)
