"""Small searches on real data and a real probe: what the tests of searching share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from acclimate.data import hygiene
from acclimate.data.domain import Domain
from acclimate.data.make import make_target
from acclimate.data.target import Target
from acclimate.features.embeddings import Embedder
from acclimate.strategy.arms import Arm
from acclimate.strategy.plan import Plan
from acclimate.strategy.search.asked import Asked
from acclimate.strategy.search.candidate import Candidate
from acclimate.strategy.search.space import Choice, Dimension, Range
from acclimate.strategy.search.work import Job
from acclimate.strategy.units import Bench
from acclimate.tune.settings import TuneSettings
from tests.shift import pool, sentences

SPACE: Mapping[str, Dimension] = {
    "C": Range(0.01, 100.0, log=True),
    "target_weight": Range(0.5, 20.0, log=True),
    "augment.noise.times": Choice((1, 2)),
}
#: Where nothing is said: all of the source beside the target.
ARM = Arm("all")
TUNE = TuneSettings(steps=4, batch_size=4, lr=1e-3)


def flipped(domain: Domain) -> Domain:
    """Every label the other one."""
    other = {"good": "bad", "bad": "good"}
    return domain.with_column("label", pa.array([other[str(label)] for label in domain.labels], pa.string()))


def shuffled(domain: Domain, seed: int = 0) -> Domain:
    """The labels dealt out anew: nothing can be learned."""
    labels = np.random.default_rng(seed).permutation(domain.labels).tolist()
    return domain.with_column("label", pa.array(labels, pa.string()))


def clinic(labels: int = 60, *, noise: bool = False, corrupt: bool = False) -> Target:
    """A target of short notes; its labels mean nothing where ``noise``, its test's are wrong where ``corrupt``."""
    labelled, test = sentences("clinic", labels, 1), sentences("clinic", 20, 2, "test")
    return make_target(shuffled(labelled) if noise else labelled, test=flipped(test) if corrupt else test)


def make_job(
    embed: Embedder,
    *,
    target: Target | None = None,
    arm: Arm = ARM,
    space: Mapping[str, Dimension] | None = None,
    folds: int = 3,
    storage: Path | None = None,
    workers: int = 1,
    source: int = 40,
    **asked: Any,
) -> Job:
    """A job over the probe's penalty and the target's weight, unless other things are asked for."""
    given, cleaned = hygiene.clean(pool(source), target or clinic())
    assert given is not None
    plan = Plan(given, cleaned, (arm,), model=embed.reference.name, tune=TUNE, folds=folds, workers=workers)
    bench = Bench(plan, embed, "tiny", None)
    varied = {name: SPACE[name] for name in ("C", "target_weight")} if space is None else dict(space)
    wanted = {"trials": 6, "fresh": 2, "sampler": "random", **asked}
    return Job(bench, Candidate(arm, TUNE), Asked(space=varied, **wanted), varied, folds, storage, workers)
