"""Objectives that draw source and target representations together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acclimate.tune.align.coral import Coral

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from acclimate.models.objective import Objective

METHODS: dict[str, type[Objective]] = {"coral": Coral}
