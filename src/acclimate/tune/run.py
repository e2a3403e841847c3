"""The verb ``tune``: a base model, a target, and whatever else was chosen for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acclimate.data.domain import Domain
from acclimate.data.hygiene import clean
from acclimate.data.target import Target
from acclimate.select.base import Selection
from acclimate.tune.adapted import Adapted
from acclimate.tune.bases import task_of
from acclimate.tune.examples import of_target
from acclimate.tune.hardware import Hardware
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import Spec, build_terms
from acclimate.tune.trainer import fine_tune


def tune(
    model: str,
    target: Target,
    *,
    source: Selection | Domain | None = None,
    augmented: Domain | None = None,
    objectives: Sequence[Spec] = (),
    settings: TuneSettings | Mapping[str, Any] | None = None,
    folder: Path | str | None = None,
    seed: int = 0,
    task: str | None = None,
    hardware: Hardware | Mapping[str, Any] | None = None,
) -> Adapted:
    """Fine-tune ``model`` for the target on its labelled examples, and on source and augmented ones where given.

    A language model looks at no label, and learns from the target's unlabelled examples as well.

    What repeats a test or validation example is left out first (:func:`acclimate.data.hygiene.clean`); beyond that, these two parts
    are not looked at.

    Args:
        model: ``asset:minilm``, ``asset:efficientnet-lite0``, ``asset:smollm2``, a local folder, a hub name, or ``small-cnn``.
        source: a selection (its weights are used) or a whole domain.
        augmented: examples made from the target's; they count as the target's.
        objectives: further terms of the loss: names such as ``"mixup"``, or ``{"method": "mixup", "alpha": 0.4, "weight": 1.0}``.
        settings: see :class:`TuneSettings`; a mapping sets some of them.
        folder: where the model is saved at the end. A second call after a kill continues from the last checkpoint there.
        task: ``text-classification``, ``image-classification`` or ``causal-lm``; where not given, what the examples and the model
            are made for: pictures are classified, conversations and models such as SmolLM2 mean the next token.
        hardware: see :class:`acclimate.tune.hardware.Hardware`; a mapping sets some of it.

    Raises:
        InputError: see :func:`acclimate.tune.trainer.fine_tune`.
        RunError: the loss stopped being a number, or the folder cannot be written.

    >>> from acclimate.data.load import target
    >>> editorials = target("asset:icwsm4/nyt", test=0.5)
    >>> model = tune("asset:minilm", editorials, settings={"steps": 1, "batch_size": 4})
    >>> model.classes, model.predict_proba(["A splendid idea.", "A shameful failure."]).shape
    (('negative', 'positive'), (2, 2))
    """
    chosen = TuneSettings.of(settings)
    terms = build_terms(objectives)
    kept, cleaned = clean(source.to_domain() if isinstance(source, Selection) else source, target)
    grown, _ = clean(augmented, target)
    aim = task or task_of(model, target.labelled.modality)
    classifies = aim != "causal-lm"
    examples = of_target(cleaned, source=kept, augmented=grown, labelled=classifies)
    place = None if folder is None else Path(folder)
    classes = target.classes if classifies else ()
    how: dict[str, Any] = {"task": aim, "hardware": Hardware.of(hardware), "facts": _facts(target, kept, grown)}
    return fine_tune(model, examples, classes, chosen, terms, seed, place, save=place is not None, **how)


def _facts(target: Target, source: Domain | None, augmented: Domain | None) -> dict[str, Any]:
    """The data, for the model's card."""
    told = {"target": f"{target.name}, {len(target.labelled)} labelled and {len(target.unlabelled)} unlabelled examples"}
    for name, part in (("source", source), ("augmented", augmented)):
        told |= {name: f"{part.name}, {len(part)} examples"} if part is not None and len(part) else {}
    return {"data": told}
