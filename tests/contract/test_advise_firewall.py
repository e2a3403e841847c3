"""Advice sees no test or validation label: corrupting them changes no byte of it; corrupting what may be learned from does."""

from __future__ import annotations

import dataclasses

import orjson
import pyarrow as pa
import pytest

from acclimate.data.domain import Domain
from acclimate.data.make import make_target
from acclimate.data.target import Target
from acclimate.strategy.advise.run import advise
from tests.shift import pool, sentences


def flipped(domain: Domain) -> Domain:
    other = {"good": "bad", "bad": "good"}
    return domain.with_column("label", pa.array([other[str(label)] for label in domain.labels], pa.string()))


def clinic(corrupt: str = "") -> Target:
    parts = {"labelled": sentences("clinic", 60, 1), "test": sentences("clinic", 40, 2, "test")}
    parts["validation"] = sentences("clinic", 20, 3, "validation")
    if corrupt:
        parts[corrupt] = flipped(parts[corrupt])
    return make_target(parts["labelled"], test=parts["test"], validation=parts["validation"])


def advised(target: Target) -> bytes:
    return orjson.dumps(dataclasses.replace(advise(pool(120), target), seconds=0.0).to_dict())


@pytest.mark.parametrize("corrupt", ["test", "validation"])
def test_advice_never_sees_test_or_validation_labels(corrupt: str) -> None:
    assert advised(clinic()) == advised(clinic(corrupt))


def test_labels_that_may_be_learned_from_do_matter() -> None:
    assert advised(clinic()) != advised(clinic("labelled"))
