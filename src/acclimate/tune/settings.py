"""How long, how fast and how carefully a model is fine-tuned. One value for all arms of a comparison."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from acclimate.errors import InputError, unknown_name
from acclimate.tune.peft import PARAMETERS
from acclimate.tune.schedule import COURSES

#: What becomes of a document that is longer than a language model reads at once.
LONG_DOCUMENTS = ("split", "cut")


@dataclasses.dataclass(frozen=True)
class TuneSettings:
    """Settings of full fine-tuning.

    Training length is a number of optimiser steps, not of epochs: a comparison is fair only when every arm takes the same number.

    Attributes:
        lr: peak learning rate of AdamW. Measured on sentiment of news editorials with MiniLM, one seed, 500 items: with source and
            100 labels, 100 steps, 84.6 / 84.2 / 84.8% at 5e-5 / 1e-4 / 2e-4; on the 100 labels alone 2e-4 grows overconfident
            (log-loss 1.09 after 60 steps, against 0.66 at 1e-4 after 40). Larger encoders want 2e-5 to 5e-5 (Devlin 2019, A.3).
        batch_size: labelled examples per optimiser step over all devices (Devlin 2019, appendix A.3: 16 or 32).
        steps: optimiser steps. 100 already lift the above from the probe's 78% to 84%; a step takes about 0.5 CPU seconds.
        warmup: share of the steps over which the rate climbs, before it falls linearly to 0 (Mosbach 2021, section 6: 10%).
        weight_decay: of AdamW, on matrices only (Devlin 2019, appendix A.2: 0.01).
        max_grad_norm: gradients are scaled down to this length (Devlin 2019's released optimiser: 1.0).
        dropout: share of the representation dropped before the head (Devlin 2019, appendix A.3: 0.1).
        max_length: tokens kept of a text; MiniLM was trained on at most 256. Batches are padded to their own longest text only.
        group_by_length: build batches of texts of similar length.
        checkpoint_every: steps between checkpoints where a folder is given; a kill loses at most that much work.
        schedule: how the rate goes on after its climb, one of :data:`acclimate.tune.schedule.COURSES`.
        layer_decay: every layer learns this many times slower than the one above it; 2.6 is ULMFiT's, 1 lets all learn alike.
        unfreeze: epochs after which one more layer joins the training, from the top; 0 trains all from the start, 1 is ULMFiT's.
        parameters: what is trained, one of :data:`acclimate.tune.peft.PARAMETERS`.
        rank: of the matrices of LoRA and its kin. 8, within Hu 2022's 1 to 64 (section 7.2: 4 to 8 suffice).
        packing: of language models: fill rows of ``max_length`` tokens with several documents, none of which sees another. A batch
            is then ``batch_size`` full rows.
        long_documents: of language models: ``split`` reads a document longer than ``max_length`` in pieces, ``cut`` its beginning,
            or of a conversation the first piece with an answer.
        overlap: tokens of the piece before that each piece of a split document begins with, as context that is not asked for.
        replay: share of every batch that general examples fill, where there are any (Rolnick 2019: half of the batch is safe;
            Ibrahim 2024: 5% suffice for a language model under a weak shift, 25% for another language).
    """

    lr: float = 1e-4
    batch_size: int = 16
    steps: int = 100
    warmup: float = 0.1
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    dropout: float = 0.1
    max_length: int = 256
    group_by_length: bool = True
    checkpoint_every: int = 50
    schedule: str = "linear"
    layer_decay: float = 1.0
    unfreeze: float = 0.0
    parameters: str = "full"
    rank: int = 8
    packing: bool = False
    long_documents: str = "split"
    overlap: int = 1
    replay: float = 0.1

    def __post_init__(self) -> None:
        """Raises InputError: a value outside its range."""
        for name in ("batch_size", "steps", "checkpoint_every"):
            _check(name, getattr(self, name), whole=True, low=1)
        _check("max_length", self.max_length, whole=True, low=8)
        _check("lr", self.lr, low=0, high=1, open_low=True)
        _check("warmup", self.warmup, low=0, high=1)
        _check("weight_decay", self.weight_decay, low=0)
        _check("max_grad_norm", self.max_grad_norm, low=0, open_low=True)
        _check("dropout", self.dropout, low=0, high=0.9)
        _check("rank", self.rank, whole=True, low=1)
        _check("layer_decay", self.layer_decay, low=1)
        _check("unfreeze", self.unfreeze, low=0)
        if self.schedule not in COURSES:
            raise unknown_name("schedule", self.schedule, COURSES)
        if self.parameters not in PARAMETERS:
            raise unknown_name("choice of parameters", self.parameters, PARAMETERS)
        _check("overlap", self.overlap, whole=True, low=1, high=self.max_length - 1)
        _check("replay", self.replay, low=0, high=0.9, open_low=True)
        if self.long_documents not in LONG_DOCUMENTS:
            raise unknown_name("treatment of long documents", self.long_documents, LONG_DOCUMENTS)
        for name in ("group_by_length", "packing"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"The tune setting {name} is {getattr(self, name)!r}", expected="true or false")

    @classmethod
    def of(cls, values: TuneSettings | Mapping[str, Any] | None) -> TuneSettings:
        """Settings from a mapping such as a recipe's ``tune`` section; None gives the defaults.

        >>> TuneSettings.of({"steps": 50}).steps
        50

        Raises:
            InputError: an unknown setting (with the nearest valid one), a wrong type, or a value outside its range.
        """
        if isinstance(values, TuneSettings):
            return values
        names = [field.name for field in dataclasses.fields(cls)]
        for name in values or {}:
            if name not in names:
                raise unknown_name("tune setting", name, names)
        return cls(**(values or {}))


def _check(
    name: str, value: Any, *, whole: bool = False, low: float = 0, high: float = float("inf"), open_low: bool = False
) -> None:
    """Raise InputError unless ``value`` is a number between ``low`` and ``high``."""
    kinds = int if whole else (int, float)
    good = isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high and not (open_low and value == low)
    if not good:
        above = f"above {low:g}" if open_low else f"of at least {low:g}"
        upto = "" if high == float("inf") else f" and at most {high:g}"
        raise InputError(
            f"The tune setting {name} is {value!r}",
            expected=f"{'a whole number' if whole else 'a number'} {above}{upto}",
            fix=f"correct or leave out {name}",
        )
