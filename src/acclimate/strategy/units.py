"""Carries out one unit of work: an arm, at a fidelity, with a seed."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np

from acclimate.augment import ONLINE
from acclimate.augment.mix import ON_FEATURES
from acclimate.augment.mix.mixup import mix_rows
from acclimate.data.domain import Domain, concatenate
from acclimate.data.target import Ledger, Target
from acclimate.engine.build import build
from acclimate.engine.storage import content_hash
from acclimate.engine.threads import one_thread
from acclimate.evaluate.measure import Predictor, Scores, evaluate, label_codes, pool_scores, validate
from acclimate.evaluate.validators import METHODS as VALIDATORS
from acclimate.evaluate.validators.base import Seen
from acclimate.features.base import Contents
from acclimate.features.embeddings import Embedder
from acclimate.models.tokens import token_counter
from acclimate.strategy.arms import Arm, Method, as_given
from acclimate.strategy.evidence import Unit, predictions_table
from acclimate.strategy.materials import Material, Workshop
from acclimate.strategy.outcome import Fidelity
from acclimate.strategy.plan import FITS_AGAIN, HELD_OUT_PARTS, Plan
from acclimate.strategy.quality import Quality, measure_quality
from acclimate.tune.adapted import Adapted
from acclimate.tune.examples import Examples, gather
from acclimate.tune.learn.base import Training
from acclimate.tune.learn.stages import Corpora, build_stages, train_after
from acclimate.tune.learner import ProbeLearner
from acclimate.tune.probe import Probe, ProbedTexts, unit_rows
from acclimate.tune.run import build_course
from acclimate.tune.settings import TuneSettings
from acclimate.tune.shallow import METHODS as SHALLOW
from acclimate.tune.shallow.base import Given
from acclimate.tune.terms import build_terms, separates_tasks
from acclimate.tune.watch import Watch


def every_content(parts: Sequence[Domain]) -> Contents:
    """The texts, or the pictures, of several domains of one kind."""
    return cast("Contents", [content for part in parts for content in part.contents])


class Bench:
    """Everything units share: the plan, the workshop and the embedding."""

    def __init__(self, plan: Plan, embed: Embedder, model_fingerprint: str, checkpoints: Path | None) -> None:
        self.plan = plan
        self.embed = embed
        self.workshop = Workshop(plan.source, embed, token_counter(plan.model))
        self._fingerprint = model_fingerprint
        self._checkpoints = checkpoints

    def warm(self) -> None:
        """Embed everything that all units share, once, before they are shared among processes."""
        target = self.plan.target
        parts = [self.plan.source, target.labelled, target.unlabelled, target.test.inputs]
        parts += [target.validation.inputs] if target.validation else []
        self.embed.warm(every_content(parts), self.plan.workers)

    def key(self, arm: Arm, fidelity: Fidelity, seed: int) -> str:
        """The name of a unit, made of everything its result depends on."""
        plan, target = self.plan, self.plan.target
        inputs = (plan.source.fingerprint, target.labelled.fingerprint, target.unlabelled.fingerprint, target.test.fingerprint)
        validation = plan.validator or (target.validation.fingerprint if target.validation else f"cv{plan.folds}")
        training = {**dataclasses.asdict(plan.tune), **plan.hardware.numbers} if fidelity == "fine-tune" else {"C": plan.C}
        return content_hash(
            version("acclimate"), arm.name, str(arm), fidelity, seed, *inputs, validation, plan.labels, self._fingerprint, training
        )

    def carry_out(self, arm: Arm, fidelity: Fidelity, seed: int) -> Unit:
        """Select, augment, train, predict and measure; on one thread, so that the bytes do not depend on how many are free."""
        with one_thread():
            return self._carry_out(arm, fidelity, seed)

    def _carry_out(self, arm: Arm, fidelity: Fidelity, seed: int) -> Unit:
        view = self.plan.target.draw(self.plan.labels, seed)
        material = self.workshop.material(arm, view, seed)
        ledger = Ledger()
        started = time.perf_counter()
        if fidelity == "probe":
            model: Predictor = self._probe(arm, material, seed)
        else:
            model = self._fine_tuned(arm, material, seed)
        train_seconds = time.perf_counter() - started
        parts = {"test": [evaluate(model, view, ledger=ledger)]}
        judged = None
        if fidelity == "probe" and self.plan.validator:
            judged = {"name": self.plan.validator, "score": self._judge(arm, seed)}
        elif fidelity == "probe":
            parts["validation"] = self._validation(arm, view, model, seed, ledger)
        facts = self._facts(arm, fidelity, seed, material, parts)
        facts["validator"] = judged
        facts["openings"] = ledger.openings
        facts["seconds"] = {**material.seconds, "train": train_seconds}
        return Unit(predictions_table(parts), facts)

    def adjusted(self, *, tune: TuneSettings, C: float) -> Bench:
        """A bench that trains otherwise and shares everything that was selected, generated and embedded."""
        other = copy.copy(self)
        other.plan = dataclasses.replace(self.plan, tune=tune, C=C)
        return other

    def fitted(self, arm: Arm, material: Material, fidelity: Fidelity, seed: int, watch: Watch | None = None) -> Predictor:
        """An arm's model on material that is there, without checkpoints; ``watch`` looks on while it is fine-tuned."""
        if fidelity == "probe":
            return self._fit(arm, material, seed)
        return self._train(arm, material, seed, None, watch=watch)

    def first_material(self, arm: Arm) -> Material:
        """What an arm learned from with the first seed: for showing."""
        with one_thread():
            return self.workshop.material(arm, self.plan.target.draw(self.plan.labels, 0), 0)

    def quality(self, material: Material) -> list[Quality]:
        """Figures on what an arm generated with the first seed, one for each of its augmenters."""
        view = self.plan.target.draw(self.plan.labels, 0)
        with one_thread():
            return [measure_quality(sifted, view, self.embed, ProbeLearner(self.embed)) for sifted in material.growth]

    def keep(self, arm: Arm, folder: Path, facts: Mapping[str, Any] | None = None) -> None:
        """Fine-tune an arm with the first seed, as its unit did, and save the model; ``facts`` are for its card."""
        with one_thread():
            self._train(arm, self.first_material(arm), 0, folder, save=True, facts=facts)

    def _facts(
        self, arm: Arm, fidelity: Fidelity, seed: int, material: Material, parts: Mapping[str, list[Scores]]
    ) -> dict[str, Any]:
        pooled = {split: pool_scores(scores) for split, scores in parts.items()}
        return {
            "arm": arm.name,
            "line": str(arm),
            "is_control": arm.is_control,
            "fidelity": fidelity,
            "seed": seed,
            "scores": {split: {**scores.metrics, "items": len(scores.ids)} for split, scores in pooled.items()},
            "trained_on": material.counts,
            "steps": self.plan.tune.steps if fidelity == "fine-tune" else 0,
        }

    def _validation(self, arm: Arm, view: Target, model: Predictor, seed: int, ledger: Ledger) -> list[Scores]:
        """Scores on the target's own validation part, or out of fold: selection, augmentation and training redone for each fold."""
        if view.validation is not None:
            return [validate(model, view, ledger=ledger)]
        scores = []
        for fold in view.folds(self.plan.folds, seed):
            fold_model = self._probe(arm, self.workshop.material(arm, fold, seed), seed)
            scores.append(validate(fold_model, fold, ledger=ledger))
        return scores

    def _judge(self, arm: Arm, seed: int) -> float:
        validator = build(VALIDATORS, "validator", self.plan.validator, {})
        return validator.score(self.seen(arm, seed, again=bool(FITS_AGAIN.intersection(validator.needs))))

    def seen(self, arm: Arm, seed: int, *, again: bool) -> Seen:
        """What a validator may look at of an arm's probe: its answers on unlabelled target examples, and no target label.

        Args:
            again: fit the arm once more without each of :data:`~acclimate.strategy.plan.HELD_OUT_PARTS` parts of the source, its
                selection too, for answers on source examples that were held out and for several models.
        """
        view = self.plan.target.draw(self.plan.labels, seed)
        model = self._probe(arm, self.workshop.material(arm, view, seed), seed)
        contents: Any = view.unlabelled.contents
        look = Seen(model.predict_proba(contents), unit_rows(self.embed(contents)), seed=seed)
        return self._with_held_out(look, arm, view, seed) if again else look

    def _with_held_out(self, look: Seen, arm: Arm, view: Target, seed: int) -> Seen:
        whole = self.plan.source
        contents: Any = whole.contents
        inputs: Any = view.unlabelled.contents
        part = np.array([int(content_hash("held out", seed, name)[:8], 16) % HELD_OUT_PARTS for name in whole.ids])
        held = np.zeros((len(whole), len(view.classes)))
        others = []
        for number in range(HELD_OUT_PARTS):
            kept, out = np.flatnonzero(part != number), np.flatnonzero(part == number)
            model = self._probe(arm, self.workshop.of(whole.take(kept)).material(arm, view, seed), seed)
            others.append(model.predict_proba(inputs))
            held[out] = model.predict_proba([contents[row] for row in out])
        return dataclasses.replace(
            look,
            held_probabilities=held,
            held_labels=label_codes(whole, view.classes),
            held_features=unit_rows(self.embed(contents)),
            others=tuple(others),
        )

    def _examples(self, arm: Arm, material: Material, *, several_tasks: bool = False) -> Examples:
        return gather(
            self.plan.target.classes,
            source=material.source,
            target=material.target,
            augmented=material.augmented,
            unlabelled=material.unlabelled.contents,
            target_weight=arm.target_weight,
            several_tasks=several_tasks,
        )

    def _probe(self, arm: Arm, material: Material, seed: int) -> ProbedTexts:
        """A probe on frozen features, fitted once for equal examples: no fold takes any from the source-only control."""
        others = material.unlabelled.fingerprint if arm.features else ""
        key = content_hash("probe", str(arm), self.plan.C, seed, material.fingerprint(), others)
        return self.workshop.once(key, lambda: self._fit(arm, material, seed))[0]

    def _fit(self, arm: Arm, material: Material, seed: int) -> ProbedTexts:
        """Fit a probe; mixup mixes the features themselves. What acts on inputs or on training shows in fine-tuning alone."""
        examples = self._examples(arm, material)
        classes = self.plan.target.classes
        features = unit_rows(self.embed(examples.contents))
        labels, weights = np.eye(len(classes))[examples.labels], examples.weights
        generator = np.random.default_rng([seed, len(features)])
        for method in arm.augment:
            if method.name in ON_FEATURES:
                mixer = build(ONLINE, "augmenter", method.name, dict(method.settings))
                features, labels, weights = mix_rows(features, labels, weights, mixer.alpha, generator)
        if arm.features is None:
            return ProbedTexts(self.embed, Probe(self.plan.C).fit(features, labels, len(classes), weights), tuple(classes))
        others = unit_rows(self.embed(examples.unlabelled)) if len(examples.unlabelled) else np.zeros((0, features.shape[1]))
        # A mixed row counts as of the domain of its first half.
        given = Given(features, labels, weights, examples.from_target, others, len(classes), seed)
        adapts = build(SHALLOW, "feature method", arm.features.name, dict(arm.features.settings))
        return ProbedTexts(self.embed, adapts.fit(given), tuple(classes))

    def _fine_tuned(self, arm: Arm, material: Material, seed: int) -> Adapted:
        if self._checkpoints is None:
            return self._train(arm, material, seed, None)
        folder = self._checkpoints / self.key(arm, "fine-tune", seed)
        adapted = self._train(arm, material, seed, folder)
        with contextlib.suppress(OSError):  # its checkpoints are gone by now; what is left is not ours to judge
            folder.rmdir()
        return adapted

    def _train(
        self,
        arm: Arm,
        material: Material,
        seed: int,
        folder: Path | None,
        *,
        save: bool = False,
        facts: Mapping[str, Any] | None = None,
        watch: Watch | None = None,
    ) -> Adapted:
        online = [method for method in arm.augment if method.name in ONLINE]
        terms = build_terms([_spec(method) for method in (*online, *arm.objectives)])
        training = Training(
            self.plan.model,
            self._examples(arm, material, several_tasks=separates_tasks(terms)),
            self.plan.target.classes,
            settings=self.plan.tune,
            objectives=terms,
            seed=seed,
            folder=folder,
            save=save,
            task=self.plan.task,
            hardware=self.plan.hardware,
            facts=facts,
            watch=watch,
        )
        course = None if arm.learn is None else build_course(_spec(arm.learn))
        return train_after(build_stages([_spec(method) for method in arm.pretrain]), _corpora(material), training, course)


def _spec(method: Method) -> dict[str, Any]:
    return {"method": method.name, **as_given(method.settings)}


def _corpora(material: Material) -> Corpora:
    """Texts without labels: the target's own, and as its domain's what was kept of the source."""
    mine = [] if material.target is None else [material.target.without_labels()]
    source = None if material.source is None else material.source.without_labels()
    return Corpora(concatenate("target", [*mine, material.unlabelled]), source)
