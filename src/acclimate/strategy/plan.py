"""What a comparison is asked to do, checked before anything runs."""

from __future__ import annotations

import dataclasses
from collections import Counter

from acclimate.data.domain import Domain
from acclimate.data.make import check_labels
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.evaluate.validators import METHODS as VALIDATORS
from acclimate.evaluate.validators import SAFEST
from acclimate.select import METHODS as SELECTORS
from acclimate.strategy.arms import Arm, controls
from acclimate.tune.hardware import Hardware
from acclimate.tune.probe import Probe
from acclimate.tune.settings import TuneSettings

#: Parts into which the source is cut for validators that look at held-out source examples or at several models: the fewest of
#: which any two models share no more than half of what they learned from.
HELD_OUT_PARTS = 3
#: Needs of a validator for which an arm is fitted again, once without each part.
FITS_AGAIN = frozenset({"source held out", "several models"})
_KINDS = {"text": "texts", "image": "pictures", "chat": "conversations"}


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """A comparison.

    Attributes:
        source, target: already cleaned of what the test holds (``data.hygiene``).
        arms: the user's; the controls are added by :attr:`all_arms`.
        model: name of the base model.
        seeds: repetitions on the probe; each draws its own labels, source sample, augmentation and order.
        labels: target labels learned from per seed; None means all, 0 that no arm learns from any.
        folds: K of the cross-validation that chooses; ignored where the target has a validation part of its own.
        validator: ranks the arms without labels (``acclimate.evaluate.validators``); empty where validation labels do.
        negative_transfer: look for augmentations and source domains that hurt, by leaving out each.
        confirm_seeds: repetitions of real fine-tuning; 0 leaves it out.
        confirm_all: fine-tune every arm and control, not only the best of each.
        tune: how fine-tuning trains, the same for every arm.
        C: inverse strength of the probe's penalty, the same for every arm.
        hardware: where and how fine-tuning computes.
        workers: processes among which the units of work are shared; results do not depend on it.
    """

    source: Domain
    target: Target
    arms: tuple[Arm, ...]
    model: str
    name: str = "run"
    task: str = "text-classification"
    seeds: int = 5
    labels: int | None = None
    folds: int = 5
    validator: str = ""
    negative_transfer: bool = False
    confirm_seeds: int = 3
    confirm_all: bool = False
    tune: TuneSettings = dataclasses.field(default_factory=TuneSettings)
    C: float = Probe.C
    hardware: Hardware = dataclasses.field(default_factory=Hardware)
    workers: int = 1

    @property
    def all_arms(self) -> tuple[Arm, ...]:
        """Controls first, then the user's arms; one entry each."""
        return tuple(dict.fromkeys((*controls(self.arms, labels=self.labels != 0), *self.arms)))

    @property
    def refits(self) -> int:
        """Further fits of each unit on the probe, for validation."""
        if self.validator:
            return HELD_OUT_PARTS if FITS_AGAIN.intersection(VALIDATORS[self.validator].needs) else 0
        return self.folds if self.target.validation is None else 0

    def check(self) -> None:
        """Raise :class:`InputError` for what would fail, or mean nothing, after an hour of work."""
        self._check_task()
        check_labels(self.source, self.target)
        if self.labels is not None and self.labels > len(self.target.labelled):
            raise InputError(
                f"{self.labels} target labels were asked for, and {len(self.target.labelled)} are left to learn from",
                expected="no more labels than the target has beside its test",
                fix="lower `labels`, or leave it out to use all",
            )
        twins = [name for name, count in Counter(arm.name for arm in self.all_arms).items() if count > 1]
        if twins:
            raise InputError(f"Two arms are called '{twins[0]}'", expected="arms that differ", fix="remove one of them")
        self._check_features()
        if self.labels == 0:
            self._check_unsupervised()
        if self.validator:
            self._check_unlabelled()
        else:
            self._check_folds()

    def _check_task(self) -> None:
        for part in (self.source, self.target.labelled):
            wanted = "image-classification" if part.modality == "image" else "text-classification"
            if self.task != wanted:
                raise InputError(
                    f"The task is {self.task}, and the examples of '{part.name}' are {_KINDS[part.modality]}",
                    expected=f"task: {wanted}",
                    fix="correct `task`, or name the column that is meant (text, image)",
                )

    def _check_features(self) -> None:
        adapted = [arm.name for arm in self.arms if arm.features]
        if adapted and self.confirm_seeds:
            raise InputError(
                f"The arm '{adapted[0]}' adapts frozen vectors, which fine-tuning does not have",
                expected="no fine-tuning beside such arms",
                fix="set `confirm: {seeds: 0}`, or compare fine-tuned arms in a recipe of their own",
            )

    def _check_unsupervised(self) -> None:
        if not self.validator and self.target.validation is None:
            raise InputError(
                "There is no target label to validate with",
                expected="a validator that needs none",
                fix=f"set `validation: {SAFEST}`, or the name of one: {', '.join(VALIDATORS)}",
            )
        for arm in self.arms:
            selector = SELECTORS.get(arm.select.name) if arm.select else None
            selects_by_labels = selector is not None and "target labels" in selector.needs
            if arm.target or arm.source == "none" or arm.augment or selects_by_labels:
                raise InputError(
                    f"No target label is learned from, and the arm '{arm}' cannot do without",
                    expected="arms that learn from the source, do not augment, and select by no target label",
                    fix="take it out (`acclimate methods` lists what each method needs), or allow some `labels`",
                )

    def _check_unlabelled(self) -> None:
        left = len(self.target.unlabelled) + (len(self.target.labelled) - self.labels if self.labels is not None else 0)
        if left < 2:
            raise InputError(
                f"'{self.validator}' judges models on unlabelled target examples, and there are {left}",
                expected="at least two",
                fix="give `unlabelled`, or a lower number of `labels`",
            )

    def _check_folds(self) -> None:
        if self.target.validation is not None:
            return
        size = self.labels or len(self.target.labelled)
        counts = Counter(self.target.labelled.labels)
        rarest = min(counts.values()) * size / max(len(self.target.labelled), 1)
        if rarest < self.folds:
            raise InputError(
                f"With {size} target labels the rarest class has about {rarest:.0f}, too few for {self.folds}-fold validation",
                expected=f"at least {self.folds} labelled examples of every class",
                fix="label more, use fewer folds (validation: cv2), set a validation share, or rank the arms without labels, which"
                f" shows nothing (validation: {SAFEST})",
            )
