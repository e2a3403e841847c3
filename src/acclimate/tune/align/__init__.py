"""Objectives that draw source and target representations together."""

from acclimate.models.objective import Objective
from acclimate.tune.align.coral import Coral

METHODS: dict[str, type[Objective]] = {"coral": Coral}
