"""Objectives that hold a model back from overfitting or from leaving its pre-trained weights."""

from acclimate.models.objective import Objective

METHODS: dict[str, type[Objective]] = {}
