"""Guards: checks that generated examples pass before anything learns from them, by name, in the order in which they are asked.

To add one: a file here with a class that follows :class:`acclimate.augment.guard.base.Guard`, and one line below.
"""

from acclimate.augment.guard.agreement import Agreement
from acclimate.augment.guard.base import Guard
from acclimate.augment.guard.leakage import Leakage
from acclimate.augment.guard.negation import Negation
from acclimate.augment.guard.numbers import Numbers
from acclimate.augment.guard.polarity import Polarity
from acclimate.augment.guard.repetition import Repeated, Unchanged

METHODS: dict[str, type[Guard]] = {
    "leakage": Leakage,
    "unchanged": Unchanged,
    "negation": Negation,
    "number": Numbers,
    "polarity": Polarity,
    "agreement": Agreement,
    "repeated": Repeated,
}
