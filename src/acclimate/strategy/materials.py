"""What an arm learns from: selection and augmentation carried out for one view of the target, each made once and remembered."""

from __future__ import annotations

import dataclasses
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from acclimate.augment import METHODS as EXPANDERS
from acclimate.augment.guard.run import Sifted
from acclimate.augment.run import grow
from acclimate.data.domain import Domain, concatenate
from acclimate.data.target import Target
from acclimate.engine.storage import content_hash
from acclimate.features.base import Embed
from acclimate.select import METHODS as SELECTORS
from acclimate.select.base import Selection
from acclimate.select.budget import count_words
from acclimate.select.run import select
from acclimate.strategy.arms import Arm, Method, as_given, settings
from acclimate.strategy.policy import POLICY, build_settings, search_policy
from acclimate.strategy.predict import out_of_fold
from acclimate.strategy.select import toolbox

Made = TypeVar("Made")

#: Products kept: a seed's selections and expansions over its folds, for a handful of arms.
_REMEMBERED = 64


@dataclasses.dataclass(frozen=True, eq=False)
class Material:
    """The examples one arm learns from, by kind, and what making them cost.

    Attributes:
        source: all of it, or what was selected; None where the arm uses none.
        target: the target's labelled examples; None for the source-only control.
        augmented: generated from ``target`` alone; None where nothing was generated.
        unlabelled: target texts without labels, for the objectives that want them.
        selection: how ``source`` was chosen, None where nothing was chosen.
        seconds: measured, by stage.
        growth: what guards kept and refused of what each augmenter made, in the arm's order.
    """

    source: Domain | None
    target: Domain | None
    augmented: Domain | None
    unlabelled: Domain
    selection: Selection | None
    seconds: dict[str, float]
    growth: tuple[Sifted, ...] = ()

    def fingerprint(self) -> str:
        """A hash of everything that is learned from."""
        parts = (self.source, self.target, self.augmented)
        return content_hash([part.fingerprint if part is not None else "" for part in parts])

    @property
    def counts(self) -> dict[str, int]:
        """How many examples of each kind."""
        kinds = {"source": self.source, "target": self.target, "augmented": self.augmented}
        return {kind: len(domain) if domain is not None else 0 for kind, domain in kinds.items()}


class Workshop:
    """Makes the material of arms. Arms that share a selection or an expansion share the work.

    Every product depends on its inputs' content and the seed alone, so remembering it changes no result.
    """

    def __init__(self, source: Domain, embed: Embed, count_tokens: Callable[[str], int] = count_words) -> None:
        self.source = source
        self._embed = embed
        self._tools = toolbox(embed)
        self._count_tokens = count_tokens
        self._made: OrderedDict[str, tuple[object, float]] = OrderedDict()

    def of(self, source: Domain) -> Workshop:
        """A workshop with the same tools over another source; it remembers nothing of this one."""
        return Workshop(source, self._embed, self._count_tokens)

    def material(self, arm: Arm, view: Target, seed: int) -> Material:
        """Carry out an arm's selection and augmentation against ``view`` (one seed's draw, perhaps less a validation fold)."""
        chosen, select_seconds = self._select(arm, view, seed) if arm.select else (None, 0.0)
        source = chosen.to_domain() if chosen else (self._pool(arm) if arm.source == "all" else None)
        expanders = [step for method in arm.augment for step in self._steps(method, view, seed)]
        grown = [self._expand(method, view, seed) for method in expanders]
        augmented = concatenate("augmented", [sifted.kept for sifted, _ in grown]) if grown else None
        return Material(
            source=source,
            target=view.labelled if arm.target else None,
            augmented=augmented,
            unlabelled=view.unlabelled if arm.target else view.inputs,
            selection=chosen,
            seconds={"select": select_seconds, "augment": sum(seconds for _, seconds in grown)},
            growth=tuple(sifted for sifted, _ in grown),
        )

    def _pool(self, arm: Arm) -> Domain:
        """The source without the domains that the arm leaves out."""
        if not arm.without:
            return self.source
        key = content_hash("without", arm.without, self.source.fingerprint)
        rows = [row for row, name in enumerate(self.source.domains) if name not in arm.without]
        return self.once(key, lambda: self.source.take(rows))[0]

    def _select(self, arm: Arm, view: Target, seed: int) -> tuple[Selection, float]:
        method = arm.select
        assert method is not None
        labels = view.labelled.fingerprint if "target labels" in SELECTORS[method.name].needs else ""
        source = self._pool(arm)
        inputs = (source.fingerprint, view.inputs.fingerprint, labels)
        key = content_hash("select", str(method), arm.budget, str(arm.pick), *inputs, seed)
        return self.once(
            key,
            lambda: select(
                source,
                view,
                method=method.name,
                budget=arm.budget,
                pick=arm.pick,
                seed=seed,
                tools=self._tools,
                count_tokens=self._count_tokens,
                **dict(method.settings),
            ),
        )

    def _steps(self, method: Method, view: Target, seed: int) -> list[Method]:
        """The augmenters behind a method: itself, or what a policy search recommends on folds of the labelled part alone."""
        if method.name in EXPANDERS:
            return [method]
        if method.name != POLICY:
            return []
        given = as_given(method.settings)
        guard = given.pop("guard", None)
        inner = dataclasses.replace(view, validation=None)
        key = content_hash(POLICY, str(method), view.labelled.fingerprint, view.test.inputs.fingerprint, seed)
        asked = build_settings(given)
        found, _ = self.once(key, lambda: search_policy(inner, asked, seed=seed, guard=guard, teacher=self._tools.learner))
        return [
            Method(step.method, settings({**as_given(step.settings), "times": step.times, "guard": guard}))
            for step in found.policy.steps
        ]

    def _expand(self, method: Method, view: Target, seed: int) -> tuple[Sifted, float]:
        sealed = [part.inputs.fingerprint for part in (view.test, view.validation) if part is not None]
        key = content_hash("augment", str(method), view.labelled.fingerprint, sealed, seed)
        given = as_given(method.settings)
        handed: dict[str, Any] = {"teacher": self._tools.learner, "style": self.source, "predict": self._predict}
        return self.once(key, lambda: grow(view, method=method.name, seed=seed, **handed, **given))

    def _predict(self, examples: Domain) -> Sequence[str]:
        assert self._tools.learner is not None  # the toolbox brings the probe
        return out_of_fold(self._tools.learner)(examples)

    def once(self, key: str, make: Callable[[], Made]) -> tuple[Made, float]:
        """What ``make`` gives and the seconds it took, remembered under ``key``, which names the kind and every input."""
        if key not in self._made:
            started = time.perf_counter()
            made = make()
            self._made[key] = (made, time.perf_counter() - started)
            if len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)
        self._made.move_to_end(key)  # what is asked for again and again stays
        return self._made[key]  # type: ignore[return-value]  # the key names the kind of product
