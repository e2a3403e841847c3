"""Validators: what can be said of a model on a target without labels, each with its measured failure rate.

To add one: a file beside these with a class that follows :class:`acclimate.evaluate.validators.base.Validator`, and one line here.
"""

from acclimate.evaluate.validators.agreement import Agreement
from acclimate.evaluate.validators.base import Validator
from acclimate.evaluate.validators.bnm import Bnm
from acclimate.evaluate.validators.dev import Dev
from acclimate.evaluate.validators.entropy import Entropy
from acclimate.evaluate.validators.importance_weighted import ImportanceWeighted
from acclimate.evaluate.validators.snd import Snd

METHODS: dict[str, type[Validator]] = {
    "entropy": Entropy,
    "importance-weighted": ImportanceWeighted,
    "dev": Dev,
    "snd": Snd,
    "bnm": Bnm,
    "agreement": Agreement,
}
#: In a recipe: the validator that was worse than doing nothing least often.
SAFEST = "label-free"
