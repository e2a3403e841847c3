"""What an arm would take on this machine, from figures that were measured once; a real estimate is ``compare --dry-run``."""

from __future__ import annotations

from acclimate.strategy.advise.tags import tags_of
from acclimate.strategy.advise.traits import Traits
from acclimate.strategy.arms import Arm
from acclimate.strategy.outcome import Fidelity

#: Seconds on one core of the machine of docs/benchmarks.md: to embed a text (MiniLM, 20 words) or a picture (EfficientNet-Lite), to
#: fit a probe on a thousand rows, to score a thousand source rows, and a step of fine-tuning on 16 examples.
PER_TEXT, PER_PICTURE, PER_FIT, PER_SCORE, PER_STEP = 0.01, 0.04, 0.25, 0.3, 1.0
#: Steps of a fine-tuning, of continued pre-training, and fits of a screening of one seed (five folds and the whole).
STEPS, PRETRAIN_STEPS, FITS = 60, 500, 6
#: What a GPU takes of a core's time for the same network.
ACCELERATED = 0.03


def seconds(traits: Traits, arm: Arm, fidelity: Fidelity, budget: float = 0.2) -> float:
    """About how long one seed of an arm takes, once its vectors are there (:func:`vector_seconds`).

    Args:
        budget: the share of the source that a selecting arm keeps.
    """
    speed = ACCELERATED if traits.accelerated else 1.0
    tags = tags_of(arm)
    grown = 4 * traits.target_labels if "augment" in tags else 0
    kept = {"none": 0.0, "all": 1.0, "selected": budget}[arm.source] * traits.source_rows
    per_item = PER_PICTURE if traits.task == "image-classification" else PER_TEXT
    scoring = PER_SCORE * traits.source_rows / 1000 if arm.source == "selected" and "random" not in tags else 0.0
    if fidelity == "probe":
        rows = kept + traits.target_labels + grown
        return speed * per_item * grown + scoring + FITS * PER_FIT * rows / 1000
    longer = 2.0 if tags & {"align", "self-training", "multi-task"} else 1.0
    steps = STEPS * longer + (PRETRAIN_STEPS if arm.pretrain else 0)
    heavier = 4.0 if traits.task == "causal-lm" else 2.0 if traits.task == "image-classification" else 1.0
    return scoring + speed * PER_STEP * heavier * steps


def vector_seconds(traits: Traits) -> float:
    """About how long it takes to embed everything once, which all arms share."""
    if traits.task == "causal-lm":
        return 0.0
    each = PER_PICTURE if traits.task == "image-classification" else PER_TEXT
    count = traits.source_rows + traits.target_labels + traits.target_unlabelled
    return each * count * (ACCELERATED if traits.accelerated else 1 / traits.cores)
