"""No method sees a label that it must not: corrupting it changes no byte of what is chosen, made, trained and predicted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from acclimate.augment import METHODS as EXPANDERS
from acclimate.augment import ONLINE
from acclimate.data import hygiene
from acclimate.data.domain import Domain
from acclimate.data.make import make_target
from acclimate.data.target import Target
from acclimate.features.embeddings import Embedder
from acclimate.gap import METHODS as GAPS
from acclimate.gap.measure import gap
from acclimate.models.causal import CausalModel
from acclimate.select import METHODS as SELECTORS
from acclimate.strategy.arms import EVERYTHING, SOURCE_ONLY, TARGET_ONLY, Arm, Method, settings
from acclimate.strategy.outcome import Fidelity
from acclimate.strategy.plan import Plan
from acclimate.strategy.units import Bench
from acclimate.tune import OBJECTIVES
from acclimate.tune.learn import COURSES
from acclimate.tune.settings import TuneSettings
from tests.answering import answering, obliging
from tests.causal import make_causal
from tests.shift import make_encoder, pool, sentences
from tests.small_models import make_masked, make_translator

#: Augmenters of pictures have the same test in their family's contract.
EXPANDERS = [name for name, method in EXPANDERS.items() if "text" in method.modality]
ARMS = [
    TARGET_ONLY,
    SOURCE_ONLY,
    EVERYTHING,
    *(Arm("selected", select=Method(name), budget="30%") for name in SELECTORS),
    # from-corpus makes conversations, which no classifier learns from
    *(Arm("none", augment=(Method(name),)) for name in (*EXPANDERS, *ONLINE) if name != "from-corpus"),
    *(Arm("all", objectives=(Method(name),)) for name in OBJECTIVES if name not in ONLINE),
    *(Arm("all", learn=Method(name)) for name in COURSES),
    Arm("none", augment=(Method("policy", settings({"methods": ["eda"], "trials": 2, "folds": 2, "times": 2})),)),
]


def _flipped(domain: Domain) -> Domain:
    other = {"good": "bad", "bad": "good"}
    return domain.with_column("label", pa.array([other[str(label)] for label in domain.labels], pa.string()))


def _target(*, corrupt: str = "") -> Target:
    """A clinic whose test or validation labels are all wrong where ``corrupt`` says so."""
    parts = {"labelled": sentences("clinic", 40, 1), "test": sentences("clinic", 30, 2, "test")}
    parts["validation"] = sentences("clinic", 20, 3, "validation")
    if corrupt:
        parts[corrupt] = _flipped(parts[corrupt])
    return make_target(parts["labelled"], test=parts["test"], validation=parts["validation"])


@pytest.fixture(scope="module")
def embed(encoder_folder: Path) -> Embedder:
    return Embedder(str(encoder_folder), cache=None, device="cpu")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """Settings of the augmenters that need a model: tiny ones, and a server that writes."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("encoder", "masked", "causal", "there", "back", "log")}
    there, back = make_translator(folders["there"], 0), make_translator(folders["back"], 1)
    with answering(obliging) as server:
        llm = {"llm": server.llm(log=str(folders["log"] / "log.jsonl"))}
        yield {
            "embedding-neighbour": {"model": str(make_encoder(folders["encoder"])), "similarity": -1.0},
            "masked-lm": {"model": str(make_masked(folders["masked"]))},
            "causal-infill": {"model": str(make_causal(folders["causal"])), "fills": 2, "times": 1},
            "back-translation": {"there": str(there), "back": str(back), "times": 1},
            **{name: {**llm, "times": 1} for name in ("paraphrase", "generate", "evolve", "error-driven")},
        }


def _ready(arm: Arm, given: dict[str, dict[str, Any]]) -> Arm:
    return dataclasses.replace(arm, augment=tuple(Method(m.name, settings(given.get(m.name, {}))) for m in arm.augment))


def _bench(embed: Embedder, target: Target) -> Bench:
    source, target = hygiene.clean(pool(60), target)
    assert source is not None
    training = TuneSettings(steps=2, batch_size=4, lr=1e-3)
    plan = Plan(source, target, (), model=embed.reference.name, tune=training, labels=20)
    return Bench(plan, embed, "tiny", None)


def _trace(embed: Embedder, arm: Arm, fidelity: Fidelity, target: Target) -> list[bytes]:
    """Everything an arm chooses, makes and predicts, as bytes."""
    bench = _bench(embed, target)
    material = bench.first_material(arm)
    unit = bench.carry_out(arm, fidelity, seed=0)
    rows = unit.predictions.filter(pa.compute.equal(unit.predictions["split"], "test"))
    trace = [np.array(rows["probabilities"].to_pylist()).tobytes()]
    if material.selection is not None:
        trace += [material.selection.indices.tobytes(), material.selection.scores.tobytes()]
    if material.augmented is not None:
        trace.append("\n".join(material.augmented.texts).encode())
    return trace


@pytest.mark.parametrize("corrupt", ["test", "validation"])
@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_screening_never_sees_test_or_validation_labels(
    embed: Embedder, arm: Arm, corrupt: str, given: dict[str, dict[str, Any]]
) -> None:
    arm = _ready(arm, given)
    assert _trace(embed, arm, "probe", _target()) == _trace(embed, arm, "probe", _target(corrupt=corrupt))


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm.objectives or arm.augment or arm.is_control], ids=lambda arm: arm.name)
def test_fine_tuning_never_sees_test_or_validation_labels(embed: Embedder, arm: Arm, given: dict[str, dict[str, Any]]) -> None:
    arm = _ready(arm, given)
    clean = _trace(embed, arm, "fine-tune", _target())
    assert clean == _trace(embed, arm, "fine-tune", _target(corrupt="test"))
    assert clean == _trace(embed, arm, "fine-tune", _target(corrupt="validation"))


@pytest.mark.parametrize("method", list(GAPS))
def test_measuring_a_gap_never_sees_test_or_validation_labels(embed: Embedder, tmp_path: Path, method: str) -> None:
    model = CausalModel(str(make_causal(tmp_path)), device="cpu") if method == "perplexity" else None
    reports = [
        gap(pool(60), _target(corrupt=corrupt), methods=(method,), embed=embed, language_model=model).to_dict()
        for corrupt in ("", "test", "validation")
    ]
    assert reports[0] == reports[1] == reports[2]


def test_a_corrupted_label_that_is_allowed_to_matter_does_matter(embed: Embedder) -> None:
    """The trace is sensitive: flipping the labels that are learned from changes it."""
    target = _target()
    flipped = dataclasses.replace(target, labelled=_flipped(target.labelled))
    assert _trace(embed, TARGET_ONLY, "probe", target) != _trace(embed, TARGET_ONLY, "probe", flipped)
