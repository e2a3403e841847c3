"""Objectives that keep a model from fitting too closely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acclimate.tune.regularize.bss import Bss
from acclimate.tune.regularize.co_tuning import CoTuning
from acclimate.tune.regularize.delta import Delta
from acclimate.tune.regularize.l2_sp import L2Sp
from acclimate.tune.regularize.label_smoothing import LabelSmoothing
from acclimate.tune.regularize.r_drop import RDrop

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from acclimate.models.objective import Objective

METHODS: dict[str, type[Objective]] = {
    "l2-sp": L2Sp,
    "delta": Delta,
    "bss": Bss,
    "r-drop": RDrop,
    "label-smoothing": LabelSmoothing,
    "co-tuning": CoTuning,
}
