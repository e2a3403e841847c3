"""What happens to a base model before it is fine-tuned: stages, each of which leaves a model in a folder for the next one."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from acclimate.data.domain import Domain
from acclimate.engine.build import build
from acclimate.errors import InputError
from acclimate.tune.learn.base import Course, Training

if TYPE_CHECKING:  # recipes and listings read names and settings without loading torch
    from acclimate.tune.adapted import Adapted

#: Where, inside the folder of a training, the models of stages before it lie while it lasts.
STAGES_FOLDER = ".pretraining"


@dataclasses.dataclass(frozen=True, eq=False)
class Corpora:
    """Texts without labels that stages learn from.

    Attributes:
        task: the target's own examples, labelled and unlabelled ones, without their labels.
        domain: more of the target's domain, or what was selected of the source.
        general: of what the model was pre-trained on, to be replayed.
    """

    task: Domain
    domain: Domain | None = None
    general: Domain | None = None

    def of_domain(self, stage: str) -> Domain:
        """The domain's corpus.

        Raises:
            InputError: there is none.
        """
        if self.domain is None or not len(self.domain):
            raise InputError(
                f"{stage} needs a corpus of the domain, and there is none",
                expected="a corpus, or source examples",
                fix="give corpus (--corpus FILE) or a source; tapt reads the target's own texts",
            )
        return self.domain


class Stage(Protocol):
    """Changes a base model; a frozen value, so that records can name it with its settings."""

    name: ClassVar[str]

    def carry_out(self, model: str, given: Corpora, folder: Path, seed: int, called: str) -> None:
        """Leave the changed model in ``folder``; where it already lies there, made of the same, nothing is done.

        Args:
            model: where the model lies.
            called: what records call it.
        """
        ...


StageSpec = str | Mapping[str, Any] | Stage


@dataclasses.dataclass(frozen=True)
class Start:
    """The model that fine-tuning starts from: where it lies, and what records call it."""

    model: str
    called: str


def build_stages(specs: Sequence[StageSpec]) -> tuple[Stage, ...]:
    """Stages from names (``"tapt"``), mappings (``{"method": "tapt", "steps": 200}``) or ready stages.

    >>> build_stages([{"method": "tapt", "steps": 3}])[0].name
    'tapt'

    Raises:
        InputError: an unknown stage or setting, or a value outside its range.
    """
    return tuple(_build(spec) for spec in specs)


@contextlib.contextmanager
def carried_out(
    model: str, stages: Sequence[Stage], given: Corpora, *, seed: int = 0, folder: Path | None = None
) -> Iterator[Start]:
    """Inside, the model that the stages made, one after another; ``folder`` keeps their models, so that a second call after a kill
    goes on. Without stages it is the base model itself."""
    with contextlib.ExitStack() as stack:
        place = folder or (Path(stack.enter_context(tempfile.TemporaryDirectory())) if stages else Path())
        start = Start(model, model)
        for number, stage in enumerate(stages, 1):
            made = place / f"{number}-{stage.name}"
            stage.carry_out(start.model, given, made, seed, start.called)
            start = Start(str(made), f"{start.called} + {stage.name}")
        yield start


def train_after(stages: Sequence[Stage], given: Corpora, training: Training, course: Course | None = None) -> Adapted:
    """The model of a training that starts from what the stages made; their models lie in its folder while it lasts."""
    before = None if training.folder is None else training.folder / STAGES_FOLDER
    with carried_out(training.model, stages, given, seed=training.seed, folder=before) as start:
        ready = dataclasses.replace(training, model=start.model, called=start.called)
        made = ready.run() if course is None else course.train(ready)
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)
    return made


def _build(spec: StageSpec) -> Stage:
    from acclimate.tune.learn import STAGES

    if not isinstance(spec, (str, Mapping)):
        return spec
    values = {"method": spec} if isinstance(spec, str) else dict(spec)
    made: Stage = build(STAGES, "stage", str(values.pop("method", "")), values)
    return made
