"""acclimate brings a pre-trained model into a new domain, and proves whether that helped.

    import acclimate as ac
    pool   = ac.load("pool.jsonl.zst", text="body", label="stars", domain="shop")
    target = ac.target("clinic.csv", text="note", label="code", test=0.3)
    ac.gap(pool, target)
    picked = ac.select(pool, target, method="classifier", budget="20%")
    grown  = ac.augment(target, method="eda", times=4)
    model  = ac.tune("asset:minilm", target, source=picked, augmented=grown)
    ac.evaluate(model, target)
    result = ac.compare("recipe.yaml")

Every name is imported when it is first used: ``import acclimate`` itself loads nothing heavy.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acclimate.data.domain import Domain as Domain
    from acclimate.data.load import load as load
    from acclimate.data.load import target as target
    from acclimate.data.shards import Pool as Pool
    from acclimate.data.shards import pool as pool
    from acclimate.data.target import Target as Target
    from acclimate.errors import AcclimateError as AcclimateError
    from acclimate.evaluate.measure import evaluate as evaluate
    from acclimate.gap.measure import gap as gap
    from acclimate.pipeline import compare as compare
    from acclimate.search import search as search
    from acclimate.select.base import Selection as Selection
    from acclimate.strategy.advise.run import advise as advise
    from acclimate.strategy.augment import augment as augment
    from acclimate.strategy.pools import select_stream as select_stream
    from acclimate.strategy.select import select as select
    from acclimate.tune.run import tune as tune
    from acclimate.tune.settings import TuneSettings as TuneSettings

__version__ = "0.1.0"

_PLACES = {
    "AcclimateError": "acclimate.errors",
    "Domain": "acclimate.data.domain",
    "Pool": "acclimate.data.shards",
    "Selection": "acclimate.select.base",
    "Target": "acclimate.data.target",
    "TuneSettings": "acclimate.tune.settings",
    "advise": "acclimate.strategy.advise.run",
    "augment": "acclimate.strategy.augment",
    "compare": "acclimate.pipeline",
    "evaluate": "acclimate.evaluate.measure",
    "gap": "acclimate.gap.measure",
    "load": "acclimate.data.load",
    "pool": "acclimate.data.shards",
    "search": "acclimate.search",
    "select": "acclimate.strategy.select",
    "select_stream": "acclimate.strategy.pools",
    "target": "acclimate.data.load",
    "tune": "acclimate.tune.run",
}

__all__ = [*_PLACES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'acclimate' has no attribute '{name}'")
    value = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keeps the verbs.

    ``acclimate.select`` is a package *and* the public verb ``ac.select``. Importing a sub-package makes Python set it as an
    attribute here, and that would hide the verb of the same name. The sub-package stays importable as ever, by
    ``from acclimate.select.budget import Budget``.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _PLACES and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
