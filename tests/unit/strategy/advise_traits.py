"""Traits made up for tests of rules: an ordinary pair of domains, changed where a test says so."""

from __future__ import annotations

import dataclasses
from typing import Any

from acclimate.strategy.advise.traits import Traits

ORDINARY = Traits(
    task="text-classification",
    features="words",
    sampled=800,
    source_rows=2000,
    source_labels=2000,
    source_domains=1,
    source_classes=2,
    target_labels=160,
    target_unlabelled=200,
    target_classes=2,
    labels_per_class=80.0,
    source_per_label=12.5,
    gap=1.0,
    gap_low=0.9,
    gap_high=1.1,
    word_gap=0.03,
    source_balance=1.0,
    target_balance=1.0,
    label_shift=0.02,
    label_shift_p=0.6,
    label_shift_from="labels",
    transfer=0.75,
    transfer_low=0.68,
    transfer_high=0.81,
    learnable=0.75,
    chance=0.5,
    transfer_margin=0.25,
    transfer_lead=0.0,
    h_score=0.4,
    spread=0.9,
    spread_ratio=1.0,
    distinct=0.8,
    distinct_ratio=1.0,
    source_script="latin",
    target_script="latin",
    source_length=15.0,
    target_length=20.0,
    length_ratio=1.3,
    accelerated=True,
)


def traits(**changes: Any) -> Traits:
    """The ordinary traits with some changed."""
    return dataclasses.replace(ORDINARY, **changes)
