"""Objectives that hold a model back from overfitting or from leaving its pre-trained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from acclimate.models.objective import Objective

METHODS: dict[str, type[Objective]] = {}
