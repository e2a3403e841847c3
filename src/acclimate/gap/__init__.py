"""How far apart two domains are: one file per measure, one dict of them all."""

from __future__ import annotations

from acclimate.gap.base import GapMethod
from acclimate.gap.coral import Coral
from acclimate.gap.divergence import Divergence
from acclimate.gap.frechet import Frechet
from acclimate.gap.label_shift import LabelShift
from acclimate.gap.mmd import Mmd
from acclimate.gap.perplexity import Perplexity
from acclimate.gap.proxy_a import ProxyA
from acclimate.gap.wasserstein import Wasserstein

METHODS: dict[str, type[GapMethod]] = {
    "mmd": Mmd,
    "proxy-a": ProxyA,
    "coral": Coral,
    "divergence": Divergence,
    "wasserstein": Wasserstein,
    "frechet": Frechet,
    "label-shift": LabelShift,
    "perplexity": Perplexity,
}
