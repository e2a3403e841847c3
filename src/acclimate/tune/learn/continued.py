"""Pre-training that goes on: hidden or next tokens of a corpus without labels, by the same loop as all training."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

from acclimate.data.domain import Domain
from acclimate.tune.learn.stages import Corpora
from acclimate.tune.settings import TuneSettings


@dataclasses.dataclass(frozen=True)
class Continued:
    """A stage (:class:`acclimate.tune.learn.stages.Stage`) of further pre-training; which texts it reads, its kinds say.

    The kinds explain the fields, which bear the names that training gives them.
    """

    name: ClassVar[str]
    paper: ClassVar[str] = "Gururangan 2020"
    modality: ClassVar[tuple[str, ...]] = ("text", "causal-lm")

    steps: int = 500
    lr: float = 1e-4
    batch_size: int = 16
    warmup: float = 0.06
    max_length: int = 256
    replay: float = 0.1
    packing: bool = True

    def __post_init__(self) -> None:
        """Raises InputError: a value outside its range."""
        self._settings()

    def carry_out(self, model: str, given: Corpora, folder: Path, seed: int, called: str) -> None:
        """See :class:`acclimate.tune.learn.stages.Stage`."""
        corpus = self._corpus(given)
        continue_pretraining(model, corpus, self._settings(), folder, seed=seed, called=called, general=given.general)

    def _corpus(self, given: Corpora) -> Domain:
        raise NotImplementedError

    def _settings(self) -> TuneSettings:
        return TuneSettings.of(dataclasses.asdict(self))


def continue_pretraining(
    model: str,
    corpus: Domain,
    settings: TuneSettings,
    folder: Path,
    *,
    seed: int = 0,
    called: str | None = None,
    general: Domain | None = None,
) -> None:
    """Train a model further on a corpus, for the next token where it was made for that, else for hidden ones; save it in a folder.

    Documents are read whole, in pieces. A model without a head for hidden tokens gets one, and a
    warning says so.

    Args:
        general: examples that fill the share ``settings.replay`` of every batch against forgetting.

    Raises:
        InputError, RunError: see :func:`acclimate.tune.trainer.fine_tune`.
    """
    from acclimate.models.causal import resolve_causal
    from acclimate.tune.examples import gather
    from acclimate.tune.trainer import fine_tune

    causal = resolve_causal(model).writes
    examples = gather(None, target=corpus, replay=general)
    chosen = settings if causal else dataclasses.replace(settings, packing=False)
    task = "causal-lm" if causal else "masked-lm"
    fine_tune(model, examples, (), chosen, seed=seed, folder=folder, save=True, task=task, called=called)
