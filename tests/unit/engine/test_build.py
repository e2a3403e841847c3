"""A method by name and settings: what is passed on, and how mistakes are explained."""

from __future__ import annotations

from typing import Literal

import pytest

from acclimate.engine.build import build
from acclimate.errors import InputError


class Sampler:
    def __init__(self, rate: float, kind: Literal["fast", "slow"] = "fast", sizes: tuple[int, ...] = (1,), seed: int = 0) -> None:
        self.all = (rate, kind, sizes, seed)


METHODS = {"sampler": Sampler}


def test_settings_are_read_as_their_types_and_provided_values_passed_where_taken() -> None:
    made = build(METHODS, "sampler", "sampler", {"rate": "0.5", "sizes": [1, 2]}, {"seed": 9, "embed": None})
    assert made.all == (0.5, "fast", (1, 2), 9)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("sampler", {"rate": 1, "kidn": "fast"}, "did you mean 'kind'"),
        ("sampler", {"rate": 1, "zzz": 1}, "Expected: one of rate, kind, sizes"),
        ("sampler", {"rate": 1, "seed": 3}, "no setting 'seed'"),
        ("sampler", {}, "needs the setting 'rate'"),
        ("sampler", {"rate": "quick"}, "'rate' of the sampler 'sampler' is 'quick'"),
        ("sampler", {"rate": 1, "kind": "fats"}, "'fast' or 'slow'"),
        ("smapler", {"rate": 1}, "did you mean 'sampler'"),
    ],
)
def test_a_mistake_names_what_would_be_right(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        build(METHODS, "sampler", name, settings, {"seed": 0})
    assert message in str(error.value)
