"""The verb ``tune``: a base model, a target, and whatever else was chosen for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acclimate.data.domain import Domain
from acclimate.data.hygiene import clean
from acclimate.data.target import Target
from acclimate.engine.build import build
from acclimate.select.base import Selection
from acclimate.tune.adapted import Adapted
from acclimate.tune.bases import LANGUAGE, task_of
from acclimate.tune.examples import of_target
from acclimate.tune.hardware import Hardware
from acclimate.tune.learn import COURSES
from acclimate.tune.learn.base import Course, Training
from acclimate.tune.learn.stages import Corpora, StageSpec, build_stages, train_after
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import Spec, build_terms, separates_tasks


def tune(
    model: str,
    target: Target,
    *,
    source: Selection | Domain | None = None,
    augmented: Domain | None = None,
    objectives: Sequence[Spec] = (),
    pretrain: Sequence[StageSpec] = (),
    corpus: Domain | None = None,
    replay: Domain | None = None,
    learn: str | Mapping[str, Any] | None = None,
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
        pretrain: what happens to the model before, in order: ``"dapt"``, ``"tapt"``, or ``{"method": "tapt", "steps": 200}``.
        corpus: texts of the domain for these stages; where not given, what is learned from of the source.
        replay: general examples, which fill the share ``settings.replay`` of every batch, in the stages as well.
        objectives: further terms of the loss: names such as ``"mixup"``, or ``{"method": "mixup", "alpha": 0.4, "weight": 1.0}``.
        learn: trains several times, one training built on the last: a name such as ``"self-training"``, or ``{"method":
            "self-training", "rounds": 5}``.
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
    stages = build_stages(pretrain)
    course = build_course(learn) if learn is not None else None
    kept, cleaned = clean(source.to_domain() if isinstance(source, Selection) else source, target)
    grown, _ = clean(augmented, target)
    known, _ = clean(replay, target)
    more, _ = clean(corpus, target)
    aim = task or task_of(model, target.labelled.modality)
    classifies = aim not in LANGUAGE
    several = separates_tasks(terms)
    examples = of_target(cleaned, source=kept, augmented=grown, replay=known, labelled=classifies, several_tasks=several)
    place = None if folder is None else Path(folder)
    classes = target.classes if classifies else ()
    given = Corpora(cleaned.inputs, kept if more is None else more, known)
    training = Training(
        model,
        examples,
        classes,
        chosen,
        terms,
        seed,
        place,
        save=place is not None,
        task=aim,
        hardware=Hardware.of(hardware),
        facts=_facts(target, source=kept, augmented=grown, corpus=more, replay=known),
    )
    return train_after(stages, given, training, course)


def build_course(spec: str | Mapping[str, Any]) -> Course:
    """A way of learning that trains several times, from its name or a mapping with ``method`` and its settings.

    >>> build_course({"method": "self-training", "rounds": 2})
    SelfTraining(rounds=2, share=0.5, balance=True, prior=False, confidence=0.0, soft=False, weight=1.0)

    Raises:
        InputError: no such one, or a setting that it does not have.
    """
    settings = {"method": spec} if isinstance(spec, str) else dict(spec)
    made: Course = build(COURSES, "way of learning", str(settings.pop("method", "")), settings)
    return made


def _facts(target: Target, **parts: Domain | None) -> dict[str, Any]:
    """The data, for the model's card."""
    told = {"target": f"{target.name}, {len(target.labelled)} labelled and {len(target.unlabelled)} unlabelled examples"}
    return {
        "data": told
        | {name: f"{part.name}, {len(part)} examples" for name, part in parts.items() if part is not None and len(part)}
    }
