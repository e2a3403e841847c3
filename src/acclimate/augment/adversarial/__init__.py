"""Worst-case perturbations while training, by the name that recipes use."""

from typing import Any

from acclimate.augment.adversarial.fgm import Fgm
from acclimate.augment.adversarial.freelb import FreeLb
from acclimate.augment.adversarial.pgd import Pgd
from acclimate.augment.adversarial.smart import Smart
from acclimate.augment.adversarial.vat import Vat

#: Objectives; typed loosely because their protocol would bring torch along.
METHODS: dict[str, type[Any]] = {"fgm": Fgm, "pgd": Pgd, "freelb": FreeLb, "smart": Smart, "vat": Vat}
