"""Objectives that draw source and target representations together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acclimate.tune.align.afn import Afn
from acclimate.tune.align.cdan import Cdan
from acclimate.tune.align.cmd import Cmd
from acclimate.tune.align.coral import Coral
from acclimate.tune.align.dan import Dan
from acclimate.tune.align.dann import Dann
from acclimate.tune.align.ddc import Ddc
from acclimate.tune.align.deepjdot import DeepJdot
from acclimate.tune.align.jan import Jan
from acclimate.tune.align.mcc import Mcc
from acclimate.tune.align.mcd import Mcd
from acclimate.tune.align.mdd import Mdd

if TYPE_CHECKING:  # recipes and listings read the names and settings of objectives without loading torch
    from acclimate.models.objective import Objective

METHODS: dict[str, type[Objective]] = {
    "ddc": Ddc,
    "dan": Dan,
    "jan": Jan,
    "coral": Coral,
    "cmd": Cmd,
    "dann": Dann,
    "cdan": Cdan,
    "mcd": Mcd,
    "mcc": Mcc,
    "mdd": Mdd,
    "afn": Afn,
    "deepjdot": DeepJdot,
}
